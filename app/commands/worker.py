"""``kirana worker``: what has to happen without anybody asking. Any number of them may run at once."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Annotated

import psycopg
import structlog
import typer
from psycopg_pool import PoolTimeout

from app.commands.console import CommandFailed, say
from app.core.config import Settings, get_settings
from app.core.database import command_pool
from app.core.metrics import Metrics, exporting, use_metrics
from app.core.telemetry import configure_logging
from command_api.services.gateway import http_gateway, send_due_refunds
from command_api.services.sweeper import sweep

log = structlog.get_logger(__name__)


def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end.")] = False,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")] = 1.0,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve /metrics on this port; else on KIRANA_METRICS_PORT, if that is set.")
    ] = None,
) -> None:
    """Expire unpaid orders, apply due prices, send refunds. Ctrl-C or SIGTERM ends it between two batches."""
    settings = get_settings()
    configure_logging(settings)
    if once:
        totals = asyncio.run(_once(settings))
        for name, done in totals.items():
            say(f"{name:<18} {done}")
        return
    metrics = Metrics()
    use_metrics(metrics)
    with exporting(metrics.registry, settings.metrics_host, metrics_port or settings.metrics_port):
        asyncio.run(_until_signalled(settings, interval))


async def _once(settings: Settings) -> dict[str, int]:
    try:
        async with command_pool(settings) as pool, http_gateway(settings) as gateway:
            return await sweep(pool) | {"submit_refunds": await send_due_refunds(pool, gateway)}
    except PoolTimeout as error:
        raise CommandFailed("PostgreSQL does not answer: start it, or set KIRANA_DATABASE_URL") from error


async def _until_signalled(settings: Settings, interval: float) -> None:
    """Look, pause, and look again. Refunds have a round of their own: a slow gateway must not keep stock on hold."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with command_pool(settings) as pool, http_gateway(settings) as gateway:
        log.info("worker_started", interval=interval)
        await asyncio.gather(
            _again_and_again("sweep", lambda: sweep(pool, stop.is_set), stop, interval),
            _again_and_again("refunds", lambda: send_due_refunds(pool, gateway), stop, interval),
        )
    log.info("worker_stopped")


async def _again_and_again(
    name: str, look: Callable[[], Awaitable[object]], stop: asyncio.Event, interval: float
) -> None:
    """A database that is away is waited for, and told about in the log."""
    while not stop.is_set():
        try:
            await look()
        except* (psycopg.Error, PoolTimeout) as errors:
            log.warning("worker_round_failed", round=name, error=str(errors.exceptions[0]))
        try:
            await asyncio.wait_for(stop.wait(), interval)
        except TimeoutError:
            continue
