"""``kirana projections``: run the projector, and look after the views."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, TypeVar

import psycopg
import typer
from prometheus_client import REGISTRY
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.commands.console import CommandFailed, err, new_typer, out, say
from app.core.config import get_settings
from app.core.metrics import exporting
from app.core.telemetry import configure_logging
from projections.books import Connection, connect, reshard
from projections.definition import Projection
from projections.partitions import prune
from projections.rebuild import DEFAULT_JOBS, Busy, Rebuilt, rebuild, rollback
from projections.registry import PROJECTIONS
from projections.runner import run_until_signalled
from projections.status import Parked, ShardStatus, building, parked, shard_states
from projections.switch import Wrong
from projections.verify import Behind, Drift, repair, repair_redis, verify, verify_navigation, verify_redis

SECONDS_PER_DAY = 86_400

app = new_typer("Run the projector, and look after the views: state, rebuild, verify, repair.")

Answer = TypeVar("Answer")


async def connected(name: str) -> Connection:
    """A connection as the projector, named for pg_stat_activity."""
    return await connect(get_settings().dsn("projector"), f"kirana projections {name}")


def now(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run one command's coroutine."""
    return asyncio.run(work)


@app.command()
def run(
    shards: Annotated[str | None, typer.Option(help="Only these shards of each projection, e.g. 0,1.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve /metrics on this port; else on KIRANA_METRICS_PORT, if that is set.")
    ] = None,
) -> None:
    """Keep the views up to date until Ctrl-C or SIGTERM. A second process stands by."""
    settings = get_settings()
    configure_logging(settings)
    only = None if shards is None else [int(number) for number in shards.split(",")]
    with exporting(REGISTRY, settings.metrics_host, metrics_port or settings.metrics_port):
        now(run_until_signalled(settings, only))


@app.command("list")
def list_all() -> None:
    """Show every projection, its live version and the fingerprint of its shape."""
    table = Table("projection", "topics", "version", "kept", "shards", "shape")
    for row in now(_registered()):
        table.add_row(*row)
    out.print(table)


async def _registered() -> list[tuple[str, ...]]:
    async with await connected("list") as connection:
        cursor = await connection.execute(
            "SELECT p.name, p.live_version, p.previous_version, p.shards, v.shape FROM read.projections p"
            " JOIN read.projection_versions v ON v.projection = p.name AND v.version = p.live_version"
        )
        found = {row[0]: row[1:] for row in await cursor.fetchall()}
    listed: list[tuple[str, ...]] = []
    for name, projection in PROJECTIONS.items():
        version, kept, shards, shape = found.get(name, (0, None, 0, ""))
        state = "current" if shape == projection.shape else f"old: run `kirana projections rebuild {name}`"
        listed.append((name, ", ".join(projection.topics), str(version), str(kept or "–"), str(shards), state))
    return listed


@app.command()
def status() -> None:
    """Show how far each shard is, how far behind, and who leads it."""
    table = Table("projection", "shard", "version", "position", "behind", "seconds", "leader")
    shards, letters, builds = now(_states())
    for shard in shards:
        table.add_row(
            shard.projection,
            str(shard.shard),
            str(shard.version),
            str(shard.position),
            str(shard.behind),
            f"{shard.seconds:.1f}",
            shard.leader or "[red]nobody[/]",
        )
    out.print(table)
    for line in builds:
        say(line)
    for letter in letters:
        say(f"dead letter: {letter.projection} {letter.view_key}: {letter.sqlstate} {letter.error}")


async def _states() -> tuple[list[ShardStatus], list[Parked], list[str]]:
    async with await connected("status") as connection:
        return await shard_states(connection), await parked(connection), await building(connection)


Name = Annotated[str, typer.Argument(help="catalog or orders; see `kirana projections list`.")]
SHOWN_KEYS = 20


def named(name: str) -> Projection:
    """The projection of that name, or a line that says which there are."""
    if name not in PROJECTIONS:
        raise CommandFailed(f"there is no projection {name}: it is one of {', '.join(PROJECTIONS)}")
    return PROJECTIONS[name]


@contextmanager
def bar(what: str) -> Iterator[tuple[Progress, Any]]:
    """A progress bar on stderr with rows per second and the time that is left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(what, total=None, rate="")
        started = time.monotonic()

        def report(phase: str, done: int, total: int) -> None:
            rate = f"{done / max(time.monotonic() - started, 0.001):,.0f} rows/s" if phase in {"fill", "verify"} else ""
            progress.update(task, description=f"{what}: {phase}", completed=done, total=total or None, rate=rate)

        yield progress, report


@app.command("rebuild")
def rebuild_view(
    name: Name,
    jobs: Annotated[
        int, typer.Option(min=1, max=64, help="Sessions that fill it, each a core of the database's while it lasts.")
    ] = DEFAULT_JOBS,
) -> None:
    """Build the view anew beside the live one and switch to it; nobody notices. Ctrl-C leaves things as they were."""
    _switched(name, "rebuild", partial(rebuild, jobs=jobs))


@app.command("rollback")
def rollback_view(name: Name) -> None:
    """Switch back to the version before the last rebuild, brought up to the present first."""
    _switched(name, "rollback", rollback)


def _switched(name: str, what: str, work: Any) -> None:
    projection, started = named(name), time.monotonic()
    try:
        with bar(f"{what} {name}") as (_, report):
            done: Rebuilt = now(work(get_settings().dsn("projector"), projection, report))
    except (Busy, Wrong, LookupError, TimeoutError) as error:
        raise CommandFailed(str(error)) from error
    seconds = time.monotonic() - started
    rows = f"{done.rows} rows, {done.rows / max(seconds, 0.001):,.0f} rows/s, " if done.rows else ""
    differed = done.differences.rows
    before = "another shape than before" if differed is None else f"{differed} rows differed from the version before"
    say(f"{name}: version {done.version} is live ({rows}{seconds:.1f} s; {before})")


@app.command("verify")
def verify_view(name: Name) -> None:
    """Hold every row against the store, and Redis against the view; exit status 1 when anything drifted."""
    projection = named(name)
    with bar(f"verify {name}") as (_, report):
        drift = now(_verified(projection, lambda done, total: report("verify", done, total)))
    for key in [*map(str, drift.view), *drift.redis][:SHOWN_KEYS]:
        say(f"{name}: drifted: {key}")
    say(
        f"{name}: {drift.rows} rows, {len(drift.view)} drifted, {len(drift.redis)} drifted in Redis,"
        f" {drift.dead_letters} dead letters"
    )
    if not drift.clean:
        raise typer.Exit(1)


async def _verified(projection: Projection, report: Any) -> Drift:
    settings = get_settings()
    async with await connected(f"verify {projection.name}") as connection:
        try:
            drift = await verify(connection, projection, report)
        except Behind as error:
            raise CommandFailed(str(error)) from error
        if projection.name == "catalog":
            drift.redis += await verify_navigation(connection)
        drift.redis += await verify_redis(connection, projection, settings.redis_dsn()) or []
        return drift


@app.command("repair")
def repair_view(name: Name) -> None:
    """Verify, and have what drifted computed again by the running projector."""
    projection = named(name)
    before, after = now(_repaired(projection))
    say(f"{name}: {len(before.view)} rows repaired, {len(before.redis)} in Redis; {len(after.view)} still differ")
    if not after.clean:
        raise typer.Exit(1)


async def _repaired(projection: Projection) -> tuple[Drift, Drift]:
    before = await _verified(projection, lambda _done, _total: None)
    async with await connected(f"repair {projection.name}") as connection:
        try:
            await repair(connection, projection, before.view)
        except Behind as error:
            raise CommandFailed(str(error)) from error
    if before.redis:
        await repair_redis(projection, get_settings().redis_dsn())
    return before, await _verified(projection, lambda _done, _total: None)


@app.command("prune")
def prune_outbox(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Make the outbox's next partitions, and drop those that are old and that every reader has passed."""
    settings = get_settings()
    with psycopg.connect(settings.dsn("owner"), autocommit=True) as connection:
        keep = settings.outbox_retention_days * SECONDS_PER_DAY
        done = prune(connection, dry_run=dry_run, keep_seconds=keep, rows=settings.outbox_partition_rows)
    would = "would be " if dry_run else ""
    say(f"outbox: {len(done.made)} partitions {would}made, {len(done.dropped)} {would}dropped")
    for name in [*done.made, *done.dropped]:
        say(f"  {name}")
    for name in done.postponed:
        say(f"  {name}: the writers left no moment for it; try again")
    for name in done.without_rollback:
        say(f"{name}: no rollback any more: its events {would}gone")


@app.command("reshard")
def reshard_view(
    name: Name, shards: Annotated[int, typer.Argument(min=1, max=64, help="How many shards share the work.")]
) -> None:
    """Share a projection's work over so many shards; each goes on where the slowest was."""
    projection = named(name)
    now(_resharded(projection, shards))
    say(f"{name}: {shards} shards; running projectors take them up within a second")


async def _resharded(projection: Projection, shards: int) -> None:
    async with await connected(f"reshard {projection.name}") as connection:
        await reshard(connection, projection, shards)
