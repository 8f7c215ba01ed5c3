"""Applying a batch: folded to distinct view rows, computed set-based from the store, kept with the checkpoint."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import structlog

from app.core.telemetry.context import valid_traceparent
from app.core.telemetry.tracing import MOST_LINKS
from projections.books import Connection, Live, expect_many, in_shard, move_checkpoint, shard_of
from projections.definition import Projection
from projections.reader import Event

CHUNK_KEYS = 500
# So many rows are computed by plans that are kept; for more, a plan of their own costs next to nothing (ADR 0017).
FEW_KEYS = 100
PENDING_KEYS = 2000
# What one row's own data can cause: data exceptions, integrity, cardinality, program limits. The rest is the weather.
POISON_CLASSES = ("22", "23", "21", "54")
ALL_FAILED = 3

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """One shard of one version of a projection: where a batch goes.

    Rows of a version that is ``next`` to go live keep the position of the last event that touched them, though it
    changed nothing: who was shown one is then not shown an older one by a copy of the version before.
    """

    projection: Projection
    live: Live
    shard: int
    next: bool = False


@dataclass(slots=True)
class Batch:
    """What a page of the outbox comes to: the rows to compute again, and the aggregates that touch many rows.

    ``pending`` says that keys wait in read.pending_keys; once the batch is applied, whether there may be more of them.
    """

    before: int
    after: int
    keys: set[UUID] = field(default_factory=set)
    spread: dict[str, set[UUID]] = field(default_factory=dict)
    events: int = 0
    beside: int = 0
    pending: bool = False
    traceparents: dict[str, None] = field(default_factory=dict)


def fold(target: Target, events: Iterable[Event], before: int, after: int) -> Batch:
    """Fold events to distinct keys of this shard; a thousand events of one hot SKU cost one row."""
    batch = Batch(before, after)
    projection, shards = target.projection, target.live.shards
    for event in events:
        if event.topic not in projection.topics:
            continue
        beside = event.aggregate_type in projection.beside
        batch.beside += event.times if beside else 0
        if event.aggregate_type in projection.expansions:
            batch.spread.setdefault(event.aggregate_type, set()).add(event.aggregate_id)
        elif shard_of(event.view_key, shards) == target.shard:
            batch.keys.update(() if beside else (event.view_key,))
        else:
            continue
        batch.events += event.times
        if len(batch.traceparents) < MOST_LINKS and valid_traceparent(event.traceparent or ""):
            batch.traceparents[event.traceparent or ""] = None
    return batch


async def apply(connection: Connection, target: Target, batch: Batch, *, careful: bool = False) -> int:
    """Compute and keep the batch's rows and move the checkpoint, in one transaction; the number of rows that changed.

    ``careful`` parks rows that can't be computed as dead letters instead of failing. Raises LostLead.
    """
    if careful:
        async with connection.transaction():
            taken = await _take_pending(connection, target, batch)
            changes = await write_rows(connection, target, batch)
            await _move(connection, target, batch, changes)
    else:
        async with _together(connection) as pipeline:
            taken = await _take_pending(connection, target, batch)
            changes = await _write_together(connection, target, batch, pipeline)
            await _move(connection, target, batch, changes)
    batch.pending = taken == PENDING_KEYS
    return changes


@asynccontextmanager
async def _together(connection: Connection) -> AsyncIterator[psycopg.AsyncPipeline]:
    """A transaction whose statements are sent together, and fail together.

    Where all cores are busy, each answer that is waited for costs a turn in their queue.
    """
    async with connection.pipeline() as pipeline, connection.transaction():
        try:
            yield pipeline
        except psycopg.Error:
            with suppress(psycopg.Error):
                await pipeline.sync()  # until then the server passes over everything, the ROLLBACK too
            raise


async def write_rows(connection: Connection, target: Target, batch: Batch) -> int:
    """Compute and keep the batch's rows, in the caller's transaction; the number of rows that changed.

    Parks those that can't be computed.
    """
    keys, changes = await _keys(connection, target, batch), 0
    for chunk in _chunks(keys):
        changes += await upsert_carefully(connection, target, chunk, batch.after, len(keys))
    await _forget(connection, target, keys)
    return changes


async def _write_together(connection: Connection, target: Target, batch: Batch, pipeline: psycopg.AsyncPipeline) -> int:
    many = _many(batch)
    keys = await _keys(connection, target, batch)
    sent = [await _send(connection, target, chunk, batch.after, prepare=not many) for chunk in _chunks(keys)]
    await _forget(connection, target, keys)
    await pipeline.sync()
    return sum(cursor.rowcount for cursor in sent)


async def _move(connection: Connection, target: Target, batch: Batch, changes: int) -> None:
    await move_checkpoint(
        connection,
        target.projection,
        target.shard,
        target.live,
        before=batch.before,
        after=batch.after,
        changes=changes + batch.beside,
    )


def _many(batch: Batch) -> bool:
    return bool(batch.spread) or len(batch.keys) > FEW_KEYS


async def _keys(connection: Connection, target: Target, batch: Batch) -> list[UUID]:
    """The keys of all rows to compute, in their order; the planner is told when they are many."""
    if _many(batch):
        await expect_many(connection)
    return sorted(batch.keys | await _spread(connection, target, batch))


def is_poison(error: psycopg.Error) -> bool:
    """Whether a row's own data may be to blame."""
    return (error.sqlstate or "").startswith(POISON_CLASSES)


async def _spread(connection: Connection, target: Target, batch: Batch) -> set[UUID]:
    keys: set[UUID] = set()
    for aggregate_type, ids in batch.spread.items():
        cursor = await connection.execute(target.projection.expansions[aggregate_type], {"ids": list(ids)})
        keys |= {key for (key,) in await cursor.fetchall() if shard_of(key, target.live.shards) == target.shard}
    return keys


async def _take_pending(connection: Connection, target: Target, batch: Batch) -> int:
    """Add keys that wait to be computed again to the batch's; how many were taken."""
    if not batch.pending:
        return 0
    values = {
        "projection": target.projection.name,
        "shard": target.shard,
        "shards": target.live.shards,
        "limit": PENDING_KEYS,
    }
    cursor = await connection.execute(
        "DELETE FROM read.pending_keys WHERE projection = %(projection)s AND view_key IN ("
        " SELECT view_key FROM read.pending_keys WHERE projection = %(projection)s"
        f" AND {in_shard('view_key')} LIMIT %(limit)s FOR UPDATE SKIP LOCKED) RETURNING view_key",
        values,
    )
    taken = {key for (key,) in await cursor.fetchall()}
    batch.keys |= taken
    return len(taken)


async def _send(
    connection: Connection, target: Target, keys: Sequence[UUID], position: int, *, prepare: bool = False
) -> psycopg.AsyncCursor[Any]:
    """Compute and keep rows; the ``rowcount`` of the cursor is how many changed, once its answer is there.

    ``prepare`` keeps the plans, so it is for few keys only.
    """
    projection = target.projection
    statement = projection.upsert(target.live.version, projection.wanted_keys(), restamp=target.next)
    values = {"keys": list(keys), "position": position}
    cursor = await connection.execute(statement, values, prepare=prepare)
    await connection.execute(projection.delete_gone(target.live.version), {"keys": list(keys)}, prepare=prepare)
    await connection.execute(
        "DELETE FROM read.dead_letters WHERE projection = %(projection)s AND view_key = ANY(%(keys)s)"
        # asked once, not for each key: most of the time there is none
        " AND EXISTS (SELECT FROM read.dead_letters AS parked WHERE parked.projection = %(projection)s)",
        {"projection": projection.name, "keys": list(keys)},
        prepare=prepare,
    )
    return cursor


async def _forget(connection: Connection, target: Target, keys: Sequence[UUID]) -> None:
    """Take the rows of erased people out of the versions that are kept.

    A rollback loses nothing by it: it applies the events since, and the erasure is one of them.
    """
    projection = target.projection
    if projection.forgotten is None or not keys:
        return
    cursor = await connection.execute(
        "SELECT version FROM read.projection_versions WHERE projection = %s AND state = 'kept' AND version <> %s",
        (projection.name, target.live.version),
    )
    for (version,) in await cursor.fetchall():
        await connection.execute(
            f"DELETE FROM {projection.table(version)} WHERE {projection.key} IN ({projection.forgotten})",
            {"keys": list(keys)},
        )


async def upsert_carefully(
    connection: Connection, target: Target, keys: Sequence[UUID], position: int, all_keys: int
) -> int:
    """Compute and keep rows, parking those that can't be computed; raises when none of ``all_keys`` can."""
    try:
        async with connection.transaction():
            return (await _send(connection, target, keys, position)).rowcount
    except psycopg.Error as error:
        if not is_poison(error):
            raise
    changes, parked = 0, 0
    for key in keys:
        try:
            async with connection.transaction():
                changes += (await _send(connection, target, [key], position)).rowcount
        except psycopg.Error as error:
            if not is_poison(error):
                raise
            parked += 1
            if parked == all_keys and parked > ALL_FAILED:
                raise  # not one row: the statement itself is wrong, and parking everything would hide it
            await _park(connection, target, key, position, error)
    return changes


async def _park(connection: Connection, target: Target, key: UUID, position: int, error: psycopg.Error) -> None:
    log.error(
        "dead_letter", projection=target.projection.name, view_key=str(key), sqlstate=error.sqlstate, error=str(error)
    )
    await connection.execute(
        "INSERT INTO read.dead_letters (projection, view_key, position, sqlstate, error) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (projection, view_key) DO UPDATE SET position = EXCLUDED.position, sqlstate = EXCLUDED.sqlstate,"
        " error = EXCLUDED.error, attempts = dead_letters.attempts + 1, last_at = now()",
        (target.projection.name, key, position, error.sqlstate, str(error)[:2000]),
    )


def _chunks(keys: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    for start in range(0, len(keys), CHUNK_KEYS):
        yield keys[start : start + CHUNK_KEYS]
