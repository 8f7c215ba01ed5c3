"""The projector's books: which version is live, how far each shard is, who leads, what was parked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from projections.definition import Projection

Connection = psycopg.AsyncConnection[Any]

# The settings that make rows the same whoever computes them; a lost commit only means that a batch is done again.
SESSION = (
    "SET timezone = 'UTC'; SET bytea_output = 'hex'; SET synchronous_commit = off; SET jit = off;"
    " SET search_path = public"
)


class LostLead(Exception):
    """Somebody else moved the checkpoint, or another version went live: nothing of the batch was kept."""


@dataclass(frozen=True, slots=True)
class Live:
    """What a projection writes to now."""

    version: int
    previous: int | None
    shards: int
    shape: str


async def connect(dsn: str, name: str) -> Connection:
    """An autocommit connection of the projector's, named for pg_stat_activity."""
    connection: Connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True, application_name=name[:63])
    try:
        await connection.execute(SESSION)
    except BaseException:
        await connection.close()
        raise
    return connection


async def keep_plans(connection: Connection) -> None:
    """Have the session plan its statements once, for a few keys (ADR 0017); ``expect_many`` and ``plan_anew`` go on."""
    await connection.execute("SET plan_cache_mode = force_generic_plan")


async def expect_many(connection: Connection) -> None:
    """Have this transaction's statements planned for their own values: they are about more than a few keys."""
    await connection.execute("SET LOCAL plan_cache_mode TO DEFAULT")


async def plan_anew(connection: Connection) -> None:
    """Have kept plans made again, for tables as large as they are now: PostgreSQL does it after an ANALYZE only."""
    await connection.execute("DISCARD PLANS")


Values = Sequence[Any] | Mapping[str, Any] | None


async def fetch_one(connection: Connection, query: str, values: Values = None) -> tuple[Any, ...] | None:
    """The first row of a statement."""
    cursor = await connection.execute(query, values)
    row: tuple[Any, ...] | None = await cursor.fetchone()
    return row


async def live_version(connection: Connection, projection: Projection) -> Live:
    """The registry's word on a projection; one that was added after the migration is not there until it is rebuilt."""
    row = await fetch_one(
        connection,
        "SELECT p.live_version, p.previous_version, p.shards, v.shape FROM read.projections p"
        " JOIN read.projection_versions v ON v.projection = p.name AND v.version = p.live_version WHERE p.name = %s",
        (projection.name,),
    )
    if row is None:
        raise LookupError(f"projection {projection.name} is not registered: run `kirana migrate`")
    return Live(*row)


async def checkpoint(connection: Connection, projection: Projection, shard: int, generation: int) -> int:
    """The position a shard is at; its row is made where it lacks, at the beginning of the outbox."""
    await connection.execute(
        "INSERT INTO read.projection_checkpoints (projection, shard, generation, position) VALUES (%s, %s, %s, 0)"
        " ON CONFLICT DO NOTHING",
        (projection.name, shard, generation),
    )
    row = await fetch_one(
        connection,
        "SELECT position FROM read.projection_checkpoints WHERE projection = %s AND shard = %s AND generation = %s",
        (projection.name, shard, generation),
    )
    if row is None:
        raise LostLead(f"{projection.name}/{shard}: another version went live")
    position: int = row[0]
    return position


async def move_checkpoint(
    connection: Connection,
    projection: Projection,
    shard: int,
    live: Live,
    *,
    before: int,
    after: int,
    changes: int,
) -> None:
    """Compare and set, in the caller's transaction.

    Raises LostLead when the checkpoint is not where it was read, or the version or the number of shards is another.
    """
    moved = await fetch_one(
        connection,
        "UPDATE read.projection_checkpoints SET position = %s, changes = changes + %s, updated_at = now()"
        " WHERE projection = %s AND shard = %s AND generation = %s AND position = %s"
        " AND (SELECT p.shards FROM read.projections p WHERE p.name = projection) = %s RETURNING position",
        (after, changes, projection.name, shard, live.version, before, live.shards),
    )
    if moved is None:
        raise LostLead(f"{projection.name}/{shard}: the checkpoint is no longer at {before}")


async def try_lead(connection: Connection, what: str, number: int = 0) -> bool:
    """Take the advisory lock that makes this session the leader of ``what``; it ends with the session."""
    row = await fetch_one(connection, "SELECT pg_try_advisory_lock(hashtext(%s), %s)", (f"kirana {what}", number))
    return bool(row and row[0])


async def stop_leading(connection: Connection, what: str, number: int = 0) -> None:
    """Give the lock back."""
    await connection.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", (f"kirana {what}", number))


async def leader_of(connection: Connection, what: str, number: int = 0) -> str | None:
    """Who holds the lock: the application name, process id and age of its session; None when nobody does."""
    row = await fetch_one(
        connection,
        "SELECT COALESCE(NULLIF(a.application_name, ''), 'another session'), a.pid,"
        " date_trunc('second', clock_timestamp() - a.backend_start)::text"
        " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.objid = %s"
        " AND l.classid = (hashtext(%s)::bigint & 4294967295)::oid"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (number, f"kirana {what}"),
    )
    return None if row is None else f"{row[0]} (backend {row[1]}, for {row[2]})"


def shard_of(key: UUID, shards: int) -> int:
    """The shard a view key belongs to: its last 32 bits, which are random in a UUIDv7."""
    return (key.int & 0xFFFFFFFF) % shards


def in_shard(column: str) -> str:
    """The same in SQL, with ``%(shard)s`` and ``%(shards)s``."""
    return f"mod(('x' || right({column}::text, 8))::bit(32)::bigint, %(shards)s) = %(shard)s"


async def pause(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, at most that long; whether it came."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def reshard(connection: Connection, projection: Projection, shards: int) -> None:
    """Set the number of shards; every shard goes on at the slowest one's position, and replays do no harm."""
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM read.projections WHERE name = %s FOR UPDATE", (projection.name,))
        row = await fetch_one(
            connection,
            "SELECT CASE WHEN count(c.shard) >= p.shards THEN min(c.position) ELSE 0 END, p.live_version,"
            " COALESCE(sum(c.changes), 0)::bigint FROM read.projections p"
            " LEFT JOIN read.projection_checkpoints c ON c.projection = p.name WHERE p.name = %s"
            " GROUP BY p.name",
            (projection.name,),
        )
        assert row is not None
        await connection.execute("DELETE FROM read.projection_checkpoints WHERE projection = %s", (projection.name,))
        await connection.execute(
            "INSERT INTO read.projection_checkpoints (projection, shard, generation, position, changes)"
            " SELECT %s, shard, %s, %s, CASE shard WHEN 0 THEN %s::bigint + 1 ELSE 0 END"
            " FROM generate_series(0, %s) AS shard"
            # a worker that looked for its row between the two statements may have made it, at the beginning
            " ON CONFLICT (projection, shard) DO UPDATE SET generation = excluded.generation,"
            " position = excluded.position, changes = excluded.changes",
            (projection.name, row[1], row[0], row[2], shards - 1),
        )
        await connection.execute("UPDATE read.projections SET shards = %s WHERE name = %s", (shards, projection.name))
