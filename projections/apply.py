"""Applying a batch: folded to distinct view rows, computed set-based from the store, kept with the checkpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import structlog

from app.core.telemetry.context import valid_traceparent
from app.core.telemetry.tracing import MOST_LINKS
from projections.books import Connection, Live, in_shard, move_checkpoint, shard_of
from projections.definition import Projection
from projections.reader import Event

CHUNK_KEYS = 500
PENDING_KEYS = 2000
# What one row's own data can cause: data exceptions, integrity, cardinality, program limits. The rest is the weather.
POISON_CLASSES = ("22", "23", "21", "54")
ALL_FAILED = 3

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """One shard of one version of a projection: where a batch goes."""

    projection: Projection
    live: Live
    shard: int


@dataclass(slots=True)
class Batch:
    """What a page of the outbox comes to: the rows to compute again, and the aggregates that touch many rows."""

    before: int
    after: int
    keys: set[UUID] = field(default_factory=set)
    spread: dict[str, set[UUID]] = field(default_factory=dict)
    events: int = 0
    beside: int = 0
    traceparents: dict[str, None] = field(default_factory=dict)


def fold(target: Target, events: Iterable[Event], before: int, after: int) -> Batch:
    """Fold events to distinct keys of this shard; a thousand events of one hot SKU cost one row."""
    batch = Batch(before, after)
    projection, shards = target.projection, target.live.shards
    for event in events:
        if event.topic not in projection.topics:
            continue
        beside = event.aggregate_type in projection.beside
        batch.beside += beside
        if event.aggregate_type in projection.expansions:
            batch.spread.setdefault(event.aggregate_type, set()).add(event.aggregate_id)
        elif shard_of(event.view_key, shards) == target.shard:
            batch.keys.update(() if beside else (event.view_key,))
        else:
            continue
        batch.events += 1
        if len(batch.traceparents) < MOST_LINKS and valid_traceparent(event.traceparent or ""):
            batch.traceparents[event.traceparent or ""] = None
    return batch


async def apply(connection: Connection, target: Target, batch: Batch, *, careful: bool = False) -> int:
    """Compute and keep the batch's rows and move the checkpoint, in one transaction; the number of rows that changed.

    ``careful`` parks rows that can't be computed as dead letters instead of failing. Raises LostLead.
    """
    async with connection.transaction():
        batch.keys |= await _pending(connection, target)
        changes = await write_rows(connection, target, batch, careful=careful)
        await move_checkpoint(
            connection,
            target.projection,
            target.shard,
            target.live,
            before=batch.before,
            after=batch.after,
            changes=changes + batch.beside,
        )
    return changes


async def write_rows(connection: Connection, target: Target, batch: Batch, *, careful: bool) -> int:
    """Compute and keep the batch's rows, in the caller's transaction; the number of rows that changed."""
    keys = batch.keys | await _spread(connection, target, batch)
    changes = 0
    for chunk in _chunks(sorted(keys)):
        if careful:
            changes += await upsert_carefully(connection, target, chunk, batch.after, len(keys))
        else:
            changes += await _upsert(connection, target, chunk, batch.after)
        await _forget(connection, target, chunk)
    return changes


def is_poison(error: psycopg.Error) -> bool:
    """Whether a row's own data may be to blame."""
    return (error.sqlstate or "").startswith(POISON_CLASSES)


async def _spread(connection: Connection, target: Target, batch: Batch) -> set[UUID]:
    keys: set[UUID] = set()
    for aggregate_type, ids in batch.spread.items():
        cursor = await connection.execute(target.projection.expansions[aggregate_type], {"ids": list(ids)})
        keys |= {key for (key,) in await cursor.fetchall() if shard_of(key, target.live.shards) == target.shard}
    return keys


async def _pending(connection: Connection, target: Target) -> set[UUID]:
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
    return {key for (key,) in await cursor.fetchall()}


async def _upsert(connection: Connection, target: Target, keys: Sequence[UUID], position: int) -> int:
    projection = target.projection
    statement = projection.upsert(target.live.version, projection.wanted_keys())
    cursor = await connection.execute(statement, {"keys": list(keys), "position": position})
    changed = cursor.rowcount
    await connection.execute(projection.delete_gone(target.live.version), {"keys": list(keys)})
    await connection.execute(
        "DELETE FROM read.dead_letters WHERE projection = %s AND view_key = ANY(%s)", (projection.name, list(keys))
    )
    return changed


async def _forget(connection: Connection, target: Target, keys: Sequence[UUID]) -> None:
    """Take the rows of erased people out of the versions that are kept.

    A rollback loses nothing by it: it applies the events since, and the erasure is one of them.
    """
    projection = target.projection
    if projection.forgotten is None:
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
            return await _upsert(connection, target, keys, position)
    except psycopg.Error as error:
        if not is_poison(error):
            raise
    changes, parked = 0, 0
    for key in keys:
        try:
            async with connection.transaction():
                changes += await _upsert(connection, target, [key], position)
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
