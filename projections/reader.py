"""Reading the outbox without losing a row and without turning an aggregate's events around.

Positions are handed out in order and committed out of order: a transaction that took position 7 may commit after the
one that took 8. So a row that is missing is either still to come or never will (its transaction rolled back), and
only the end of that transaction tells which.

The rule. The contiguous run after the cursor is taken at once. Where a position is missing, the largest position that
is visible becomes the *candidate*; then, in a later statement, the transactions that hold ``RowExclusiveLock`` on
the outbox are noted. An INSERT takes that lock before its position and keeps it until its transaction has ended, so
whoever took a position below the candidate is among them or has ended. When the last of them has ended, every
position up to the candidate is decided, and one more statement reads them all.

Writers pay nothing for it, and only a gap makes the reader wait, for no longer than the transactions that were open
when it was seen.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

PAGE_ROWS = 2000
DRAIN_POLL_SECONDS = 0.005

Connection = psycopg.AsyncConnection[Any]

_PAGE = """
SELECT position, topic, view_key, aggregate_type, aggregate_id, aggregate_version, created_at, traceparent
FROM store.outbox
WHERE position > %(after)s AND position <= %(until)s
ORDER BY position
LIMIT %(limit)s
"""
# The same page, of which only some topics are wanted: a row for all events of one aggregate (and one request), and one
# for all the others together, twice where a gap parts them. What follows ``after`` without a gap is numbered from it.
_FOLDED = """
SELECT contiguous, max(position), topic, view_key, aggregate_type, aggregate_id, max(aggregate_version),
       max(created_at), traceparent, count(*)
FROM (
    SELECT page.position, page.position - row_number() OVER (ORDER BY page.position) = %(after)s AS contiguous,
           wanted.topic, wanted.view_key, wanted.aggregate_type, wanted.aggregate_id, wanted.aggregate_version,
           wanted.created_at, wanted.traceparent
    FROM (
        SELECT * FROM store.outbox
        WHERE position > %(after)s AND position <= %(until)s
        ORDER BY position
        LIMIT %(limit)s
    ) AS page
    LEFT JOIN LATERAL (SELECT page.* WHERE page.topic = ANY(%(topics)s)) AS wanted ON true
) AS events
GROUP BY contiguous, topic, view_key, aggregate_type, aggregate_id, traceparent
"""
_LOCK_HOLDERS = """
SELECT DISTINCT l.virtualtransaction
FROM pg_catalog.pg_locks l
WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
  AND l.relation IN (
      SELECT 'store.outbox'::regclass::oid
      UNION ALL
      SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = 'store.outbox'::regclass
  )
"""
NO_END = 2**63 - 1


class Event(NamedTuple):
    """One row of the outbox; ``view_key`` is the view row it touches, ``aggregate_*`` what changed.

    Or, from a reader that folds, so many ``times`` alike, of which this is the last.
    """

    position: int
    topic: str
    view_key: UUID
    aggregate_type: str
    aggregate_id: UUID
    aggregate_version: int
    created_at: datetime
    traceparent: str | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order, the position that everything up to is decided, and whether an open transaction is waited for."""

    events: list[Event]
    position: int
    waiting: bool = False


@dataclass(slots=True)
class _Found:
    """What a statement saw after the cursor: the events before the first gap, and all; with the last position of each.

    A position is the cursor's where there is none.
    """

    run: list[Event]
    run_ends: int
    all: list[Event]
    ends: int


@dataclass(slots=True)
class _Gap:
    candidate: int
    holders: set[str] = field(default_factory=set)


class OutboxReader:
    """A cursor over the outbox. The connection is in autocommit: each statement has a snapshot of its own.

    While pages come back full, the next one is twice as large, up to ``most_rows``: a reader that folds events has the
    less to do for each of them, the further behind it is.

    With ``topics`` the events are those of these topics, and come folded, in no order: most of a backlog is never sent.
    """

    def __init__(
        self,
        connection: Connection,
        position: int,
        page_rows: int = PAGE_ROWS,
        most_rows: int = PAGE_ROWS,
        topics: Sequence[str] | None = None,
    ) -> None:
        self._connection = connection
        self._topics = None if topics is None else list(topics)
        self._page_rows = self._limit = page_rows
        self._most_rows = max(page_rows, most_rows)
        self._full = False
        self._gap: _Gap | None = None
        self.position = position

    async def read(self) -> Page:
        """What can be taken now. Does not move the cursor: ``advance`` does, once the page is applied."""
        found = await self._look(NO_END)
        if found.run_ends == found.ends:
            return Page(found.run, found.ends)
        if self._gap is None or self._gap.candidate <= found.run_ends:
            self._gap = _Gap(found.ends, await self.holders())
        if found.run_ends > self.position:
            return Page(found.run, found.run_ends)
        return await self._across(self._gap)

    async def decided(self, until: int) -> Page:
        """The next page up to ``until``, of which the caller knows that everything up to it is decided."""
        found = await self._look(until)
        return Page(found.all, found.ends if self._full else until)

    def advance(self, position: int) -> None:
        """Everything up to ``position`` is applied."""
        self.position = position
        self._limit = min(self._limit * 2, self._most_rows) if self._full else self._page_rows
        if self._gap is not None and self._gap.candidate <= position:
            self._gap = None

    async def holders(self) -> set[str]:
        """The transactions (virtual ids) that may have taken a position and have not ended."""
        return await lock_holders(self._connection)

    async def _across(self, gap: _Gap) -> Page:
        if gap.holders:
            gap.holders &= await self.holders()
        if gap.holders:
            return Page([], self.position, waiting=True)
        return await self.decided(gap.candidate)

    async def _look(self, until: int) -> _Found:
        values = {"after": self.position, "until": until, "limit": self._limit}
        found = _Found([], self.position, [], self.position)
        if self._topics is None:
            cursor = await self._connection.execute(_PAGE, values)
            found.all = [Event(*row) for row in await cursor.fetchall()]
            count = len(found.all)
            found.ends = found.all[-1].position if found.all else self.position
            found.run = self._contiguous(found.all)
            found.run_ends = found.run[-1].position if found.run else self.position
        else:
            cursor = await self._connection.execute(_FOLDED, values | {"topics": self._topics})
            count = 0
            for contiguous, *row in await cursor.fetchall():
                event = Event(*row)
                count += event.times
                found.ends = max(found.ends, event.position)
                if contiguous:
                    found.run_ends = max(found.run_ends, event.position)
                if row[1] is None:
                    continue  # all that is of other topics
                found.all.append(event)
                if contiguous:
                    found.run.append(event)
        self._full = count == self._limit
        return found

    def _contiguous(self, rows: list[Event]) -> list[Event]:
        for index, row in enumerate(rows):
            if row.position != self.position + 1 + index:
                return rows[:index]
        return rows


async def lock_holders(connection: Connection) -> set[str]:
    """The open transactions that write, or are about to write, to the outbox."""
    cursor = await connection.execute(_LOCK_HOLDERS)
    return {row[0] for row in await cursor.fetchall()}


async def safe_position(connection: Connection) -> int:
    """A position up to which everything is decided; waits for the writers of this moment, in autocommit.

    A snapshot taken after this call sees all that was committed up to that position.
    """
    cursor = await connection.execute("SELECT COALESCE(max(position), 0) FROM store.outbox")
    row = await cursor.fetchone()
    assert row is not None
    candidate: int = row[0]
    remaining = await lock_holders(connection)
    while remaining:
        await asyncio.sleep(DRAIN_POLL_SECONDS)
        remaining &= await lock_holders(connection)
    return candidate
