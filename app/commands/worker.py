"""``kirana worker``: what has to happen without anybody asking. Any number of them may run at once."""

import asyncio
import signal
from typing import Annotated

import psycopg
import structlog
import typer
from psycopg_pool import PoolTimeout

from app.commands.console import CommandFailed, say
from app.core.config import Settings, get_settings
from app.core.database import command_pool
from app.core.telemetry import configure_logging
from command_api.services.sweeper import sweep

log = structlog.get_logger(__name__)


def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end.")] = False,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")] = 1.0,
) -> None:
    """Expire unpaid orders, apply due prices, send refunds. Ctrl-C or SIGTERM ends it between two batches."""
    settings = get_settings()
    configure_logging(settings)
    if once:
        totals = asyncio.run(_once(settings))
        for name, done in totals.items():
            say(f"{name:<18} {done}")
    else:
        asyncio.run(_until_signalled(settings, interval))


async def _once(settings: Settings) -> dict[str, int]:
    try:
        async with command_pool(settings) as pool:
            return await sweep(pool)
    except PoolTimeout as error:
        raise CommandFailed("PostgreSQL does not answer: start it, or set KIRANA_DATABASE_URL") from error


async def _until_signalled(settings: Settings, interval: float) -> None:
    """Look, pause, and look again. A database that is away is waited for, and told about in the log."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with command_pool(settings) as pool:
        log.info("worker_started", interval=interval)
        while not stop.is_set():
            try:
                await sweep(pool, stop.is_set)
            except (psycopg.Error, PoolTimeout) as error:
                log.warning("sweep_failed", error=str(error))
            try:
                await asyncio.wait_for(stop.wait(), interval)
            except TimeoutError:
                continue
    log.info("worker_stopped")
