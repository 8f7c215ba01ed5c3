"""Proving that the views are what the store says, row by row, in PostgreSQL and in Redis; and mending what is not.

A row may differ for a moment because its event is still on its way. So a difference counts only when it is still there
after the projector has passed everything that was in the outbox when the difference was seen.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import redis.asyncio as redis

from app.core.redis_clients import new_client
from app.utils.view_keys import REVISION
from projections.books import Connection, Live, fetch_one, live_version
from projections.definition import Projection
from projections.navigation import NAVIGATION
from projections.navigation.documents import compute
from projections.reader import safe_position
from projections.sinks.mirrors import MIRRORS
from projections.sinks.redis import RedisSink

CHUNK_ROWS = 1000
ROUNDS = 3
PATIENCE_SECONDS = 15.0
POLL_SECONDS = 0.02
REDIS_TIMEOUT_SECONDS = 5.0
FIRST_KEY, LAST_KEY = UUID(int=0), UUID(int=2**128 - 1)

Report = Callable[[int, int], None]


class Behind(RuntimeError):
    """The projector does not come up to the present: nothing can be proved."""


@dataclass(slots=True)
class Drift:
    """What differs: rows of the view by key, keys of Redis; and how many rows were held against the store."""

    rows: int = 0
    view: list[UUID] = field(default_factory=list)
    redis: list[str] = field(default_factory=list)
    dead_letters: int = 0

    @property
    def clean(self) -> bool:
        """Whether everything is what the store says."""
        return not (self.view or self.redis or self.dead_letters)


def silent(_: int, __: int) -> None:
    """A report nobody reads."""


async def verify(connection: Connection, projection: Projection, report: Report = silent) -> Drift:
    """Hold every row of the live version against the store. Raises ``Behind``."""
    live = await live_version(connection, projection)
    keys = await _differing(connection, projection, live, report)
    drift = Drift(rows=await _count(connection, projection, live))
    for _ in range(ROUNDS):
        if not keys:
            break
        await caught_up(connection, projection)
        live = await live_version(connection, projection)
        keys = await _still_differing(connection, projection, live, keys)
    drift.view = keys
    row = await fetch_one(
        connection, "SELECT count(*) FROM read.dead_letters WHERE projection = %s", (projection.name,)
    )
    drift.dead_letters = row[0] if row else 0
    return drift


async def caught_up(connection: Connection, projection: Projection) -> int:
    """Wait until the projector has passed what is in the outbox now; the position. Raises ``Behind``."""
    position = await safe_position(connection)
    clock = asyncio.get_running_loop().time
    end = clock() + PATIENCE_SECONDS
    while clock() < end:
        row = await fetch_one(
            connection,
            "SELECT count(*) FILTER (WHERE c.position >= %s) >= p.shards, NOT EXISTS (SELECT FROM read.pending_keys k"
            " WHERE k.projection = p.name) FROM read.projections p"
            " LEFT JOIN read.projection_checkpoints c ON c.projection = p.name WHERE p.name = %s"
            " GROUP BY p.name, p.shards",
            (position, projection.name),
        )
        if row is not None and row[0] and row[1]:
            return position
        await asyncio.sleep(POLL_SECONDS)
    raise Behind(f"{projection.name} does not reach position {position}: is a projector running? See `status`.")


def _difference(projection: Projection, live: Live, wanted: str, stored: str, within: str = "true") -> str:
    """SELECT of the keys whose stored row is not what the store says; the row itself counts, not its digest column.

    ``wanted`` lets keys of the store through, of which those count that are ``within``; ``stored`` those of the view.
    """
    key = projection.key
    return (
        f"SELECT {key} FROM (SELECT {key}, digest FROM ({projection.rows(wanted)}) AS row WHERE {within})"
        " AS truth"
        f" FULL JOIN (SELECT kept.{key}, {projection.digest_of('kept')} AS digest, kept.digest AS said"
        f" FROM {projection.table(live.version)} AS kept WHERE {stored}) AS kept USING ({key})"
        " WHERE truth.digest IS DISTINCT FROM kept.digest OR kept.digest <> kept.said"
    )


async def _differing(connection: Connection, projection: Projection, live: Live, report: Report) -> list[UUID]:
    """A first pass over everything, a range of keys at a time.

    A range that rows are added to meanwhile is longer than it was; what that cuts off is looked at again by its keys.
    """
    cursor = await connection.execute(
        f"SELECT max(id::text)::uuid, count(*) FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / {CHUNK_ROWS}"
        f" AS range FROM {projection.keys_table}) AS numbered GROUP BY range ORDER BY range"
    )
    bounds: list[tuple[UUID, int]] = await cursor.fetchall()
    statement = _difference(
        projection,
        live,
        projection.wanted_next(),
        f"kept.{projection.key} > %(low)s AND kept.{projection.key} <= %(high)s",
        f"row.{projection.key} <= %(high)s",
    )
    found: list[UUID] = []
    low, done, total = FIRST_KEY, 0, sum(count for _, count in bounds)
    for number, (high, count) in enumerate([*bounds, (LAST_KEY, 0)]):
        values = {"low": low, "high": high, "rows": CHUNK_ROWS}
        cursor = await connection.execute(statement, values, prepare=False)
        found += [differing for (differing,) in await cursor.fetchall()]
        low, done = high, done + count
        if number < len(bounds):
            report(done, total)
    return found


async def _still_differing(connection: Connection, projection: Projection, live: Live, keys: list[UUID]) -> list[UUID]:
    statement = _difference(projection, live, projection.wanted_keys(), f"kept.{projection.key} = ANY(%(keys)s)")
    found: list[UUID] = []
    for start in range(0, len(keys), CHUNK_ROWS):
        cursor = await connection.execute(statement, {"keys": keys[start : start + CHUNK_ROWS]}, prepare=False)
        found += [differing for (differing,) in await cursor.fetchall()]
    return found


async def _count(connection: Connection, projection: Projection, live: Live) -> int:
    row = await fetch_one(connection, f"SELECT count(*) FROM {projection.table(live.version)}")
    return row[0] if row else 0


async def verify_redis(connection: Connection, projection: Projection, url: str) -> list[str] | None:
    """The keys of the copy in Redis that are not what the view says; None when there is no copy to hold against it."""
    mirror = MIRRORS[projection.name]
    client = new_client(url, REDIS_TIMEOUT_SECONDS)
    async with client:
        sink = RedisSink(client, projection, mirror)
        generation = await sink.live_generation()
        if generation is None:
            return None
        live = await live_version(connection, projection)
        differing = await _redis_rows(connection, client, projection, live, generation)
        for _ in range(ROUNDS):
            if not differing:
                break
            await asyncio.sleep(1.0)
            again = await _redis_rows(connection, client, projection, live, generation)
            differing = [key for key in differing if key in set(again)]
        return differing


async def _redis_rows(
    connection: Connection, client: redis.Redis, projection: Projection, live: Live, generation: str
) -> list[str]:
    mirror = MIRRORS[projection.name]
    differing: list[str] = []
    low = FIRST_KEY
    while True:
        cursor = await connection.execute(
            f"SELECT {projection.key}, revision, {mirror.columns} FROM {projection.table(live.version)}"
            f" WHERE {projection.key} > %s ORDER BY {projection.key} LIMIT {CHUNK_ROWS}",
            (low,),
            binary=True,
        )
        rows: list[Any] = await cursor.fetchall()
        if not rows:
            return differing
        pipeline = client.pipeline(transaction=False)
        for row in rows:
            pipeline.hgetall(mirror.keys.row(generation, mirror.row_key(row[2:])))
        for row, kept in zip(rows, await pipeline.execute(), strict=True):
            fields = (mirror.fields(row[2:]) or {}) | {REVISION: row[1]}
            expected = {name.encode(): _bytes(value) for name, value in fields.items()}
            if kept != expected and not (mirror.seconds_to_live and not kept):
                differing.append(mirror.row_key(row[2:]))
        low = rows[-1][0]


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


async def verify_navigation(connection: Connection) -> list[str]:
    """The navigation documents that are not what the catalog view and staff's arrangement give now."""
    found: list[str] = []
    for _ in range(ROUNDS * 5):
        documents = await compute(connection)
        cursor = await connection.execute("SELECT name, body FROM read.navigation", binary=True)
        kept = {name: bytes(body) for name, body in await cursor.fetchall()}
        names = sorted(documents.bodies.keys() | kept.keys())
        found = [f"{NAVIGATION}/{name}" for name in names if kept.get(name) != documents.bodies.get(name)]
        cursor = await connection.execute("SELECT word, means FROM read.search_synonyms")
        if dict(await cursor.fetchall()) != documents.synonyms:
            found.append(f"{NAVIGATION}/synonyms")
        if not found:
            break
        await asyncio.sleep(0.3)
    return found


async def repair(connection: Connection, projection: Projection, keys: list[UUID]) -> None:
    """Have rows computed again by the projector, whatever they say of themselves; waits for it. Raises ``Behind``."""
    live = await live_version(connection, projection)
    async with connection.transaction():
        await connection.execute(
            f"UPDATE {projection.table(live.version)} SET position = 0, digest = '00000000-0000-0000-0000-000000000000'"
            f" WHERE {projection.key} = ANY(%s)",
            (keys,),
        )
        await connection.execute(
            "INSERT INTO read.pending_keys (projection, view_key, reason)"
            " SELECT %(name)s, key, 'repair' FROM unnest(%(keys)s::uuid[]) AS key"
            " UNION SELECT projection, view_key, 'repair' FROM read.dead_letters WHERE projection = %(name)s"
            " ON CONFLICT DO NOTHING",
            {"name": projection.name, "keys": keys},
        )
    await caught_up(connection, projection)


async def repair_redis(projection: Projection, url: str) -> None:
    """Have the copy in Redis made anew: its marker goes, and the follower notices."""
    client = new_client(url, REDIS_TIMEOUT_SECONDS)
    async with client:
        await client.delete(MIRRORS[projection.name].keys.live)
