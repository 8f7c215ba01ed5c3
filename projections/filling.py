"""Filling the next version of a view: ranges of keys, by several sessions that look at one snapshot."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from projections.apply import Target, is_poison, upsert_carefully
from projections.books import Connection, connect, fetch_one
from projections.definition import Projection

CHUNK_ROWS = 5000
FIRST_KEY = UUID(int=0)

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Range:
    """The keys above ``low`` up to ``high``, and how many they are."""

    low: UUID
    high: UUID
    rows: int


async def fill(connection: Connection, dsn: str, target: Target, position: int, jobs: int, report: Report) -> int:
    """Fill the empty version from one snapshot, a range of keys at a time, in ``jobs`` sessions; the number of keys.

    The first session is ``connection``, which exports its snapshot to the others; each keeps its rows when it is done.
    """
    projection = target.projection
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        ranges = await _ranges(connection, projection)
        total = sum(each.rows for each in ranges)
        waiting, done = deque(ranges), 0

        async def work(session: Connection) -> None:
            nonlocal done
            await session.execute("SET LOCAL work_mem = '64MB'")
            while waiting:
                each = waiting.popleft()
                await _fill_range(session, target, each, position)
                done += each.rows
                report("fill", done, total)

        async def helper(snapshot: str) -> None:
            async with _looking_at(dsn, projection, snapshot) as session:
                await work(session)

        row = await fetch_one(connection, "SELECT pg_export_snapshot()")
        assert row is not None
        await together(work(connection), *(helper(row[0]) for _ in range(min(jobs, len(ranges)) - 1)))
    return total


async def together(*sessions: Coroutine[Any, Any, None]) -> None:
    """Run them side by side. What one fails with ends the rebuild: the others stop before its table is dropped."""
    tasks = [asyncio.create_task(session) for session in sessions]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _looking_at(dsn: str, projection: Projection, snapshot: str) -> AsyncIterator[Connection]:
    """A session with that snapshot; its transaction is committed at the end."""
    async with await connect(dsn, f"kirana projections fill {projection.name}") as session, session.transaction():
        await session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await session.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        yield session


async def _fill_range(connection: Connection, target: Target, keys: Range, position: int) -> None:
    statement = target.projection.fill(target.live.version, target.projection.wanted_next())
    try:
        async with connection.transaction():
            values = {"low": keys.low, "rows": keys.rows, "position": position}
            await connection.execute(statement, values, prepare=False)
    except psycopg.Error as error:
        if not is_poison(error):
            raise
        await _fill_carefully(connection, target, keys, position)


async def _fill_carefully(connection: Connection, target: Target, keys: Range, position: int) -> None:
    cursor = await connection.execute(
        f"SELECT id FROM {target.projection.keys_table} WHERE id > %s AND id <= %s ORDER BY id", (keys.low, keys.high)
    )
    found = [key for (key,) in await cursor.fetchall()]
    await upsert_carefully(connection, target, found, position, len(found))


async def _ranges(connection: Connection, projection: Projection) -> list[Range]:
    """All keys, in ranges of ``CHUNK_ROWS``."""
    cursor = await connection.execute(
        "SELECT id, number FROM (SELECT id, row_number() OVER keys AS number, lead(id) OVER keys IS NULL AS last"
        f" FROM {projection.keys_table} WINDOW keys AS (ORDER BY id)) AS numbered"
        f" WHERE number % {CHUNK_ROWS} = 0 OR last ORDER BY number"
    )
    ranges, low, before = [], FIRST_KEY, 0
    for high, number in await cursor.fetchall():
        ranges.append(Range(low, high, number - before))
        low, before = high, number
    return ranges
