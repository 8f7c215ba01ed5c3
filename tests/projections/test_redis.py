"""The views in Redis: filled by themselves, asked first, done without; killed, flushed, restarted empty, under load."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from redis import Redis

from app.core.embedded.redis import start_redis, stop_redis
from app.utils.view_keys import CATALOG_KEYS, ORDERS_KEYS
from projections.sinks.redis import WRITE
from query_api.main import create_app
from tests.support.api import serving
from tests.support.builders import one, rows
from tests.support.cluster import run_dir
from tests.support.databases import Database
from tests.support.projecting import announce, projecting, reached
from tests.support.shop import Shop

PATIENCE_SECONDS = 20


async def until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)


def in_redis(redis: Redis) -> dict[str, bytes]:
    """Slug and body of every product of the live generation."""
    generation = redis.get(CATALOG_KEYS.live)
    if generation is None:
        return {}
    prefix = CATALOG_KEYS.row(generation.decode(), "").split("{", maxsplit=1)[0]
    found = {}
    for key in redis.scan_iter(f"{prefix}*", count=1000):
        body = redis.hget(key, "b")
        if body:
            found[key.decode().split("{")[1][:-1]] = body
    return found


def in_postgres(owner: psycopg.Connection[Any]) -> dict[str, bytes]:
    return {slug: bytes(body) for slug, body in rows(owner, "SELECT slug, detail FROM read.catalog WHERE live")}


@asynccontextmanager
async def open_shop(database: Database, owner: psycopg.Connection[Any]) -> AsyncIterator[Shop]:
    async with projecting(database), serving(create_app(database.settings)) as client:
        yield Shop(database, owner, client)


async def test_pages_are_served_from_redis(database: Database, owner: psycopg.Connection[Any], redis: Redis) -> None:
    async with open_shop(database, owner) as shop:
        shop.add("Kite")
        await shop.sync()
        await until(lambda: in_redis(redis) == in_postgres(owner) != {}, "Redis has the views")
        generation = redis.get(CATALOG_KEYS.live)
        assert isinstance(generation, bytes)
        redis.hset(CATALOG_KEYS.row(generation.decode(), "kite"), "b", b'{"from":"redis"}')
        await until(lambda: True, "")
        end = time.monotonic() + 5
        while (await shop.get("/v1/products/kite")) != {"from": "redis"}:
            assert time.monotonic() < end, "Redis is asked first"
            await asyncio.sleep(0.02)


async def test_what_is_taken_off_the_shelf_leaves_redis_too(
    database: Database, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    async with open_shop(database, owner) as shop:
        shop.add("Kite")
        shop.add("Book")
        await shop.sync()
        await until(lambda: set(in_redis(redis)) == {"kite", "book"}, "both are there")
        owner.execute("UPDATE store.products SET status = 'archived' WHERE slug = 'kite'")
        shop.changed("kite")
        await shop.sync()
        await shop.get("/v1/products/kite", 404, **{"X-Consistency-Token": str(shop.position)})
        await until(lambda: set(in_redis(redis)) == {"book"}, "a tombstone")
        await shop.get("/v1/products/kite", 404)
        owner.execute("UPDATE store.products SET status = 'active' WHERE slug = 'kite'")
        shop.changed("kite")
        await until(lambda: set(in_redis(redis)) == {"kite", "book"}, "back again")


def test_an_older_row_never_goes_over_a_newer_one(redis: Redis) -> None:
    redis.eval(WRITE, 1, "row", 0, 7, 2, "b", "new")
    redis.eval(WRITE, 1, "row", 0, 6, 2, "b", "old")
    assert redis.hgetall("row") == {b"v": b"7", b"b": b"new"}
    assert redis.ttl("row") == -1
    redis.eval(WRITE, 1, "row", 60, 8, 0)
    assert redis.hgetall("row") == {b"v": b"8"}, "a tombstone keeps its revision"
    assert 0 < redis.ttl("row") <= 60


def test_of_rows_written_together_each_is_compared_by_itself(redis: Redis) -> None:
    redis.eval(WRITE, 2, "first", "second", 0, 5, 4, "b", "one", "e", "tag", 9, 2, "b", "two")
    redis.eval(WRITE, 3, "first", "second", "third", 0, 6, 2, "b", "newer", 8, 2, "b", "older", 7, 0)
    assert redis.hgetall("first") == {b"v": b"6", b"b": b"newer"}, "no field of the row before is left"
    assert redis.hgetall("second") == {b"v": b"9", b"b": b"two"}
    assert redis.hgetall("third") == {b"v": b"7"}


async def test_a_flushed_redis_fills_itself_again(
    database: Database, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    async with open_shop(database, owner) as shop:
        for number in range(30):
            shop.add(f"Toy {number}")
        await shop.sync()
        await until(lambda: len(in_redis(redis)) == 30, "filled")
        first = redis.get(CATALOG_KEYS.live)
        redis.flushall()
        assert (await shop.get("/v1/products/toy-3"))["title"] == "Toy 3"
        await until(lambda: in_redis(redis) == in_postgres(owner), "filled again")
        assert redis.get(CATALOG_KEYS.live) != first
        await until(lambda: redis.get(ORDERS_KEYS.live) is not None, "orders as well")


async def test_orders_are_in_redis_for_their_owner_only(
    database: Database, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    user, order = UUID(int=1), UUID(int=2)
    owner.execute(
        "INSERT INTO read.orders_v1 (order_id, user_id, number, status, version, created_at, card, detail, digest,"
        " position, revision) VALUES (%s, %s, 'KR1', 'confirmed', 3, now(), '{}', '{\"id\":1}', %s, 1, 1)",
        (order, user, UUID(int=3)),
    )
    async with projecting(database):
        await until(lambda: redis.get(ORDERS_KEYS.live), "filled")
        generation = redis.get(ORDERS_KEYS.live)
        assert isinstance(generation, bytes)
        kept = redis.hgetall(ORDERS_KEYS.row(generation.decode(), str(order)))
    assert kept == {b"v": b"1", b"b": b'{"id":1}', b"o": str(user).encode(), b"n": b"3"}


@pytest.mark.parametrize("seconds", [pytest.param(4, id="short"), pytest.param(60, id="long", marks=pytest.mark.long)])
async def test_no_request_fails_whatever_happens_to_redis(
    database: Database, owner: psycopg.Connection[Any], seconds: int
) -> None:
    """Killed, flushed, restarted empty, under load: every GET is answered, never with less than was seen before."""
    server = start_redis(run_dir() / f"redis-own-{database.name}")
    settings = database.settings.model_copy(update={"redis_url": type(database.settings.redis_url)(server.url)})  # type: ignore[misc]
    mine = Database(database.name, database.cluster, settings)
    stop = asyncio.Event()
    answered = 0

    async def read(client: httpx.AsyncClient, slug: str) -> None:
        nonlocal answered
        newest = 0
        while not stop.is_set():
            response = await client.get(f"/v1/products/{slug}")
            assert response.status_code == 200, response.text
            price = response.json()["price"]
            assert price >= newest, "older than what was shown before"
            newest, answered = price, answered + 1
            await asyncio.sleep(0)

    async def write(shop: Shop) -> None:
        price = 10_000
        while not stop.is_set():
            price += 1
            owner.execute("UPDATE store.product_variants SET price = %s, mrp = %s", (price, price))
            for product in shop.products.values():
                shop.position = announce(owner, product)
            await asyncio.sleep(0.02)

    async def trouble() -> None:
        end = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < end:
            await asyncio.sleep(0.6)
            turn += 1
            if turn % 2:
                with Redis.from_url(server.url) as client:
                    client.flushall()
            else:
                stop_redis(server.directory)
                await asyncio.sleep(0.4)
                start_redis(server.directory)
        stop.set()

    try:
        async with open_shop(mine, owner) as shop:
            for number in range(5):
                shop.add(f"Toy {number}")
            await shop.sync()
            async with asyncio.TaskGroup() as group:
                for slug in shop.products:
                    group.create_task(read(shop.client, slug))
                group.create_task(write(shop))
                group.create_task(trouble())
            await reached(database, shop.position)
            with Redis.from_url(server.url) as client:
                await until(lambda: in_redis(client) == in_postgres(owner), "Redis agrees again by itself")
            assert one(owner, "SELECT count(*) FROM read.catalog WHERE live") == 5
    finally:
        stop_redis(server.directory)
    assert answered > 50 * seconds
