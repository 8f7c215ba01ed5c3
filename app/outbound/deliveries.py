"""Telling subscribers: lay out what each is to be told, claim what is due, send it, note what came of it.

Any number of these may run. Laying out moves a subscriber's position together with the rows it makes, in one
transaction; a claim is a lease on the oldest pending event of an aggregate, so that nobody overtakes; whoever dies
leaves its claims to the others when the leases end. Every event is told at least once, under one id.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from app.core.config import Settings
from app.core.database import CommandPool
from app.core.errors import Refused
from app.core.metrics import current_metrics
from app.events.envelope import envelope, event_id
from app.events.sender import GONE, Attempt, Sender, sender
from app.events.signing import Keyring
from command_api.services.procedures import call
from projections.books import pause
from projections.reader import OutboxReader, safe_position

LEASE_SECONDS = 60
AT_ONCE = 64
PER_SUBSCRIBER = 16
BUSY_SECONDS = 0.02
# attempts that end together are noted together
GATHER_SECONDS = 0.025
IDLE_SECONDS = 0.25
LOOK_SECONDS = 1.0
FINISH_AT_MOST = 100
WORK_SECONDS = 30.0
STOP_SECONDS = 5.0
DAY_SECONDS = 86_400
_ANYBODY = "SELECT EXISTS (SELECT FROM store.webhook_subscribers WHERE status = 'active')"

Claimed = dict[str, Any]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard to work: leases must outlast an attempt; the limits are those of one process and of one receiver."""

    lease_seconds: int = LEASE_SECONDS
    at_once: int = AT_ONCE
    per_subscriber: int = PER_SUBSCRIBER
    disable_after_seconds: int = 5 * DAY_SECONDS


@dataclass
class Deliveries:
    """What one process does of it; attempts that are under way live on between two calls of ``work``."""

    pool: CommandPool
    sender: Sender
    keyring: Keyring
    pace: Pace = field(default_factory=Pace)
    _decided: int | None = None
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _noting: asyncio.Task[None] | None = None
    _ended: list[dict[str, Any]] = field(default_factory=list)

    async def work(self, stopping: Callable[[], bool] = lambda: False, seconds: float = WORK_SECONDS) -> int:
        """Lay out and tell until nothing is due or under way, for so many seconds at most; attempts that began.

        Raises psycopg.Error or PoolTimeout; what was under way goes on, and the next call carries on.
        """
        await self._noted()
        async with self.pool.connection() as connection:
            if not await _anybody(connection):
                self._decided = None
                return 0
            # all that is committed up to here is visible: whoever is behind may have everything up to it
            position = await safe_position(connection) if self._decided is None else self._decided
            return await self._work(OutboxReader(connection, position), stopping, seconds)

    async def finish(self, seconds: float) -> None:
        """Wait for the attempts under way; those that take longer are left to their leases."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._noted()

    async def _work(self, reader: OutboxReader, stopping: Callable[[], bool], seconds: float) -> int:
        clock = asyncio.get_running_loop().time
        end, look_at, begun, idle = clock() + seconds, 0.0, 0, BUSY_SECONDS
        while not stopping() and clock() < end:
            self._woken.clear()
            page = await reader.read()
            moved = page.position > reader.position
            reader.advance(page.position)
            self._decided = reader.position
            if moved or clock() >= look_at:
                look_at = clock() + LOOK_SECONDS
                await self._lay_out(reader.position)
            quiet = not (self._under_way or self._unnoted)  # else a claim may find its subscriber locked by ourselves
            claimed = await self._claim(self.pace.at_once - len(self._under_way))
            begun += len(claimed)
            for one in claimed:
                task = asyncio.create_task(self._attempt(one))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            if quiet and not (moved or claimed or page.waiting):
                break
            idle = BUSY_SECONDS if moved or claimed or page.waiting else min(idle * 2, IDLE_SECONDS)
            await pause(self._woken, idle)
        return begun

    async def _lay_out(self, until: int) -> None:
        while (await call(self.pool, "enqueue_deliveries", p_until=until)).result["enqueued"]:
            pass

    async def _claim(self, room: int) -> list[Claimed]:
        if room <= 0:
            return []
        outcome = await call(
            self.pool,
            "claim_deliveries",
            p_limit=room,
            p_per_subscriber=self.pace.per_subscriber,
            p_lease_seconds=self.pace.lease_seconds,
        )
        found: list[Claimed] = outcome.result["deliveries"]
        return found

    async def _attempt(self, claimed: Claimed) -> None:
        attempt = await self._send(claimed)
        final = claimed["event"] is None or attempt.status_code == GONE
        outcome = "delivered" if attempt.delivered else "failed"
        current_metrics().webhook_attempts.labels(outcome).inc()
        current_metrics().webhook_seconds.observe(attempt.duration_ms / 1000)
        if not attempt.delivered:
            log.info(
                "webhook_not_delivered",
                webhook_id=claimed["subscriber_id"],
                position=claimed["position"],
                attempt=claimed["attempts"],
                error=attempt.error,
            )
        self._ended.append(
            {name: claimed[name] for name in ("subscriber_id", "run", "position", "claim")}
            | {
                "delivered": attempt.delivered,
                "final": final and not attempt.delivered,
                "status_code": attempt.status_code,
                "error": attempt.error,
                "body": attempt.body,
                "duration_ms": attempt.duration_ms,
                "retry_after": attempt.retry_after,
            }
        )
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._note())

    async def _send(self, claimed: Claimed) -> Attempt:
        event = claimed["event"]
        if event is None:
            return Attempt(None, "the outbox does not keep this event any more", None, 0)
        try:
            secrets = [
                self.keyring.decrypt(kept)
                for kept in (claimed["secret"], claimed["previous_secret"])
                if kept is not None
            ]
        except Refused as refused:
            return Attempt(None, str(refused), None, 0)
        return await self.sender.send(claimed["url"], secrets, event_id(event), envelope(event))

    @property
    def _unnoted(self) -> bool:
        return bool(self._ended) or (self._noting is not None and not self._noting.done())

    async def _noted(self) -> None:
        """Wait until what ended is noted."""
        while self._unnoted:
            if self._noting is None or self._noting.done():
                self._noting = asyncio.create_task(self._note())
            await self._noting

    async def _note(self) -> None:
        """Note what ended. What can't be noted is told again when its lease ends."""
        await asyncio.sleep(GATHER_SECONDS)
        while self._ended:
            results, self._ended = self._ended[:FINISH_AT_MOST], self._ended[FINISH_AT_MOST:]
            try:
                outcome = await call(
                    self.pool,
                    "finish_deliveries",
                    p_results=results,
                    p_disable_after_seconds=self.pace.disable_after_seconds,
                )
            except (psycopg.Error, PoolTimeout) as error:
                log.warning("deliveries_not_noted", attempts=len(results), error=str(error))
                continue
            if given_up := outcome.result["given_up"]:
                current_metrics().webhook_attempts.labels("given_up").inc(given_up)
            self._woken.set()


@asynccontextmanager
async def deliveries(settings: Settings, pool: CommandPool) -> AsyncIterator[Deliveries]:
    """Deliveries by the settings; at the end what is under way may finish, but not for long."""
    pace = Pace(disable_after_seconds=settings.webhook_disable_days * DAY_SECONDS)
    async with sender(settings) as sending:
        made = Deliveries(pool, sending, Keyring(settings), pace)
        try:
            yield made
        finally:
            await made.finish(STOP_SECONDS)


async def _anybody(connection: psycopg.AsyncConnection[Any]) -> bool:
    cursor = await connection.execute(_ANYBODY)
    row = await cursor.fetchone()
    return bool(row and row[0])
