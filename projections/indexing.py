"""Indexing what a rebuild has filled: several indexes of one table at a time, each by a session of its own."""

from collections import deque

from projections.books import Connection, connect
from projections.definition import Projection
from projections.filling import Report, together

MEMORY_MB = 256  # for all sessions together


async def index(
    connection: Connection, dsn: str, projection: Projection, version: int, jobs: int, report: Report
) -> None:
    """Make a filled version's indexes, in ``jobs`` sessions of which ``connection`` is one."""
    statements = sorted(projection.create_indexes(version), key=_longest_first)
    waiting, done = deque(statements), 0
    sessions = min(jobs, len(statements))

    async def work(session: Connection) -> None:
        nonlocal done
        await session.execute(
            f"SET maintenance_work_mem = '{MEMORY_MB // sessions}MB';"
            # each session is a core's work already, until there are more of them than long indexes
            f" SET max_parallel_maintenance_workers = {max(jobs // 2 - 1, 0)}"
        )
        while waiting:
            statement = waiting.popleft()
            report("index", done, len(statements))
            await session.execute(statement)
            done += 1

    async def helper() -> None:
        async with await connect(dsn, f"kirana projections index {projection.name}") as session:
            await work(session)

    await together(work(connection), *(helper() for _ in range(sessions - 1)))


async def analyze(dsn: str, projection: Projection, version: int) -> None:
    """ANALYZE an indexed version, in a session of its own: it can be written to and compared meanwhile.

    While an index is being made PostgreSQL lets nobody ANALYZE the table.
    """
    async with await connect(dsn, f"kirana projections analyze {projection.name}") as session:
        await session.execute(projection.analyze(version))


def _longest_first(statement: str) -> bool:
    return " USING gin " not in statement
