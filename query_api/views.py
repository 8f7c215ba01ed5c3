"""Pages by key: from Redis while it has them and is far enough, else from PostgreSQL. Nobody waits for Redis.

PostgreSQL is always at least as far as its copy in Redis. So that nobody who was answered from PostgreSQL is then shown
something older, Redis is used again only when it has passed whatever PostgreSQL has given out here.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from uuid import UUID

import redis.asyncio as redis

from app.core.database import QueryPool
from app.core.metrics import current_metrics
from app.core.redis_aid import RedisAid
from app.utils.view_keys import BODY, CATALOG_KEYS, FROM, ORDERS_KEYS, OWNER, TAG, VERSION, ViewKeys
from query_api.repositories import catalog, orders

WATCH_SECONDS = 0.1
WATCH_AWAY_SECONDS = 0.5


class RedisView:
    """One view's copy in Redis: which generation is live, how far it is, and its rows."""

    def __init__(self, aid: RedisAid, keys: ViewKeys) -> None:
        self._aid = aid
        self._keys = keys
        self._generation: str | None = None
        self._position = 0
        self._given_out = 0

    @property
    def usable(self) -> bool:
        """Whether there is a generation to read."""
        return self._generation is not None

    @property
    def current(self) -> bool:
        """Whether it is as far as whatever PostgreSQL has given out."""
        return self._generation is not None and self._position >= self._given_out

    def gave_out(self, position: int) -> None:
        """PostgreSQL answered with a row of this position."""
        self._given_out = max(self._given_out, position)

    def forget(self) -> None:
        """Redis is not to be read until it was looked at again."""
        self._generation = None

    async def look(self) -> None:
        """Ask which generation is live and how far it is."""
        generation = cast("bytes | None", await self._aid.attempt(lambda client: client.get(self._keys.live)))
        if generation is None:
            self.forget()
            return
        name = generation.decode()
        key = self._keys.progress(name)
        fields = await self._aid.attempt(lambda client: cast("Awaitable[dict[bytes, bytes]]", client.hgetall(key)))
        positions = [int(value) for field, value in (fields or {}).items() if field.startswith(b"p:")]
        self._generation = name if positions else None
        self._position = min(positions, default=0)

    async def row(self, key: str, position: int | None, fields: list[str]) -> list[bytes] | None:
        """The row's fields; None when Redis is away, behind, or does not have it."""
        if self._generation is None or self._position < max(position or 0, self._given_out):
            return None
        name = self._keys.row(self._generation, key)
        found = await self._aid.attempt(
            lambda client: cast("Awaitable[list[bytes | None]]", client.hmget(name, cast("list[Any]", fields)))
        )
        if found is None or None in found:
            return None
        return cast("list[bytes]", found)


class Views:
    """Product and order pages by key."""

    def __init__(self, pool: QueryPool, client: redis.Redis) -> None:
        self._pool = pool
        aid = RedisAid(client)
        self._products = RedisView(aid, CATALOG_KEYS)
        self._orders = RedisView(aid, ORDERS_KEYS)

    @property
    def redis_in_use(self) -> bool:
        """Whether both copies can be read now."""
        return self._products.usable and self._orders.usable

    @property
    def products_current(self) -> bool:
        """Whether products read from Redis are as new as any that were given out here."""
        return self._products.current

    async def product_page(self, slug: str, position: int | None) -> catalog.Page | None:
        """The page of a product that is shown, from a view that is past ``position``."""
        found = await self._products.row(slug, position, [BODY, TAG, FROM])
        if found is not None and float(found[2]) <= time.time():
            self._count("catalog", "redis")
            return catalog.Page(found[0], found[1].decode(), 0)
        self._count("catalog", "postgres")
        page = await catalog.product_page(self._pool, slug)
        if page is not None:
            self._products.gave_out(page.position)
        return page

    async def order_page(self, order_id: UUID, position: int | None) -> orders.OrderPage | None:
        """An order's page, from a view that is past ``position``."""
        found = await self._orders.row(str(order_id), position, [BODY, VERSION, OWNER])
        if found is not None:
            self._count("orders", "redis")
            return orders.OrderPage(found[0], int(found[1]), UUID(found[2].decode()), 0)
        self._count("orders", "postgres")
        page = await orders.from_view(self._pool, order_id)
        if page is not None:
            self._orders.gave_out(page.position)
        return page

    @staticmethod
    def _count(view: str, source: str) -> None:
        current_metrics().view_reads.labels(view, source).inc()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Views"]:
        """Keep an eye on Redis while the block runs."""
        ended = asyncio.Event()
        task = asyncio.create_task(self._watch(ended))
        try:
            yield self
        finally:
            ended.set()  # not cancelled: a client may take a cancellation for a time-out and go on
            await task

    async def _watch(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            await self._products.look()
            await self._orders.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), WATCH_SECONDS if self.redis_in_use else WATCH_AWAY_SECONDS)
