"""One shard of one projection: lead, read, apply, again; stand by while another process leads."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import psycopg
import structlog

from app.core.telemetry.tracing import Tracing
from projections import metrics
from projections.apply import Batch, Target, apply, fold, is_poison
from projections.books import (
    Connection,
    LostLead,
    checkpoint,
    connect,
    fetch_one,
    keep_plans,
    live_version,
    pause,
    plan_anew,
    stop_leading,
    try_lead,
)
from projections.definition import Projection
from projections.reader import OutboxReader

if TYPE_CHECKING:
    from opentelemetry.trace import Span

BUSY_SECONDS = 0.005
IDLE_SECONDS = 0.25
STANDBY_SECONDS = 0.5
LOOK_SECONDS = 0.25
PLANS_SECONDS = 1.0  # what a plan costs is then no part worth naming, and no import outgrows it by much
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 5.0
TRIES_BEFORE_PARKING = 3
PAGE_ROWS, MOST_PAGE_ROWS = 8_000, 32_000  # they come folded

log = structlog.get_logger(__name__)
_JITTER = random.SystemRandom()


class ShardWorker:
    """Applies the outbox to one shard until ``stop`` is set; ``applied`` is called after each batch."""

    def __init__(
        self,
        dsn: Callable[[], str],
        projection: Projection,
        shard: int,
        stop: asyncio.Event,
        applied: Callable[[], None] = lambda: None,
        tracing: Tracing | None = None,
    ) -> None:
        self.projection = projection
        self.shard = shard
        self.woken = asyncio.Event()
        self.leads = False
        self._dsn = dsn
        self._stop = stop
        self._applied = applied
        self._tracing = tracing
        self._log = log.bind(projection=projection.name, shard=shard)

    async def run(self) -> None:
        """Lead or stand by, through every loss of the database, until told to stop."""
        backoff = FIRST_BACKOFF_SECONDS
        while not self._stop.is_set():
            try:
                connection = await connect(self._dsn(), f"kirana-projector {self.projection.name}/{self.shard}")
            except psycopg.OperationalError as error:
                backoff = await self._back_off("database_away", error, backoff)
                continue
            try:
                backoff = FIRST_BACKOFF_SECONDS
                await keep_plans(connection)
                await self._stand_by_or_lead(connection)
            except psycopg.OperationalError as error:
                backoff = await self._back_off("database_lost", error, backoff)
            except (psycopg.Error, LookupError) as error:
                self._log.exception("worker_failed")
                backoff = await self._back_off("worker_failed", error, LAST_BACKOFF_SECONDS)
            finally:
                self._led(leads=False)
                await connection.close()

    def wake(self) -> None:
        """There may be something to read."""
        self.woken.set()

    async def _back_off(self, event: str, error: Exception, seconds: float) -> float:
        self._log.warning(event, error=str(error), retry_in=seconds)
        await pause(self._stop, seconds * (0.5 + _JITTER.random()))
        return min(seconds * 2, LAST_BACKOFF_SECONDS)

    def _led(self, *, leads: bool) -> None:
        self.leads = leads
        metrics.LEADS.labels(self.projection.name, self.shard).set(leads)

    async def _stand_by_or_lead(self, connection: Connection) -> None:
        while not self._stop.is_set():
            live = await live_version(connection, self.projection)
            if live.shape != self.projection.shape:
                # another release's tables: its projector keeps them until a rebuild makes ours
                self._log.warning("rebuild_needed", run=f"kirana projections rebuild {self.projection.name}")
            elif self.shard < live.shards and await try_lead(connection, self.projection.name, self.shard):
                self._led(leads=True)
                try:
                    await self._lead(connection, Target(self.projection, live, self.shard))
                except LostLead as error:
                    self._log.info("lost_lead", reason=str(error))
                finally:
                    self._led(leads=False)
                    if not connection.closed:
                        await stop_leading(connection, self.projection.name, self.shard)
                continue
            await pause(self._stop, STANDBY_SECONDS)

    async def _lead(self, connection: Connection, target: Target) -> None:
        position = await checkpoint(connection, self.projection, self.shard, target.live.version)
        reader = OutboxReader(connection, position, PAGE_ROWS, MOST_PAGE_ROWS, self.projection.topics)
        self._log.info("leading", position=position, version=target.live.version)
        idle, next_look, next_plans = BUSY_SECONDS, 0.0, 0.0
        pending = False
        clock = asyncio.get_running_loop().time
        while not self._stop.is_set():
            self.woken.clear()
            if clock() >= next_look:
                next_look = clock() + LOOK_SECONDS
                await self._check_version(connection, target)
                pending = pending or await self._has_pending(connection)
            page = await reader.read()
            if page.position > reader.position or pending:
                batch = fold(target, page.events, reader.position, page.position)
                batch.pending = pending
                if clock() >= next_plans:
                    next_plans = clock() + PLANS_SECONDS
                    await plan_anew(connection)
                await self._apply(connection, target, reader, batch)
                pending = batch.pending
                idle = BUSY_SECONDS
            elif page.waiting:
                await asyncio.sleep(BUSY_SECONDS)
            else:
                await pause(self.woken, idle)
                idle = min(idle * 2, IDLE_SECONDS)

    async def _apply(self, connection: Connection, target: Target, reader: OutboxReader, batch: Batch) -> None:
        with self._span(batch) as span:
            changes = await self._apply_batch(connection, target, batch)
            if span is not None:
                span.set_attributes({"kirana.events": batch.events, "kirana.rows": changes})
        reader.advance(batch.after)
        metrics.applied(self.projection.name, self.shard, batch.events, changes, batch.after)
        self._applied()

    def _span(self, batch: Batch) -> AbstractContextManager["Span | None"]:
        """The batch's span, linked to the requests that caused it; none where nothing is traced or nothing came in."""
        if self._tracing is None or not batch.events:
            return nullcontext()
        return self._tracing.batch_span(f"project {self.projection.name}", batch.traceparents)

    async def _apply_batch(self, connection: Connection, target: Target, batch: Batch) -> int:
        for attempt in range(1, TRIES_BEFORE_PARKING + 1):
            try:
                return await apply(connection, target, batch, careful=attempt == TRIES_BEFORE_PARKING)
            except psycopg.Error as error:
                if not is_poison(error) or attempt == TRIES_BEFORE_PARKING:
                    raise
                self._log.warning("batch_failed", attempt=attempt, error=str(error))
                await asyncio.sleep(BUSY_SECONDS * attempt)
        raise AssertionError("the last try returns or raises")

    async def _has_pending(self, connection: Connection) -> bool:
        row = await fetch_one(
            connection, "SELECT EXISTS (SELECT FROM read.pending_keys WHERE projection = %s)", (self.projection.name,)
        )
        return bool(row and row[0])

    async def _check_version(self, connection: Connection, target: Target) -> None:
        if await live_version(connection, self.projection) != target.live:
            raise LostLead("another version went live")
