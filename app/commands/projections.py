"""``kirana projections``: run the projector, and look after the views."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer
from prometheus_client import REGISTRY
from rich.table import Table

from app.commands.console import new_typer, out
from app.core.config import get_settings
from app.core.metrics import exporting
from app.core.telemetry import configure_logging
from projections.books import Connection, connect
from projections.registry import PROJECTIONS
from projections.runner import run_until_signalled
from projections.status import shard_states

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
    for shard in now(_states()):
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


async def _states() -> list[Any]:
    async with await connected("status") as connection:
        return list(await shard_states(connection))
