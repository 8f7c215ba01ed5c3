"""Keeps a view's copy in Redis up with the view: one process does it, the others stand by; Redis may come and go."""

import asyncio
from collections.abc import Callable

import psycopg
import redis.asyncio as redis
import structlog

from app.core.config import NotConfigured, Settings
from app.core.redis_clients import AWAY, new_client
from projections import metrics
from projections.books import Connection, Live, LostLead, connect, live_version, pause, try_lead
from projections.definition import Projection
from projections.sinks.mirrors import MIRRORS
from projections.sinks.redis import Progress, RedisSink

REDIS_TIMEOUT_SECONDS = 5.0
STANDBY_SECONDS = 0.5
POLL_SECONDS = 0.05
CHECK_SECONDS = 0.2
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 5.0
FORGET_AFTER_SECONDS = 5.0

log = structlog.get_logger(__name__)


class RedisFollower:
    """Follows one view."""

    def __init__(self, settings: Settings, dsn: Callable[[], str], projection: Projection, stop: asyncio.Event) -> None:
        self.woken = asyncio.Event()
        self._settings = settings
        self._dsn = dsn
        self._projection = projection
        self._stop = stop
        self._log = log.bind(view=projection.name)

    def wake(self) -> None:
        """The view changed."""
        self.woken.set()

    async def run(self) -> None:
        """Until told to stop, through every loss of the database or of Redis."""
        backoff = FIRST_BACKOFF_SECONDS
        while not self._stop.is_set():
            try:
                client = new_client(self._settings.redis_dsn(), REDIS_TIMEOUT_SECONDS)
                async with (
                    client,
                    await connect(self._dsn(), f"kirana-projector redis {self._projection.name}") as found,
                ):
                    await client.ping()
                    backoff = FIRST_BACKOFF_SECONDS
                    metrics.REDIS_UP.set(1)
                    await self._stand_by_or_follow(client, found)
            except (*AWAY, psycopg.Error, NotConfigured) as error:
                metrics.REDIS_UP.set(0)
                self._log.warning("redis_view_waits", error=str(error), retry_in=backoff)
                await pause(self._stop, backoff)
                backoff = min(backoff * 2, LAST_BACKOFF_SECONDS)

    async def _stand_by_or_follow(self, client: redis.Redis, connection: Connection) -> None:
        sink = RedisSink(client, self._projection, MIRRORS[self._projection.name])
        while not self._stop.is_set():
            if not await try_lead(connection, f"redis {self._projection.name}"):
                await pause(self._stop, STANDBY_SECONDS)
                continue
            while not self._stop.is_set():
                try:
                    await self._follow(sink, connection)
                except LostLead as error:
                    self._log.info("redis_generation_ends", reason=str(error))

    async def _follow(self, sink: RedisSink, connection: Connection) -> None:
        """Follow one generation until it is gone or another version of the view went live."""
        live = await live_version(connection, self._projection)
        generation, progress = await self._generation(sink, connection, live)
        clock = asyncio.get_running_loop().time
        next_check, forget_at = clock() + CHECK_SECONDS, clock() + FORGET_AFTER_SECONDS
        while not self._stop.is_set():
            self.woken.clear()
            await sink.catch_up(connection, live, generation, progress, telling=True)
            for shard, position in progress.positions.items():
                metrics.REDIS_POSITION.labels(self._projection.name, shard).set(position)
            if clock() >= next_check:
                next_check = clock() + CHECK_SECONDS
                await self._check(sink, connection, live, generation, progress)
            if clock() >= forget_at:
                forget_at = float("inf")
                await sink.forget_others(generation)
            await pause(self.woken, POLL_SECONDS)

    async def _generation(self, sink: RedisSink, connection: Connection, live: Live) -> tuple[str, Progress]:
        generation = await sink.live_generation()
        progress = None if generation is None else await sink.progress(generation)
        if generation is None or progress is None:
            reason = "no generation"
        elif not generation.startswith(f"{live.version}-"):
            reason = "another version is live"
        elif not generation.startswith(f"{live.version}-{await sink.history(connection)}-"):
            reason = "it is a copy of another history of the store: one was restored, or failed over"
        elif set(progress.revisions) != set(range(live.shards)):
            reason = "the work is shared otherwise"
        elif await sink.ahead(connection, progress):
            reason = "Redis is ahead of the view"
        else:
            return generation, progress
        self._log.info("redis_fill", reason=reason)
        generation = await sink.fill(connection, live)
        progress = await sink.progress(generation)
        self._log.info("redis_filled", generation=generation)
        if progress is None:
            raise LostLead("Redis was emptied meanwhile")
        return generation, progress

    async def _check(
        self, sink: RedisSink, connection: Connection, live: Live, generation: str, progress: Progress
    ) -> None:
        if await sink.live_generation() != generation:
            raise LostLead("the marker is gone")
        kept = await sink.progress(generation)
        if kept is None or kept.revisions != progress.revisions:
            raise LostLead("Redis is not where it was left")
        if await live_version(connection, self._projection) != live:
            raise LostLead("another version went live")
