"""The last steps of a rebuild or a rollback: tail to the present, compare at one position, switch."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import psycopg
import structlog

from projections.apply import Batch, Target, fold, write_rows
from projections.books import Connection, fetch_one, live_version
from projections.definition import Projection
from projections.reader import NO_END, OutboxReader, Page

NEAR_ENOUGH = 500  # events; fewer than that are tailed while the projector is paused
LONGEST_PAUSE_SECONDS = 0.3  # for a lock, and for the transactions that may still add events
ATTEMPTS = 200
PAUSE_SECONDS = 0.05
CHECKED_KEYS = 2000
EVER = -1

log = structlog.get_logger(__name__)


class _Undecided(Exception):
    """A transaction that may still add an event below the last one did not end in time."""


class Wrong(RuntimeError):
    """What was built is not what the store says; nothing was switched."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Rows that the version before had otherwise, or lacked, whatever is still to be applied to it left out.

    None when its shape was another and nothing compares.
    """

    rows: int | None


async def tail(connection: Connection, target: Target, position: int) -> int:
    """Apply the outbox to a version that is not live, until it is nearly at the present; the position it is at."""
    reader = OutboxReader(connection, position)
    while True:
        page = await reader.read()
        if page.waiting:
            await asyncio.sleep(PAUSE_SECONDS / 10)
            continue
        if page.position > reader.position:
            await _apply(connection, target, reader, page.position)
        if len(page.events) < NEAR_ENOUGH:
            return reader.position


async def _apply(connection: Connection, target: Target, reader: OutboxReader, until: int) -> None:
    async with connection.transaction():
        await _catch_up(connection, target, reader, until)
        await connection.execute(
            "UPDATE read.projection_versions SET position = %s, phase = 'tail' WHERE projection = %s AND version = %s",
            (reader.position, target.projection.name, target.live.version),
        )


async def _catch_up(connection: Connection, target: Target, reader: OutboxReader, until: int) -> None:
    """Apply everything up to a decided position, in the caller's transaction."""
    while reader.position < until:
        await _write(connection, target, reader, await reader.decided(until))


async def _catch_up_with_all(connection: Connection, target: Target, reader: OutboxReader) -> None:
    """Apply every event that anybody can see by now, in the caller's transaction. Raises ``_Undecided``.

    The live version's rows say what the store said when they were computed, which may be more than the events that
    were applied to it: the next version must know all of it, or somebody would be shown an older page.
    """
    cursor = await connection.execute("SELECT COALESCE(max(position), 0) FROM store.outbox")
    row = await cursor.fetchone()
    assert row is not None
    clock = asyncio.get_running_loop().time
    end = clock() + LONGEST_PAUSE_SECONDS
    while reader.position < row[0]:
        page = await reader.read()
        if not page.waiting:
            await _write(connection, target, reader, page)
        elif clock() > end:
            raise _Undecided
        else:
            await asyncio.sleep(PAUSE_SECONDS / 10)


async def _write(connection: Connection, target: Target, reader: OutboxReader, page: Page) -> None:
    batch: Batch = fold(target, page.events, reader.position, page.position)
    await write_rows(connection, target, batch)
    reader.advance(page.position)


async def switch_to(connection: Connection, target: Target, position: int) -> Differences:
    """Pause the projector at one position, bring ``target`` to it, compare, and make it live; in one transaction.

    Readers are not paused: they see the one version or the other. Raises ``Wrong``.
    """
    for _ in range(ATTEMPTS):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LONGEST_PAUSE_SECONDS}s'")
                return await _switch(connection, target, position)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, _Undecided):
            await asyncio.sleep(PAUSE_SECONDS)
            position = await tail(connection, target, position)
    raise TimeoutError(
        f"{target.projection.view} is locked by somebody, or a transaction that writes to the store does not end:"
        " nothing was switched; run it again"
    )


async def _switch(connection: Connection, target: Target, position: int) -> Differences:
    projection, version = target.projection, target.live.version
    cursor = await connection.execute(
        "SELECT live_version FROM read.projections WHERE name = %s FOR UPDATE", (projection.name,)
    )
    before = await cursor.fetchone()
    assert before is not None
    cursor = await connection.execute(
        "SELECT position FROM read.projection_checkpoints WHERE projection = %s ORDER BY shard FOR UPDATE",
        (projection.name,),
    )
    applied = [found for (found,) in await cursor.fetchall()] or [position]
    reader = OutboxReader(connection, position)
    await _catch_up(connection, target, reader, max(applied))
    await _catch_up_with_all(connection, target, reader)
    at = reader.position
    differences = await _compare(connection, target, before[0], position, min(applied), at)
    await connection.execute(
        "UPDATE read.projections SET live_version = %s, previous_version = %s, switched_at = now() WHERE name = %s",
        (version, before[0], projection.name),
    )
    await connection.execute(
        "UPDATE read.projection_versions SET state = CASE version WHEN %(new)s THEN 'live' ELSE 'kept' END,"
        " phase = CASE version WHEN %(new)s THEN 'live' ELSE 'kept' END,"
        " position = CASE version WHEN %(new)s THEN %(at)s ELSE %(applied)s END, finished_at = now()"
        " WHERE projection = %(name)s AND version IN (%(new)s, %(old)s)",
        {"new": version, "old": before[0], "at": at, "applied": min(applied), "name": projection.name},
    )
    await connection.execute(
        "UPDATE read.projection_checkpoints SET position = %s, generation = %s, changes = changes + 1,"
        " updated_at = now() WHERE projection = %s",
        (at, version, projection.name),
    )
    for statement in projection.create_view(version, other_columns=differences.rows is None):
        await connection.execute(statement)
    return differences


async def compare_ahead(connection: Connection, target: Target, position: int) -> None:
    """Hold every row that the live version has otherwise against the store, before anybody is paused for it.

    Raises ``Wrong``. Rows that change after ``position`` are held against it again in ``switch_to``. A live version
    without rows, as before a store's first build, says nothing that could be compared.
    """
    projection, version = target.projection, target.live.version
    live = await live_version(connection, projection)
    shown = await fetch_one(connection, f"SELECT EXISTS (SELECT FROM {projection.table(live.version)})")
    if live.shape != target.live.shape or shown == (False,):
        return
    keys, _ = await _differing(connection, projection, live.version, version)
    await _check(connection, projection, version, keys, position)


async def _compare(connection: Connection, target: Target, old: int, since: int, applied: int, at: int) -> Differences:
    """Compare all rows' digests with the live version's, which stands still.

    The new version must be what the store says; what was there before ``since`` was held against it already. The live
    one may have drifted, and that is counted for what the events up to ``applied`` should have made of it.
    """
    projection, new = target.projection, target.live.version
    cursor = await connection.execute(
        "SELECT count(DISTINCT shape) FROM read.projection_versions WHERE projection = %s AND version IN (%s, %s)",
        (projection.name, old, new),
    )
    shapes = await cursor.fetchone()
    if shapes is None or shapes[0] > 1:
        return Differences(None)
    keys, drifted = await _differing(connection, projection, old, new, since=since, until=applied)
    await _check(connection, projection, new, keys, at)
    return Differences(drifted)


async def _differing(
    connection: Connection, projection: Projection, old: int, new: int, *, since: int = EVER, until: int = NO_END
) -> tuple[list[UUID], int]:
    """Keys that two versions have otherwise and were computed after ``since``; how many were by ``until``.

    A row that the new version lacks is among both.
    """
    key = projection.key
    cursor = await connection.execute(
        f"WITH differing AS MATERIALIZED (SELECT {key}, after.position FROM {projection.table(old)} AS before"
        f" FULL JOIN {projection.table(new)} AS after USING ({key})"
        " WHERE before.digest IS DISTINCT FROM after.digest)"
        f" SELECT {key}, 0 FROM differing WHERE position > %(since)s OR position IS NULL UNION ALL"
        " SELECT NULL, count(*) FROM differing WHERE position <= %(until)s OR position IS NULL",
        {"since": since, "until": until},
    )
    found = await cursor.fetchall()
    return [key for key, _ in found if key is not None], sum(number for _, number in found)


async def _check(connection: Connection, projection: Projection, version: int, keys: list[UUID], at: int) -> None:
    """Hold rows against the store; a row that an event to come will change is not held against it."""
    for start in range(0, len(keys), CHECKED_KEYS):
        await _check_some(connection, projection, version, keys[start : start + CHECKED_KEYS], at)


async def _check_some(connection: Connection, projection: Projection, version: int, keys: list[UUID], at: int) -> None:
    key = projection.key
    cursor = await connection.execute(
        f"SELECT {key} FROM (SELECT {key}, digest FROM ({projection.rows(projection.wanted_keys())}) AS row) AS truth"
        f" FULL JOIN (SELECT {key}, digest FROM {projection.table(version)} WHERE {key} = ANY(%(keys)s)) AS built"
        f" USING ({key}) WHERE truth.digest IS DISTINCT FROM built.digest"
        f" AND NOT EXISTS (SELECT FROM read.dead_letters d WHERE d.projection = %(name)s AND d.view_key = {key})"
        f" AND NOT EXISTS (SELECT FROM read.pending_keys p WHERE p.projection = %(name)s AND p.view_key = {key})"
        " AND NOT EXISTS (SELECT FROM store.outbox o WHERE o.position > %(at)s"
        f" AND (o.view_key = {key} OR o.aggregate_type = ANY(%(spread)s))) LIMIT 5",
        {"keys": keys, "name": projection.name, "at": at, "spread": list(projection.expansions)},
    )
    wrong = [str(found) for (found,) in await cursor.fetchall()]
    if wrong:
        raise Wrong(f"{projection.table(version)} is not what the store says, e.g. for {', '.join(wrong)}")
