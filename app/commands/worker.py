"""``kirana worker``: what has to happen without anybody asking. Any number of them may run at once."""

import asyncio
import signal
from dataclasses import replace
from typing import Annotated

import typer
from psycopg_pool import PoolTimeout

from app.commands.console import CommandFailed, err, say
from app.core.config import Settings, get_settings
from app.core.metrics import Metrics, exporting, use_metrics
from app.core.telemetry import configure_logging
from app.worker.metrics import WorkerMetrics
from app.worker.rounds import ROUNDS, Round
from app.worker.runner import run_once, run_until


def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end.")] = False,
    only: Annotated[str | None, typer.Option(help="Only these rounds, by name, joined by commas.")] = None,
    interval: Annotated[
        float | None, typer.Option(min=0.05, help="Seconds between two runs of each round, instead of its own.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve /metrics on this port; else on KIRANA_METRICS_PORT, if that is set.")
    ] = None,
) -> None:
    """Expire unpaid orders, apply due prices, send refunds, and whatever else nobody asks for. Ctrl-C ends it."""
    settings = get_settings()
    configure_logging(settings)
    rounds = chosen(settings, only, interval)
    if once:
        _once(settings, rounds)
        return
    metrics = Metrics()
    use_metrics(metrics)
    with exporting(metrics.registry, settings.metrics_host, metrics_port or settings.metrics_port):
        asyncio.run(_until_signalled(settings, rounds, WorkerMetrics(metrics.registry)))


def chosen(settings: Settings, only: str | None = None, interval: float | None = None) -> list[Round]:
    """The rounds to run, each with its pause: the option's, else the settings', else its own."""
    names = [one.name for one in ROUNDS]
    wanted = names if only is None else [name.strip() for name in only.split(",")]
    for name in [*wanted, *settings.worker_intervals]:
        if name not in names:
            raise CommandFailed(f"there is no round {name}: it is one of {', '.join(names)}")
    return [
        replace(one, seconds=interval or settings.worker_intervals.get(one.name, one.seconds))
        for one in ROUNDS
        if one.name in wanted
    ]


def _once(settings: Settings, rounds: list[Round]) -> None:
    failed = False
    for name, done in asyncio.run(run_once(settings, rounds)).items():
        if isinstance(done, PoolTimeout):
            raise CommandFailed("PostgreSQL does not answer: start it, or set KIRANA_DATABASE_URL")
        if isinstance(done, Exception):
            failed = True
            err.print(f"{name}: {type(done).__name__}: {done}", markup=False)
        else:
            say(f"{name:<24} {done}")
    if failed:
        raise typer.Exit(1)


async def _until_signalled(settings: Settings, rounds: list[Round], metrics: WorkerMetrics) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await run_until(stop, settings, rounds, metrics)
