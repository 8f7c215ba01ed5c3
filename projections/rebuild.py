"""Building the next version of a view while the live one serves, and switching to it in one short transaction.

Note the safe position; open a snapshot; fill the next version's table; index it; tail the outbox up to the present and
compare with the live version, where they differ with the store, beside ANALYZE; then, with the projector paused for a
moment, apply all that can be seen, compare what changed since, and switch. The old version stays for `rollback`.
Whatever ends it, the live version was never touched; the next rebuild clears up first.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import structlog

from projections.apply import Target
from projections.books import Connection, Live, connect, fetch_one, leader_of, live_version, try_lead
from projections.definition import Projection
from projections.filling import Report, fill, together
from projections.indexing import analyze, index
from projections.reader import safe_position
from projections.switch import Differences, compare_ahead, switch_to, tail

DEFAULT_JOBS = 2

log = structlog.get_logger(__name__)


class Busy(RuntimeError):
    """Somebody else rebuilds this projection; the message says who."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The version that is live now, its rows, and where it differed from the version before."""

    version: int
    rows: int
    differences: Differences


def silent(_: str, __: int, ___: int) -> None:
    """A report nobody reads."""


@asynccontextmanager
async def rebuilding(dsn: str, projection: Projection, what: str) -> AsyncIterator[Connection]:
    """The connection of the one process that may rebuild or roll back this projection. Raises ``Busy``."""
    async with await connect(dsn, f"kirana projections {what} {projection.name}") as connection:
        if not await try_lead(connection, f"rebuild {projection.name}"):
            holder = await leader_of(connection, f"rebuild {projection.name}")
            raise Busy(f"{projection.name} is being rebuilt by {holder or 'a session that has just ended'}")
        yield connection


async def rebuild(dsn: str, projection: Projection, report: Report = silent, *, jobs: int = DEFAULT_JOBS) -> Rebuilt:
    """Make the next version of a projection live. ``report`` is told the phase, the rows done and the rows in all.

    ``jobs`` sessions fill and index it, each a core of the database's while that lasts.

    Raises ``Busy``, or ``Wrong`` when what was built is not what the store says.
    """
    async with rebuilding(dsn, projection, "rebuild") as connection:
        await clear_up(connection, projection)
        version = await _create(connection, projection)
        try:
            target = Target(projection, Live(version, None, 1, projection.shape), 0, next=True)
            position = await safe_position(connection)
            rows = await fill(connection, dsn, target, position, jobs, report)
            await index(connection, dsn, projection, version, jobs, report)
            position = await _come_near(connection, dsn, target, position, rows, report)
            report("switch", rows, rows)
            differences = await switch_to(connection, target, position)
        except BaseException:
            await _abandon(connection, projection)
            raise
        await clear_up(connection, projection)
        return Rebuilt(version, rows, differences)


async def clear_up(connection: Connection, projection: Projection) -> None:
    """Drop what interrupted rebuilds left, and versions older than the one kept for rollback."""
    current = await live_version(connection, projection)
    keep = [version for version in (current.version, current.previous) if version is not None]
    cursor = await connection.execute(
        "SELECT version FROM read.projection_versions WHERE projection = %s AND version <> ALL(%s)",
        (projection.name, keep),
    )
    for (version,) in await cursor.fetchall():
        async with connection.transaction():
            await connection.execute(f"DROP TABLE IF EXISTS {projection.table(version)}")
            await connection.execute(
                "DELETE FROM read.projection_versions WHERE projection = %s AND version = %s",
                (projection.name, version),
            )


async def _abandon(connection: Connection, projection: Projection) -> None:
    """Best effort: a rebuild that dies harder leaves this to the next one."""
    try:
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            await connection.rollback()
        await clear_up(connection, projection)
    except psycopg.Error as error:
        log.warning("left_behind", projection=projection.name, error=str(error))


async def _create(connection: Connection, projection: Projection) -> int:
    row = await fetch_one(
        connection,
        "SELECT max(version) + 1 FROM read.projection_versions WHERE projection = %s",
        (projection.name,),
    )
    assert row is not None
    version: int = row[0]
    async with connection.transaction():
        await connection.execute(projection.create_table(version))
        await connection.execute(
            "INSERT INTO read.projection_versions (projection, version, state, phase, shape)"
            " VALUES (%s, %s, 'building', 'fill', %s)",
            (projection.name, version, projection.shape),
        )
    return version


async def _come_near(connection: Connection, dsn: str, target: Target, position: int, rows: int, report: Report) -> int:
    """Tail to the present and compare what came of it, beside ANALYZE; the position that the next version is at."""

    async def tail_and_compare() -> None:
        nonlocal position
        report("tail", rows, rows)
        position = await tail(connection, target, position)
        report("compare", rows, rows)
        await compare_ahead(connection, target, position)

    await together(tail_and_compare(), analyze(dsn, target.projection, target.live.version))
    return position


async def rollback(dsn: str, projection: Projection, report: Report = silent) -> Rebuilt:
    """Bring the version kept from the last switch up to the present, and make it live again.

    Raises ``Busy``; ``LookupError`` when there is none, or it is another release's.
    """
    async with rebuilding(dsn, projection, "rollback") as connection:
        current = await live_version(connection, projection)
        if current.previous is None:
            raise LookupError(f"{projection.name} has no version to roll back to")
        row = await fetch_one(
            connection,
            "SELECT shape, position FROM read.projection_versions WHERE projection = %s AND version = %s",
            (projection.name, current.previous),
        )
        assert row is not None
        shape, position = row
        if shape != projection.shape:
            raise LookupError(f"version {current.previous} is another release's: roll back with that release")
        target = Target(projection, Live(current.previous, None, 1, shape), 0, next=True)
        report("tail", 0, 0)
        position = await tail(connection, target, position)
        report("compare", 0, 0)
        await compare_ahead(connection, target, position)
        report("switch", 0, 0)
        return Rebuilt(current.previous, 0, await switch_to(connection, target, position))
