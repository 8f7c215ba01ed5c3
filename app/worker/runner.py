"""Running rounds: each in a task of its own, so that a slow gateway keeps no stock on hold, and failures stay alone."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
import psycopg
import structlog
from psycopg_pool import PoolTimeout

from app.core.config import Settings
from app.core.database import command_pool
from app.outbound.deliveries import deliveries
from app.worker.metrics import WorkerMetrics
from app.worker.rounds import Kit, Round
from command_api.services.gateway import http_gateway

# Several workers must not look in step, and a database that comes back is not met by all rounds at once.
JITTER = 0.2
LONGEST_PAUSE_SECONDS = 60.0
STOP_SECONDS = 8.0

log = structlog.get_logger(__name__)
_JITTER = random.SystemRandom()


@asynccontextmanager
async def kit(settings: Settings, stopping: Callable[[], bool] = lambda: False) -> AsyncIterator[Kit]:
    """The worker's pool, gateway and sender of events, open while the block runs."""
    async with (
        command_pool(settings) as pool,
        http_gateway(settings) as gateway,
        deliveries(settings, pool) as told,
    ):
        yield Kit(settings, pool, gateway, told, stopping)


async def run_once(settings: Settings, rounds: Sequence[Round]) -> dict[str, int | Exception]:
    """Do what is due now, one round after the other; how much each did, or what it failed with.

    A database that does not answer ends it.
    """
    done: dict[str, int | Exception] = {}
    async with kit(settings) as equipment:
        for one in rounds:
            try:
                done[one.name] = await one.work(equipment)
            except PoolTimeout as error:  # nor would it answer the other rounds
                return done | {one.name: error}
            except Exception as error:  # noqa: BLE001 - whatever it is, the other rounds have their turn
                done[one.name] = error
    return done


async def run_until(stop: asyncio.Event, settings: Settings, rounds: Sequence[Round], metrics: WorkerMetrics) -> None:
    """Run every round again and again until ``stop``; then finish what is under way, but not for ever."""
    async with kit(settings, stop.is_set) as equipment:
        log.info("worker_started", rounds=[one.name for one in rounds])
        tasks = [asyncio.create_task(_again(one, equipment, stop, metrics), name=one.name) for one in rounds]
        await stop.wait()
        late: set[asyncio.Task[None]] = set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in late:
            log.warning("round_cut_off", round=task.get_name())
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    log.info("worker_stopped")


async def _again(one: Round, equipment: Kit, stop: asyncio.Event, metrics: WorkerMetrics) -> None:
    failures = 0
    while not stop.is_set():
        failures = 0 if await _run(one, equipment, metrics) else failures + 1
        try:
            await asyncio.wait_for(stop.wait(), pause_after(one.seconds, failures))
        except TimeoutError:
            continue


async def _run(one: Round, equipment: Kit, metrics: WorkerMetrics) -> bool:
    """One run, told in metrics and log; whether it went well. No failure ends the worker: a later run may do better."""
    started = time.perf_counter()
    try:
        done = await one.work(equipment)
    except Exception as error:
        metrics.runs.labels(one.name, "failed").inc()
        # a database or a gateway that is away explains itself; anything else is a fault of ours
        ours = not isinstance(error, psycopg.Error | PoolTimeout | httpx.HTTPError)
        log.warning("worker_round_failed", round=one.name, error=f"{type(error).__name__}: {error}", exc_info=ours)
        return False
    finally:
        metrics.seconds.labels(one.name).observe(time.perf_counter() - started)
    metrics.runs.labels(one.name, "ok").inc()
    metrics.done.labels(one.name).inc(done)
    metrics.last_success.labels(one.name).set_to_current_time()
    return True


def pause_after(seconds: float, failures: int) -> float:
    """The pause to the next run: the round's own, doubled with each failure in a row up to a minute, and jittered."""
    longest = max(seconds, LONGEST_PAUSE_SECONDS)
    pause: float = min(seconds * 2 ** min(failures, 16), longest)
    return pause * (1 + JITTER * (_JITTER.random() * 2 - 1))
