"""The views in Redis: a copy of what PostgreSQL holds, that may be lost at any time and then fills itself again.

A follower reads the view's rows by revision, after the transaction that wrote them, and writes each with a version
compare, so that a late writer can't put an older row over a newer one. How far it is stands in Redis beside the rows:
if Redis is flushed, restarted empty or fails over to an older copy, that goes with them. When the marker of the live
generation is gone, a new generation is filled from the view while the query API serves from PostgreSQL.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import orjson
import redis.asyncio as redis

from app.utils.view_keys import EVERYTHING, ViewKeys
from projections.books import Connection, Live, in_shard
from projections.definition import Projection

PAGE_ROWS = 500
NO_END = 2**62
MOST_TOLD = 100

ROWS_A_CALL = 25  # a tenth of a millisecond in Redis, for which nobody else is answered

# KEYS: rows. ARGV: seconds to live (0 for ever), then of each row its revision, how many of the next are its own, and
# field, value, …; no fields make a tombstone.
WRITE = """
local at = 2
for _, key in ipairs(KEYS) do
    local revision, count = ARGV[at], tonumber(ARGV[at + 1])
    local kept = redis.call('HGET', key, 'v')
    if not kept or tonumber(kept) <= tonumber(revision) then
        if kept then redis.call('DEL', key) end
        redis.call('HSET', key, 'v', revision, unpack(ARGV, at + 2, at + 1 + count))
        if ARGV[1] ~= '0' then redis.call('EXPIRE', key, ARGV[1]) end
    end
    at = at + 2 + count
end
"""


@dataclass(frozen=True, slots=True)
class Mirror:
    """How a view's rows become keys: which columns, under which key, and what of them is kept."""

    keys: ViewKeys
    columns: str
    fields: Callable[[Sequence[Any]], dict[str, Any] | None]
    row_key: Callable[[Sequence[Any]], str]
    only: str = "true"
    seconds_to_live: int = 0


@dataclass(slots=True)
class Progress:
    """Per shard: the outbox position and the revision that a generation is filled up to."""

    positions: dict[int, int]
    revisions: dict[int, int]

    @classmethod
    def parse(cls, fields: dict[bytes, bytes]) -> "Progress":
        """From the hash that is kept in Redis."""
        found = cls({}, {})
        for name, value in fields.items():
            kind, _, shard = name.decode().partition(":")
            (found.positions if kind == "p" else found.revisions)[int(shard)] = int(value)
        return found

    def fields(self) -> dict[str, int]:
        """The hash that is kept in Redis."""
        return {f"p:{shard}": at for shard, at in self.positions.items()} | {
            f"r:{shard}": at for shard, at in self.revisions.items()
        }


class RedisSink:
    """Writes one view's generations."""

    def __init__(self, client: redis.Redis, projection: Projection, mirror: Mirror) -> None:
        self._client = client
        self._projection = projection
        self._mirror = mirror
        self._keys = mirror.keys
        # rows of a cluster are on different nodes
        self._rows_a_call = 1 if isinstance(cast("Any", client), redis.RedisCluster) else ROWS_A_CALL

    async def live_generation(self) -> str | None:
        """The generation readers use; None when Redis was emptied, or never filled."""
        found = cast("bytes | None", await self._client.get(self._keys.live))
        return None if found is None else found.decode()

    async def progress(self, generation: str) -> Progress | None:
        """How far a generation is; None when that is gone."""
        fields = cast("dict[bytes, bytes]", await self._client.hgetall(self._keys.progress(generation)))
        return Progress.parse(fields) if fields else None

    async def history(self, connection: Connection) -> str:
        """Which history of the store this is: a restore, to whatever moment, and a failover begin another.

        Positions and revisions of two histories say nothing about each other, so neither does a copy of the other one.
        """
        cursor = await connection.execute(
            "SELECT left(md5(concat_ws('/', s.system_identifier, d.oid,"
            " left(pg_walfile_name(pg_current_wal_lsn()), 8))), 8)"
            " FROM pg_control_system() AS s, pg_database AS d WHERE d.datname = current_database()"
        )
        row = await cursor.fetchone()
        return str(row[0]) if row else ""

    async def ahead(self, connection: Connection, progress: Progress) -> bool:
        """Whether Redis has seen more than this database ever wrote: it is the copy of another, or of a later one."""
        cursor = await connection.execute("SELECT last_value FROM read.revision_seq")
        row = await cursor.fetchone()
        return row is None or max(progress.revisions.values(), default=0) > row[0]

    async def fill(self, connection: Connection, live: Live) -> str:
        """Fill a new generation from the view, catch up, and make it live. Readers notice nothing but speed."""
        generation = f"{live.version}-{await self.history(connection)}-{time.time_ns():x}"
        progress = Progress(
            dict.fromkeys(range(live.shards), 0),
            dict.fromkeys(range(live.shards), 0),
        )
        for shard in range(live.shards):
            await self._fill_shard(connection, live, generation, progress, shard)
        while await self.catch_up(connection, live, generation, progress):
            pass
        await self._client.set(self._keys.live, generation)
        await self._tell(None)
        return generation

    async def _fill_shard(
        self, connection: Connection, live: Live, generation: str, progress: Progress, shard: int
    ) -> None:
        """Write a shard's rows, a page while the next one is read."""
        position, rows = await self._page(connection, live, shard, progress.revisions[shard])
        while len(rows) == PAGE_ROWS:
            following = asyncio.create_task(self._page(connection, live, shard, rows[-1][0]))
            try:
                await self._write(generation, rows)
            except BaseException:
                following.cancel()  # nobody else may have the connection before it is done with
                await asyncio.gather(following, return_exceptions=True)
                raise
            progress.revisions[shard] = rows[-1][0]
            position, rows = await following
        await self._write(generation, rows)
        if rows:
            progress.revisions[shard] = rows[-1][0]
        progress.positions[shard] = position

    async def _tell(self, rows: list[str] | None) -> None:
        """Say which rows were written; so many that it is not worth a list, or None, are everything."""
        few = rows is not None and len(rows) <= MOST_TOLD
        await self._client.publish(self._keys.changes, orjson.dumps(rows) if few else EVERYTHING)

    async def catch_up(
        self, connection: Connection, live: Live, generation: str, progress: Progress, *, telling: bool = False
    ) -> int:
        """Write the rows that changed since ``progress``, and move it; the number of rows, 0 when it is up to date.

        ``telling`` says which they are to whoever keeps pages of them, before the progress shows that they are there.
        """
        written, moved = 0, not telling
        async for shard, position, rows in self._changed(connection, live, progress):
            await self._write(generation, rows)
            if telling and rows:
                await self._tell([self._mirror.row_key(row[1:]) for row in rows])
            written += len(rows)
            if rows:
                progress.revisions[shard] = rows[-1][0]
            if len(rows) < PAGE_ROWS:
                progress.positions[shard] = position
            moved = True
        if moved:
            await self._client.hset(self._keys.progress(generation), mapping=cast("dict[Any, Any]", progress.fields()))
        return written

    async def forget_others(self, generation: str) -> None:
        """Remove what other generations left behind."""
        mine = self._keys.row(generation, "").split("{", 1)[0].encode()
        old: list[bytes] = []
        async for key in self._client.scan_iter(self._keys.rows_pattern(), count=1000):
            if not key.startswith(mine):
                old.append(key)
            if len(old) >= PAGE_ROWS:
                await self._unlink(old)
                old = []
        await self._unlink(old)

    async def _unlink(self, keys: list[bytes]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.unlink(key)
        if keys:
            await pipeline.execute()

    async def _changed(
        self, connection: Connection, live: Live, progress: Progress
    ) -> AsyncIterator[tuple[int, int, list[Sequence[Any]]]]:
        """A page of changed rows for each shard, with the position that their snapshot is at."""
        for shard in range(live.shards):
            position, rows = await self._page(connection, live, shard, progress.revisions.get(shard, 0))
            if rows or position != progress.positions.get(shard):
                yield shard, position, rows

    async def _page(
        self, connection: Connection, live: Live, shard: int, revision: int
    ) -> tuple[int, list[Sequence[Any]]]:
        projection = self._projection
        # one statement, for rows and position are to be of one snapshot
        values = {
            "projection": projection.name,
            "version": live.version,
            "shard": shard,
            "shards": live.shards,
            "revision": revision,
            "limit": PAGE_ROWS,
        }
        cursor = await connection.execute(
            "SELECT at.position, row.* FROM (SELECT (SELECT position FROM read.projection_checkpoints"
            " WHERE projection = %(projection)s AND shard = %(shard)s AND generation = %(version)s) AS position) AS at"
            f" LEFT JOIN (SELECT revision, {self._mirror.columns} FROM {projection.table(live.version)}"
            f" WHERE revision > %(revision)s AND {in_shard(projection.key)} ORDER BY revision LIMIT %(limit)s) AS row"
            " ON true ORDER BY row.revision",
            values,
            binary=True,
        )
        found = await cursor.fetchall()
        rows: list[Sequence[Any]] = [row[1:] for row in found if row[1] is not None]
        return found[0][0] or 0, rows

    async def _write(self, generation: str, rows: list[Sequence[Any]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for start in range(0, len(rows), self._rows_a_call):
            keys: list[str] = []
            arguments: list[Any] = [self._mirror.seconds_to_live]
            for row in rows[start : start + self._rows_a_call]:
                keys.append(self._keys.row(generation, self._mirror.row_key(row[1:])))
                fields = self._mirror.fields(row[1:]) or {}
                arguments += [row[0], 2 * len(fields), *chain.from_iterable(fields.items())]
            pipeline.eval(WRITE, len(keys), *keys, *arguments)
        if rows:
            await pipeline.execute()
            await asyncio.sleep(0)
