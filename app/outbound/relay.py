"""The relay: carries the outbox to Redis Streams, in order, at least once. One leads, the others stand by.

How far it is stands in Redis beside the entries, and, a little behind, in ``store.event_relays``. When Redis was
emptied, it goes on from there, so many positions back as a stream keeps entries: what consumers had not read is there
again, under the same entry ids.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis.asyncio as redis
import structlog
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from app.core.config import NotConfigured, Settings
from app.core.database import CommandPool
from app.core.metrics import current_metrics
from app.core.redis_clients import AWAY, new_client
from app.events.envelope import COLUMNS
from app.outbound.streams import Streams, StreamsAhead, StreamsLost
from command_api.services.procedures import call
from projections.books import connect, fetch_one, pause, stop_leading, try_lead
from projections.reader import OutboxReader, safe_position

NAME = "redis"
LEAD = "relay redis"
PAGE_ROWS = 500
REDIS_TIMEOUT_SECONDS = 5.0
KEEP_SECONDS = 1.0
BUSY_SECONDS = 0.005
IDLE_SECONDS = 0.25
STANDBY_SECONDS = 0.5
BACKOFF_SECONDS = 2.0
_ROWS = f"SELECT {COLUMNS} FROM store.outbox WHERE position > %s AND position <= %s ORDER BY position"  # noqa: S608

Connection = psycopg.AsyncConnection[Any]
log = structlog.get_logger(__name__)


@dataclass
class Relay:
    """One relay. It leads by an advisory lock of a session of its own, as the command role."""

    settings: Settings
    pool: CommandPool
    from_start: bool = False
    leads: bool = field(default=False, init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop, through every loss of PostgreSQL or Redis."""
        while not stop.is_set():
            try:
                await self._stand_by_or_carry(stop)
            except StreamsLost as error:
                log.warning("relay_goes_back", reason=str(error))
            except StreamsAhead as error:
                log.error("relay_refuses", reason=str(error), run="kirana relay reset")  # noqa: TRY400
                await pause(stop, 10 * BACKOFF_SECONDS)
            except (*AWAY, psycopg.Error, PoolTimeout, NotConfigured) as error:
                log.warning("relay_waits", error=str(error), retry_in=BACKOFF_SECONDS)
                await pause(stop, BACKOFF_SECONDS)
            finally:
                self.leads = False

    async def _stand_by_or_carry(self, stop: asyncio.Event) -> None:
        client = new_client(self.settings.redis_dsn(), REDIS_TIMEOUT_SECONDS)
        async with client, await connect(self.settings.dsn("command"), "kirana-relay") as connection:
            while not stop.is_set():
                if not await try_lead(connection, LEAD):
                    await pause(stop, STANDBY_SECONDS)
                    continue
                self.leads = True
                try:
                    await self._carry(connection, client, stop)
                finally:
                    self.leads = False
                    if not connection.closed:
                        await stop_leading(connection, LEAD)

    async def _carry(self, connection: Connection, client: redis.Redis, stop: asyncio.Event) -> None:
        streams = Streams(client, self.settings.relay_shards, self.settings.relay_maxlen)
        position = await self.begin(connection, streams)
        log.info("relay_leads", position=position)
        # whatever is below a position that was kept or relayed is decided; a cursor does the rest
        reader = OutboxReader(connection, position, PAGE_ROWS)
        idle, keep_at = BUSY_SECONDS, 0.0
        while not stop.is_set():
            page = await reader.read()
            if page.position > reader.position:
                rows = await _rows(connection, reader.position, page.position)
                current_metrics().relayed.inc(await streams.append(rows, page.position))
                reader.advance(page.position)
                idle = BUSY_SECONDS
            elif not page.waiting:
                await pause(stop, idle)
                idle = min(idle * 2, IDLE_SECONDS)
            else:
                await asyncio.sleep(BUSY_SECONDS)
            if time.monotonic() >= keep_at:
                keep_at = time.monotonic() + KEEP_SECONDS
                await streams.append((), reader.position, everywhere=True)
                await call(self.pool, "keep_relay_position", p_name=NAME, p_position=reader.position)

    async def begin(self, connection: Connection, streams: Streams) -> int:
        """Where to go on: at the slowest stream; for one that is gone, as far back as it would keep entries."""
        await streams.load()
        row = await fetch_one(connection, "SELECT position FROM store.event_relays WHERE name = %s", (NAME,))
        head = await fetch_one(connection, "SELECT COALESCE(max(position), 0) FROM store.outbox")
        last = head[0] if head else 0
        ahead = max((at for at in streams.at.values() if at is not None), default=0)
        if ahead > max(last, row[0] if row else 0):
            raise StreamsAhead(f"Redis has events up to {ahead}, and the outbox ends at {last}")
        if row is not None:
            again = max(0, row[0] - self.settings.relay_maxlen)
        else:
            again = 0 if self.from_start else await safe_position(connection)
        return min(again if at is None else at for at in streams.at.values())


async def _rows(connection: Connection, after: int, until: int) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_ROWS, (after, until))
        return await cursor.fetchall()
