"""Keeps the navigation documents up with the catalog view: one process does it, the others stand by."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import structlog

from projections.books import Connection, connect, fetch_one, live_version, pause, try_lead
from projections.catalog import CATALOG
from projections.navigation import NAVIGATION
from projections.navigation.documents import (
    REFRESH_POPULARITY,
    REFRESH_TOKEN_COUNTS,
    REFRESH_WORDS,
    compute,
    keep,
)

STANDBY_SECONDS = 0.5
POLL_SECONDS = 0.1
BACKOFF_SECONDS = 1.0
REST = 4  # a document takes at most a fifth of the time, however fast the catalog changes
REFRESH_SECONDS = (5.0, 30.0)  # of the words and tokens in use, of recent sales
SALES_AGE_SECONDS = 3600.0

log = structlog.get_logger(__name__)

_PROGRESS = """
SELECT CASE WHEN count(c.shard) = p.shards THEN COALESCE(min(c.position), 0) ELSE 0 END,
       COALESCE(sum(c.changes), 0)::bigint, max(p.live_version)
FROM read.projections p
LEFT JOIN read.projection_checkpoints c
    ON c.projection = p.name AND c.shard < p.shards AND c.generation = p.live_version
WHERE p.name = %s
GROUP BY p.name, p.shards
"""

Progress = tuple[int, int, int]


class NavigationFollower:
    """Follows the catalog's checkpoint; ``refresh_seconds`` are those of words and of sales."""

    def __init__(
        self,
        dsn: Callable[[], str],
        stop: asyncio.Event,
        refresh_seconds: tuple[float, float] = REFRESH_SECONDS,
    ) -> None:
        self.woken = asyncio.Event()
        self._dsn = dsn
        self._stop = stop
        self._words_seconds, self._sales_seconds = refresh_seconds
        self._seen: Progress = (-1, -1, -1)
        self._due_at: datetime | None = None
        self._words = (-1.0, -1)
        self._sales = (-1.0, -1)

    def wake(self) -> None:
        """The catalog view changed."""
        self.woken.set()

    async def run(self) -> None:
        """Until told to stop, through every loss of the database."""
        while not self._stop.is_set():
            try:
                async with await connect(self._dsn(), "kirana-projector navigation") as connection:
                    while not self._stop.is_set():
                        if await try_lead(connection, NAVIGATION):
                            await self._follow(connection)
                        else:
                            await pause(self._stop, STANDBY_SECONDS)
            except psycopg.Error as error:
                log.warning("navigation_waits", error=str(error))
                await pause(self._stop, BACKOFF_SECONDS)

    async def _follow(self, connection: Connection) -> None:
        self._seen, self._words, self._sales = (-1, -1, -1), (-1.0, -1), (-1.0, -1)
        clock = asyncio.get_running_loop().time
        while not self._stop.is_set():
            self.woken.clear()
            started = clock()
            worked = await self._step(connection)
            await self._refresh(connection, clock())
            rest = (clock() - started) * REST if worked else 0.0
            if not await pause(self._stop, rest):
                await pause(self.woken, POLL_SECONDS)

    async def _step(self, connection: Connection) -> bool:
        """Make the documents again if rows changed or a publication is due; else only move the position."""
        progress = await self._progress(connection, "catalog")
        position, changes, version = progress
        due = self._due_at is not None and self._due_at <= datetime.now(UTC)
        if progress == self._seen and not due:
            return False
        if (changes, version) == self._seen[1:] and not due:
            await connection.execute(
                "UPDATE read.navigation SET position = %s WHERE position < %s", (position, position)
            )
        else:
            documents = await compute(connection)
            await keep(connection, documents, position)
            self._due_at = documents.due_at
        self._seen = progress
        return True

    async def _refresh(self, connection: Connection, now: float) -> None:
        _, changes, version = self._seen
        done_at, done_for = self._words
        if done_for != changes + version and now - done_at >= self._words_seconds:
            await connection.execute(REFRESH_WORDS)
            if (await live_version(connection, CATALOG)).shape == CATALOG.shape:
                await connection.execute(REFRESH_TOKEN_COUNTS)
            self._words = (now, changes + version)
        _, sold, _ = await self._progress(connection, "orders")
        done_at, done_for = self._sales
        aged = now - done_at >= SALES_AGE_SECONDS
        if done_at < 0 or aged or (done_for != sold and now - done_at >= self._sales_seconds):
            await connection.execute(REFRESH_POPULARITY)
            self._sales = (now, sold)

    async def _progress(self, connection: Connection, projection: str) -> Progress:
        row = await fetch_one(connection, _PROGRESS, (projection,))
        return (0, 0, 0) if row is None else (row[0], row[1], row[2])
