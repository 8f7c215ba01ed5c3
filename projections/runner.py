"""The projector process: a worker for every shard of every projection, woken by Redis, until a signal stops it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psycopg
import structlog

from app.core.config import NotConfigured, Settings
from app.core.telemetry.tracing import Tracing, tracing
from projections import metrics
from projections.books import connect, pause
from projections.navigation.follower import REFRESH_SECONDS, NavigationFollower
from projections.registry import PROJECTIONS
from projections.sinks.follower import RedisFollower
from projections.sinks.mirrors import MIRRORS
from projections.status import shards_of, watch_lag
from projections.wake import listen
from projections.worker import ShardWorker

OBSERVE_SECONDS = 1.0
STOP_SECONDS = 20.0

log = structlog.get_logger(__name__)


class Projector:
    """Runs the workers that its shards ask for; a second process stands by for each, or takes other shards."""

    def __init__(
        self,
        settings: Settings,
        only_shards: Sequence[int] | None = None,
        refresh: tuple[float, float] = REFRESH_SECONDS,
    ) -> None:
        self._settings = settings
        self._only = only_shards
        self._stop = asyncio.Event()
        self._tracing: Tracing | None = None
        self._workers: dict[tuple[str, int], ShardWorker] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._navigation = NavigationFollower(self.dsn, self._stop, refresh)
        self._mirrors = {name: RedisFollower(settings, self.dsn, PROJECTIONS[name], self._stop) for name in MIRRORS}

    def dsn(self) -> str:
        """The projector's DSN, asked for at each connect: the database may come later, or move."""
        try:
            return self._settings.dsn("projector")
        except NotConfigured as error:
            raise psycopg.OperationalError(str(error)) from error

    def stop(self) -> None:
        """Finish the batches under way, then end."""
        self._stop.set()
        self._wake_all()

    def wake(self) -> None:
        """Have every worker look at once. Those who follow the views look when a batch is applied."""
        for worker in self._workers.values():
            worker.wake()

    def _wake_all(self) -> None:
        self.wake()
        for name in PROJECTIONS:
            self._applied(name)

    @property
    def leads(self) -> bool:
        """Whether this process applies every shard it runs."""
        return bool(self._workers) and all(worker.leads for worker in self._workers.values())

    async def run(self) -> None:
        """Until ``stop``."""
        async with tracing(self._settings, "kirana-projector") as self._tracing:
            await self._run()

    async def _run(self) -> None:
        bell = asyncio.create_task(listen(self._settings, self.wake, self._stop))
        self._start(self._observe(), "observer")
        self._start(self._navigation.run(), "navigation")
        for mirror in self._mirrors.values():
            self._start(mirror.run(), "redis")
        await self._stop.wait()
        bell.cancel()
        await asyncio.gather(bell, return_exceptions=True)
        self._wake_all()
        done, pending = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in pending:
            log.warning("stopped_late", task=task.get_name())
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    def _start(self, work: Coroutine[Any, Any, None], name: str | None = None) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    def _follow_shards(self, shards: dict[str, int]) -> None:
        if self._stop.is_set():
            return  # nobody would wait for them any more
        for name, count in shards.items():
            for shard in range(count):
                wanted = self._only is None or shard in self._only
                if wanted and (name, shard) not in self._workers:
                    applied = partial(self._applied, name)
                    worker = ShardWorker(self.dsn, PROJECTIONS[name], shard, self._stop, applied, self._tracing)
                    self._workers[(name, shard)] = worker
                    self._start(worker.run(), f"{name}/{shard}")

    def _applied(self, name: str) -> None:
        """A worker committed a batch: those who follow its view look at once."""
        if name == "catalog":
            self._navigation.wake()
        if name in self._mirrors:
            self._mirrors[name].wake()

    async def _observe(self) -> None:
        """Start the workers that the registry asks for, and measure the lag, every second."""
        while not self._stop.is_set():
            try:
                connection = await connect(self.dsn(), "kirana-projector observer")
            except psycopg.OperationalError as error:
                log.warning("database_away", error=str(error))
                await pause(self._stop, OBSERVE_SECONDS)
                continue
            async with connection:
                try:
                    while not self._stop.is_set():
                        self._follow_shards(await shards_of(connection))
                        await watch_lag(connection, metrics)
                        await pause(self._stop, OBSERVE_SECONDS)
                except psycopg.Error as error:
                    log.warning("database_lost", error=str(error))
                    await pause(self._stop, OBSERVE_SECONDS)


@asynccontextmanager
async def running(
    settings: Settings, only_shards: Sequence[int] | None = None, refresh: tuple[float, float] = REFRESH_SECONDS
) -> AsyncIterator[Projector]:
    """A projector beside the caller, stopped at the end: for tests and for one-process set-ups."""
    projector = Projector(settings, only_shards, refresh)
    task = asyncio.create_task(projector.run())
    try:
        yield projector
    finally:
        projector.stop()
        await task


async def run_until_signalled(settings: Settings, only_shards: Sequence[int] | None = None) -> None:
    """The process's main: SIGINT and SIGTERM end it after the batch under way."""
    projector = Projector(settings, only_shards)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, projector.stop)
    await projector.run()
