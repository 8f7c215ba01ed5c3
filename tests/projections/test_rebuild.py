"""Rebuild, rollback, verify, repair: nothing is lost, nobody waits, whoever is killed."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from redis import Redis

from app.core.paths import ROOT
from projections import filling
from projections.apply import Target
from projections.books import Live, connect
from projections.rebuild import Busy, rebuild, rebuilding, rollback
from projections.registry import PROJECTIONS
from projections.verify import repair, verify, verify_redis
from query_api.main import create_app
from tests.support.api import serving
from tests.support.builders import make_product, one, rows
from tests.support.cli import environment_for
from tests.support.databases import Database
from tests.support.projecting import announce, projecting, reached
from tests.support.shop import Shop

CATALOG = PROJECTIONS["catalog"]
Connection = psycopg.Connection[Any]
ROW = "SELECT product_id, live, card, detail, etag, tokens, words, stock, search, digest FROM read.{} ORDER BY 1"


def dsn(database: Database) -> str:
    return database.dsn("projector")


@asynccontextmanager
async def open_shop(database: Database, owner: psycopg.Connection[Any]) -> AsyncIterator[Shop]:
    async with projecting(database), serving(create_app(database.settings)) as client:
        yield Shop(database, owner, client)


@pytest.fixture(autouse=True)
def _empty_redis(redis: Redis) -> None:
    """Each database of its own has a Redis of its own."""


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small stores are filled by several sessions too."""
    monkeypatch.setattr(filling, "CHUNK_ROWS", 16)


@pytest.mark.parametrize("jobs", [1, 2, 8])
async def test_a_rebuilt_version_is_byte_identical(
    database: Database, owner: psycopg.Connection[Any], jobs: int
) -> None:
    async with projecting(database):
        made = [make_product(owner, stock=number) for number in range(40)]
        for product in made:
            last = announce(owner, product.product_id)
        await reached(database, last)
        before = rows(owner, ROW.format("catalog"))
        seen: list[tuple[str, int, int]] = []
        done = await rebuild(dsn(database), CATALOG, lambda *report: seen.append(report), jobs=jobs)
        assert (done.version, done.rows, done.differences.rows) == (2, 40, 0)
        assert rows(owner, ROW.format("catalog")) == before
        assert rows(owner, ROW.format("catalog_v1")) == before, "the old version stays for a rollback"
        assert ("fill", 40, 40) in seen
        await reached(database, announce(owner, made[0].product_id))
        done = await rebuild(dsn(database), CATALOG)
        assert done.version == 3
        assert one(owner, "SELECT to_regclass('read.catalog_v1')") is None, "the one before the last is dropped"


async def test_all_sessions_fill_from_one_snapshot(
    database: Database, owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A price that changes between two ranges is in neither of them: it comes by the tail, as its event says."""
    made = [make_product(owner, price=100) for _ in range(64)]
    for product in made:
        announce(owner, product.product_id)
    built = Target(CATALOG, Live(2, None, 1, CATALOG.shape), 0)
    async with await connect(dsn(database), "test") as connection:
        await connection.execute(CATALOG.create_table(2))

        def change(_: str, done: int, __: int) -> None:
            if done == 16:
                owner.execute("UPDATE store.product_variants SET price = 50")

        assert await filling.fill(connection, dsn(database), built, 1, 3, change) == 64
    assert rows(owner, "SELECT DISTINCT price FROM read.catalog_v2") == [(100,)]


async def test_a_session_that_dies_ends_the_rebuild_and_leaves_the_live_version(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    async with projecting(database):
        made = [make_product(owner) for _ in range(64)]
        for product in made:
            last = announce(owner, product.product_id)
        await reached(database, last)
        killed = []

        def kill(phase: str, _: int, __: int) -> None:
            if phase == "fill" and not killed:
                killed.extend(
                    rows(
                        owner,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name = 'kirana projections fill catalog' AND datname = current_database()",
                    )
                )

        with pytest.raises(psycopg.OperationalError):
            await rebuild(dsn(database), CATALOG, kill, jobs=3)
        assert killed
        assert one(owner, "SELECT to_regclass('read.catalog_v2')") is None
        assert one(owner, "SELECT count(*) FROM read.catalog") == 64
        assert (await rebuild(dsn(database), CATALOG)).rows == 64


async def test_changes_go_on_in_the_new_version(database: Database, owner: psycopg.Connection[Any]) -> None:
    async with open_shop(database, owner) as shop:
        shop.add("Kite", price=100)
        await shop.sync()
        await rebuild(dsn(database), CATALOG)
        owner.execute("UPDATE store.product_variants SET price = 200, mrp = 200")
        shop.changed("kite")
        await shop.sync()
        page = await shop.get("/v1/products/kite", **{"X-Consistency-Token": str(shop.position)})
        assert page["price"] == 200
        assert rows(owner, "SELECT price FROM read.catalog_v2") == [(200,)]
        assert rows(owner, "SELECT price FROM read.catalog_v1") == [(100,)]
        done = await rollback(dsn(database), CATALOG)
        assert done.version == 1
        assert rows(owner, "SELECT price FROM read.catalog") == [(200,)], "tailed to the present before it is shown"
        shop.add("Book")
        await shop.sync()
        assert set(await shop.titles("/v1/products")) == {"Kite", "Book"}
        assert one(owner, "SELECT count(*) FROM read.catalog_v1") == 2


async def test_rollback_needs_a_version_to_go_back_to(database: Database) -> None:
    with pytest.raises(LookupError, match="no version"):
        await rollback(dsn(database), CATALOG)


async def test_the_second_of_two_rebuilds_says_who_holds_it(database: Database) -> None:
    async with rebuilding(dsn(database), CATALOG, "rebuild"):
        with pytest.raises(Busy, match=r"being rebuilt by kirana projections rebuild catalog \(backend \d+"):
            await rebuild(dsn(database), CATALOG)


async def test_a_drifted_live_version_is_replaced_by_the_truth(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    async with projecting(database):
        for _ in range(3):
            last = announce(owner, make_product(owner).product_id)
        await reached(database, last)
        owner.execute(
            "UPDATE read.catalog_v1 SET price = 1, digest = uuidv7() WHERE slug = (SELECT min(slug) FROM read.catalog)"
        )
        owner.execute("DELETE FROM read.catalog_v1 WHERE slug = (SELECT max(slug) FROM read.catalog)")
        done = await rebuild(dsn(database), CATALOG)
        assert done.differences.rows == 2
        async with await connect(dsn(database), "test") as connection:
            assert (await verify(connection, CATALOG)).clean


async def test_verify_finds_drift_and_repair_mends_it(
    database: Database, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    async with projecting(database), await connect(dsn(database), "test") as connection:
        made = [make_product(owner) for _ in range(6)]
        for product in made:
            last = announce(owner, product.product_id)
        await reached(database, last)
        assert (await verify(connection, CATALOG)).clean
        owner.execute("UPDATE read.catalog_v1 SET price = 7 WHERE product_id = %s", (made[0].product_id,))
        owner.execute("DELETE FROM read.catalog_v1 WHERE product_id = %s", (made[1].product_id,))
        owner.execute(
            'INSERT INTO read.catalog_v1 SELECT (jsonb_populate_record(c, \'{"slug":"ghost"}\''
            " || jsonb_build_object('product_id', uuidv7()))).* FROM read.catalog_v1 c LIMIT 1"
        )
        ghost = one(owner, "SELECT product_id FROM read.catalog_v1 WHERE slug = 'ghost'")
        drift = await verify(connection, CATALOG)
        assert set(drift.view) == {made[0].product_id, made[1].product_id, ghost}
        assert drift.rows == 6
        await repair(connection, CATALOG, drift.view)
        assert (await verify(connection, CATALOG)).clean
        assert one(owner, "SELECT count(*) FROM read.catalog") == 6
        url = database.settings.redis_dsn()
        end = time.monotonic() + 20
        while await verify_redis(connection, CATALOG, url) != []:
            assert time.monotonic() < end
        key = next(redis.scan_iter("kirana:catalog:*"))
        redis.hset(key, "b", "wrong")
        assert await verify_redis(connection, CATALOG, url) == [key.decode().split("{")[1][:-1]]


@pytest.mark.parametrize(
    ("products", "rebuilds"),
    [pytest.param(300, 2, id="short"), pytest.param(20_000, 2, id="long", marks=pytest.mark.long)],
)
async def test_nobody_notices_a_rebuild(
    database: Database, owner: psycopg.Connection[Any], products: int, rebuilds: int
) -> None:
    """Readers at full speed, writers changing prices and stock: no failed request, nothing partial, nothing older."""
    async with open_shop(database, owner) as shop:
        seed(owner, products)
        shop.position = one(owner, "SELECT max(position) FROM store.outbox")
        await shop.sync()
        stop, answered = asyncio.Event(), [0]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read_pages(shop, stop, answered, number)) for number in range(3)]
            tasks.append(group.create_task(read_lists(shop, stop, answered, products)))
            tasks.append(group.create_task(asyncio.to_thread(write_until, database, stop, products)))
            try:
                for _ in range(rebuilds):
                    await rebuild(dsn(database), CATALOG)
            finally:
                stop.set()
        await reached(database, one(owner, "SELECT max(position) FROM store.outbox"))
        async with await connect(dsn(database), "test") as connection:
            drift = await verify(connection, CATALOG)
        assert drift.clean, drift
        assert drift.rows == products
        assert answered[0] > 50


def seed(owner: psycopg.Connection[Any], products: int) -> None:
    """Products with a variant and stock each, by SQL, and an event for each."""
    owner.execute(
        "INSERT INTO store.products (slug, title, status, published_at) SELECT 'item-' || n, 'Item ' || n, 'active',"
        " now() - interval '1 day' FROM generate_series(1, %s) AS n",
        (products,),
    )
    owner.execute(
        "INSERT INTO store.product_variants (product_id, sku, title, price, mrp, tax_class_code)"
        " SELECT id, upper(slug), '', 1000, 1000, 'gst-18' FROM store.products"
    )
    owner.execute(
        "INSERT INTO store.warehouses (code, name, state_code, pincode) VALUES ('BLR', 'BLR', 'KA', '560001')"
        " ON CONFLICT DO NOTHING"
    )
    owner.execute(
        "INSERT INTO store.inventory (variant_id, warehouse_id, bucket, on_hand)"
        " SELECT v.id, w.id, 0, 5 FROM store.product_variants v CROSS JOIN store.warehouses w"
    )
    owner.execute(
        "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type)"
        " SELECT 'catalog', id, 'product', id, 1, 'product.saved' FROM store.products"
    )


async def read_pages(shop: Shop, stop: asyncio.Event, answered: list[int], seed_number: int) -> None:
    """Prices only rise: a page with a lower price than one seen before is older."""
    chance, seen = random.Random(seed_number), dict[int, int]()
    while not stop.is_set():
        number = chance.randint(1, 40)
        response = await shop.client.get(f"/v1/products/item-{number}")
        assert response.status_code == 200, response.text
        page = response.json()
        price, variant = page["price"], page["variants"][0]
        assert price == variant["price"], "one row is one moment"
        assert price >= seen.get(number, 0), "older than what was seen before"
        seen[number] = price
        answered[0] += 1


async def read_lists(shop: Shop, stop: asyncio.Event, answered: list[int], products: int) -> None:
    while not stop.is_set():
        response = await shop.client.get("/v1/products?limit=100&sort=newest")
        assert response.status_code == 200, response.text
        page = response.json()
        assert page["total"] == products, "never a part of the catalog"
        assert len(page["items"]) == 100
        answered[0] += 1


def write_until(database: Database, stop: asyncio.Event, products: int) -> None:
    with database.connect("owner") as connection:
        number = 0
        while not stop.is_set():
            number = number % min(products, 40) + 1
            with connection.transaction():
                product = one(connection, "SELECT id FROM store.products WHERE slug = %s", f"item-{number}")
                connection.execute(
                    "UPDATE store.product_variants SET price = price + 1, mrp = mrp + 1 WHERE product_id = %s",
                    (product,),
                )
                announce(connection, product)
            time.sleep(0.002)


@pytest.mark.parametrize("kills", [pytest.param(2, id="short"), pytest.param(10, id="long", marks=pytest.mark.long)])
async def test_a_rebuild_that_is_killed_harms_nobody(
    database: Database, owner: psycopg.Connection[Any], kills: int
) -> None:
    """kill -9 at random moments: the service goes on, the next rebuild succeeds and clears up."""
    chance = random.Random(kills)
    async with open_shop(database, owner) as shop:
        seed(owner, 2000)
        shop.position = one(owner, "SELECT max(position) FROM store.outbox")
        await shop.sync()
        for _ in range(kills):
            process = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, "-m", "app.cli", "projections", "rebuild", "catalog"],
                cwd=ROOT,
                env=os.environ | environment_for(database),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            await asyncio.sleep(1.0 + chance.random() * 1.5)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert (await shop.get("/v1/products/item-7"))["title"] == "Item 7"
            assert (await shop.get("/v1/products?limit=1"))["total"] == 2000
        end = time.monotonic() + 20
        while True:
            try:
                done = await rebuild(dsn(database), CATALOG)
            except Busy:
                assert time.monotonic() < end, "the dead rebuild's session must end"
                await asyncio.sleep(0.05)
            else:
                break
        assert done.rows == 2000
        versions = rows(owner, "SELECT version, state FROM read.projection_versions WHERE projection = 'catalog'")
        assert {state for _, state in versions} == {"live", "kept"}
        tables = one(
            owner, "SELECT count(*) FROM pg_tables WHERE schemaname = 'read' AND starts_with(tablename, 'catalog_v')"
        )
        assert tables == 2
        async with await connect(dsn(database), "test") as connection:
            assert (await verify(connection, CATALOG)).clean


def test_a_range_is_never_taken_for_a_row(owner: Connection) -> None:
    """Of ids the planner knows a few bounds; between two of them it must not expect nothing, and loop over all."""
    owner.execute(
        "INSERT INTO store.products (slug, title, status)"
        " SELECT 'p-' || n, 'P', 'draft' FROM generate_series(1, 3000) AS n"
    )
    owner.execute("ALTER TABLE store.products ALTER id SET STATISTICS 1")
    owner.execute("ANALYZE store.products")
    low = one(owner, "SELECT id FROM store.products ORDER BY id OFFSET 500 LIMIT 1")
    with psycopg.ClientCursor(owner) as cursor:
        statement = f"EXPLAIN (FORMAT JSON) {CATALOG.rows(CATALOG.wanted_next())}"
        found = cursor.execute(statement, {"low": low, "rows": 1000}).fetchone()
    assert found is not None
    assert _rows_of(found[0][0]["Plan"], "CTE wanted") == 1000


def _rows_of(plan: dict[str, Any], name: str) -> int:
    """What the planner expects of a part of a plan; 0 where there is none of the name."""
    if plan.get("Subplan Name") == name:
        return int(plan["Plan Rows"])
    return max((_rows_of(part, name) for part in plan.get("Plans", ())), default=0)
