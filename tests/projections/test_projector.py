"""The projector: batches, leaders and standbys, dead letters, lost databases."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.support.builders import make_product, one, rows
from tests.support.databases import Database
from tests.support.projecting import announce, document, projecting, reached

Connection = psycopg.Connection[Any]


async def test_a_change_reaches_the_view(database: Database, owner: Connection) -> None:
    made = make_product(owner, "KURTA-1", price=49_900, mrp=99_900, stock=3)
    async with projecting(database):
        await reached(database, announce(owner, made.product_id))
        row = owner.execute("SELECT live, in_stock, price, card, detail, tokens FROM read.catalog").fetchone()
        assert row is not None
        assert row[:3] == (True, True, 49_900)
        card, detail = document(row[3]), document(row[4])
        assert (card["sku"], card["discount_percent"], card["in_stock"]) == ("KURTA-1", 50, True)
        assert [variant["available"] for variant in detail["variants"]] == [3]
        assert {"s:in", "d:50", "p:1"} <= set(row[5])
        owner.execute("UPDATE store.inventory SET reserved = on_hand")
        await reached(database, announce(owner, made.product_id))
        assert one(owner, "SELECT in_stock FROM read.catalog") is False


async def test_a_thousand_events_of_one_row_are_one_upsert(database: Database, owner: Connection) -> None:
    made = make_product(owner)
    last = announce(owner, made.product_id, count=1000)
    async with projecting(database):
        await reached(database, last)
    assert one(owner, "SELECT changes FROM read.projection_checkpoints WHERE projection = 'catalog'") == 1


async def test_what_did_not_change_keeps_its_revision(database: Database, owner: Connection) -> None:
    made = make_product(owner)
    async with projecting(database):
        await reached(database, announce(owner, made.product_id))
        before = rows(owner, "SELECT revision, position, etag FROM read.catalog")
        await reached(database, announce(owner, made.product_id))
        assert rows(owner, "SELECT revision, position, etag FROM read.catalog") == before


async def test_a_standby_takes_over(database: Database, owner: Connection) -> None:
    made = make_product(owner)
    async with projecting(database) as first:
        await reached(database, announce(owner, made.product_id))
        async with projecting(database) as second:
            await asyncio.sleep(0.2)
            assert first.leads
            assert not second.leads
            owner.execute(
                "SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted"
                " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            await reached(database, announce(owner, make_product(owner).product_id))
        first.stop()
    assert one(owner, "SELECT count(*) FROM read.catalog") == 2


async def test_the_database_may_go_away_and_come_back(database: Database, owner: Connection) -> None:
    async with projecting(database):
        await reached(database, announce(owner, make_product(owner).product_id))
        for _ in range(3):
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kirana_projector'"
                " AND datname = current_database()"
            )
            await reached(database, announce(owner, make_product(owner).product_id))
    assert one(owner, "SELECT count(*) FROM read.catalog") == 4


async def test_a_poison_row_is_parked_and_the_rest_goes_on(database: Database, owner: Connection) -> None:
    good, bad = make_product(owner, "GOOD"), make_product(owner, "BAD")
    owner.execute("ALTER TABLE read.catalog_v1 ADD CONSTRAINT refuses CHECK (slug <> 'p-bad')")
    announce(owner, bad.product_id)
    async with projecting(database):
        await reached(database, announce(owner, good.product_id))
        assert rows(owner, "SELECT slug FROM read.catalog") == [("p-good",)]
        parked = rows(owner, "SELECT projection, view_key, sqlstate, attempts FROM read.dead_letters")
        assert parked == [("catalog", bad.product_id, "23514", 1)]
        owner.execute("ALTER TABLE read.catalog_v1 DROP CONSTRAINT refuses")
        await reached(database, announce(owner, bad.product_id))
    assert rows(owner, "SELECT slug FROM read.catalog ORDER BY 1") == [("p-bad",), ("p-good",)]
    assert rows(owner, "SELECT * FROM read.dead_letters") == [], "a row that can be computed again is no dead letter"


async def test_a_statement_that_is_wrong_for_all_rows_parks_none(database: Database, owner: Connection) -> None:
    """Five rows fail alike: that is the weather, and waiting is right; nothing is parked and nothing is skipped."""
    made = [make_product(owner) for _ in range(5)]
    owner.execute("ALTER TABLE read.catalog_v1 ADD CONSTRAINT refuses CHECK (false) NOT VALID")
    with owner.transaction():
        for product in made:
            last = announce(owner, product.product_id)
    async with projecting(database):
        await reached(database, last, "orders")
        await asyncio.sleep(0.3)
        assert rows(owner, "SELECT * FROM read.dead_letters") == []
        assert one(owner, "SELECT position FROM read.projection_checkpoints WHERE projection = 'catalog'") == 0


async def test_unknown_keys_do_no_harm(database: Database, owner: Connection) -> None:
    async with projecting(database):
        await reached(database, announce(owner, uuid4()))
    assert rows(owner, "SELECT * FROM read.catalog") == []


async def test_a_category_touches_every_product_below_it(database: Database, owner: Connection) -> None:
    root: UUID = one(
        owner,
        "INSERT INTO store.categories (id, slug, name, ancestor_ids) SELECT id, 'toys', 'Toys',"
        " ARRAY[id] FROM (SELECT uuidv7() AS id) AS made RETURNING id",
    )
    made = make_product(owner, category_id=root)
    async with projecting(database):
        await reached(database, announce(owner, made.product_id))
        owner.execute("UPDATE store.categories SET name = 'Playthings'")
        await reached(database, announce(owner, root, "category"))
        page = document(one(owner, "SELECT detail FROM read.catalog"))
    assert page["breadcrumbs"] == [{"slug": "toys", "name": "Playthings"}]


async def test_shards_share_the_work(database: Database, owner: Connection) -> None:
    owner.execute("UPDATE read.projections SET shards = 3 WHERE name = 'catalog'")
    made = [make_product(owner) for _ in range(12)]
    async with projecting(database, [0, 1]), projecting(database, [2]):
        for product in made:
            last = announce(owner, product.product_id)
        await reached(database, last)
    assert one(owner, "SELECT count(*) FROM read.catalog") == 12
    assert (
        one(owner, "SELECT count(*) FROM read.projection_checkpoints WHERE projection = 'catalog' AND changes > 0") > 1
    )


async def test_stopping_is_quick(database: Database, owner: Connection) -> None:
    async with projecting(database):
        await reached(database, announce(owner, make_product(owner).product_id))
        started = time.monotonic()
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("status", ["draft", "archived"])
async def test_what_is_not_shown_has_nothing_to_send(database: Database, owner: Connection, status: str) -> None:
    made = make_product(owner)
    async with projecting(database):
        await reached(database, announce(owner, made.product_id))
        owner.execute("UPDATE store.products SET status = %s", (status,))
        await reached(database, announce(owner, made.product_id))
    assert rows(owner, "SELECT live, card, detail, etag FROM read.catalog") == [(False, None, None, None)]
