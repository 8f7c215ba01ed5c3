"""``kirana relay``: carries events to Redis Streams; any number of them may run, one leads."""

import asyncio
import signal
from typing import Annotated

import psycopg
import typer
from rich.table import Table

from app.commands.console import CommandFailed, new_typer, out, say
from app.core.config import Settings, get_settings
from app.core.database import command_pool
from app.core.metrics import Metrics, exporting, use_metrics
from app.core.redis_clients import AWAY, new_client
from app.core.telemetry import configure_logging
from app.outbound.relay import LEAD, NAME, REDIS_TIMEOUT_SECONDS, Relay
from app.outbound.streams import Streams, stream_key
from command_api.services.procedures import call
from projections.books import connect, leader_of

app = new_typer("Carry events to Redis Streams: docs/operations/events.md.")


@app.command()
def run(
    from_start: Annotated[
        bool, typer.Option("--from-start", help="If no relay ever ran: begin with the oldest event, not with the next.")
    ] = False,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve /metrics on this port; else on KIRANA_METRICS_PORT, if that is set.")
    ] = None,
) -> None:
    """Carry events until Ctrl-C or SIGTERM. Run two: one leads, the other stands by."""
    settings = get_settings()
    configure_logging(settings)
    metrics = Metrics()
    use_metrics(metrics)
    with exporting(metrics.registry, settings.metrics_host, metrics_port or settings.metrics_port):
        asyncio.run(_until_signalled(settings, from_start=from_start))


async def _until_signalled(settings: Settings, *, from_start: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with command_pool(settings) as pool:
        await Relay(settings, pool, from_start).run(stop)


@app.command()
def status() -> None:
    """Show how far the relay and each stream are; exit status 1 where Redis does not answer."""
    asyncio.run(_status(get_settings()))


async def _status(settings: Settings) -> None:
    async with await connect(settings.dsn("command"), "kirana-relay status") as connection:
        cursor = await connection.execute(
            "SELECT r.position, r.updated_at, (SELECT COALESCE(max(o.position), 0) FROM store.outbox o)"
            " FROM store.event_relays r WHERE r.name = %s",
            (NAME,),
        )
        kept = await cursor.fetchone()
        leader = await leader_of(connection, LEAD)
    if kept is None:
        say("relay       has never run")
    else:
        say(f"relay       at {kept[0]:,}, {kept[2] - kept[0]:,} positions behind, as of {kept[1]:%Y-%m-%d %H:%M:%S %Z}")
    say(f"leader      {leader or 'nobody: run `kirana relay run`'}")
    table = Table("stream", "position", "entries")
    try:
        async with new_client(settings.redis_dsn(), REDIS_TIMEOUT_SECONDS) as client:
            streams = Streams(client, settings.relay_shards, settings.relay_maxlen)
            await streams.load()
            for name in streams.names:
                at = streams.at[name]
                table.add_row(
                    stream_key(*name), "–" if at is None else f"{at:,}", f"{await client.xlen(stream_key(*name)):,}"
                )
    except AWAY as error:
        raise CommandFailed(f"Redis does not answer: {error}") from error
    out.print(table)


@app.command()
def reset(
    position: Annotated[
        int | None, typer.Option("--from", min=0, help="Carry everything after this outbox position again.")
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="There is no relay any more: nothing waits for one.")
    ] = False,
) -> None:
    """Remove the streams, their consumer groups too, and begin again: after a restore, or another number of shards."""
    if (position is None) != forget:
        raise CommandFailed("say where to begin (--from POSITION), or --forget")
    asyncio.run(_reset(get_settings(), position))
    say("relay       forgotten" if position is None else f"relay       begins again after {position:,}")


async def _reset(settings: Settings, position: int | None) -> None:
    async with await connect(settings.dsn("command"), "kirana-relay reset") as connection:
        leader = await leader_of(connection, LEAD)
    if leader is not None:
        raise CommandFailed(f"a relay is running: {leader}; stop it first")
    try:
        async with new_client(settings.redis_dsn(), REDIS_TIMEOUT_SECONDS) as client, command_pool(settings) as pool:
            streams = Streams(client, settings.relay_shards, settings.relay_maxlen)
            await streams.forget()
            if position is not None:
                await streams.place(position)
            await call(pool, "keep_relay_position", p_name=NAME, p_position=position, p_reset=True)
    except AWAY as error:
        raise CommandFailed(f"Redis does not answer: {error}") from error
    except psycopg.Error as error:
        raise CommandFailed(f"PostgreSQL does not answer: {error}") from error
