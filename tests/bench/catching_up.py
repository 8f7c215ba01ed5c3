"""Waiting until both views, and their copies in Redis, show the last event."""

import asyncio
import time
from collections.abc import Awaitable
from typing import cast

import redis.asyncio as redis

from app.core.redis_clients import new_client
from projections.sinks.mirrors import MIRRORS
from projections.sinks.redis import Progress
from tests.support.databases import Database


async def caught_up(database: Database, seconds: float) -> None:
    """Until both views are past the last event, in PostgreSQL and in Redis."""

    client = new_client(database.settings.redis_dsn(), 5.0)
    end = time.monotonic() + seconds
    async with client, await database.aconnect() as owner:
        while time.monotonic() < end:
            cursor = await owner.execute(
                "SELECT (SELECT COALESCE(max(position), 0) FROM store.outbox), (SELECT min(c.position) FROM"
                " read.projections AS p INNER JOIN read.projection_checkpoints AS c ON c.projection = p.name"
                " AND c.generation = p.live_version), (SELECT count(*) FROM read.projections AS p"
                " WHERE NOT EXISTS (SELECT FROM read.projection_checkpoints AS c WHERE c.projection = p.name"
                " AND c.generation = p.live_version))"
            )
            row = await cursor.fetchone()
            assert row is not None
            last, at, missing = row
            if missing == 0 and at >= last and await _redis_at(client) >= last:
                return
            await asyncio.sleep(0.005)
    raise AssertionError("the projector did not catch up")


async def _redis_at(client: redis.Redis) -> int:
    found = []
    for mirror in MIRRORS.values():
        live = cast("bytes | None", await client.get(mirror.keys.live))
        if live is None:
            return -1
        generation = live.decode()
        kept = cast("Awaitable[dict[bytes, bytes]]", client.hgetall(mirror.keys.progress(generation)))
        found.append(min(Progress.parse(await kept).positions.values(), default=-1))
    return min(found)
