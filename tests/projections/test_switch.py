"""The switch to a rebuilt version: whoever was shown a page by either is never shown an older one after it."""

import asyncio
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from redis import Redis

from projections.rebuild import rebuild, rollback
from projections.registry import PROJECTIONS
from tests.support.builders import make_product, one, rows
from tests.support.databases import Database
from tests.support.projecting import announce, projecting, reached

CATALOG = PROJECTIONS["catalog"]


def dsn(database: Database) -> str:
    return database.dsn("projector")


@pytest.fixture(autouse=True)
def _empty_redis(redis: Redis) -> None:
    """Each database of its own has a Redis of its own."""


async def test_the_next_version_knows_all_that_the_live_one_may_have_shown(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    """A live row may say more than the events applied to it; at the switch nothing that can be seen is missing."""
    async with projecting(database):
        product = make_product(owner, price=100).product_id
        applied = announce(owner, product)
        await reached(database, applied)

    def change(phase: str, _: int, __: int) -> None:
        if phase == "switch":
            owner.execute("UPDATE store.product_variants SET price = 200, mrp = 200")
            announce(owner, product)

    assert (await rebuild(dsn(database), CATALOG, change)).differences.rows == 0, "not yet applied is not drifted"
    shown = one(owner, "SELECT position FROM read.catalog WHERE price = 200")
    assert shown > applied, "a copy of the version before, at the position it was at, is known to be older"
    assert one(owner, "SELECT position FROM read.projection_checkpoints WHERE projection = 'catalog'") == shown
    kept = one(owner, "SELECT position FROM read.projection_versions WHERE projection = 'catalog' AND state = 'kept'")
    assert kept == applied
    await rollback(dsn(database), CATALOG)
    assert rows(owner, "SELECT price FROM read.catalog_v1") == [(200,)]


async def test_an_event_that_changed_nothing_still_moves_the_next_versions_row(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    async with projecting(database):
        product = make_product(owner).product_id
        await reached(database, announce(owner, product))
    told: list[int] = []

    def tell(phase: str, _: int, __: int) -> None:
        if phase == "tail":
            told.append(announce(owner, product))

    await rebuild(dsn(database), CATALOG, tell)
    assert rows(owner, "SELECT position FROM read.catalog") == [(told[0],)]


async def test_a_switch_waits_for_the_transactions_that_may_still_add_an_event(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    first, second = make_product(owner, price=100).product_id, make_product(owner, price=100).product_id
    for product in (first, second):
        announce(owner, product)
    reprice = "UPDATE store.product_variants SET price = 50 WHERE product_id = %s"
    with database.connect("owner") as slow:

        def write(phase: str, _: int, __: int) -> None:
            if phase == "switch" and slow.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                slow.execute("BEGIN")
                slow.execute(reprice, (first,))
                announce(slow, first)
                owner.execute(reprice, (second,))
                announce(owner, second)

        building = asyncio.create_task(rebuild(dsn(database), CATALOG, write))
        await asyncio.sleep(1.5)
        assert not building.done()
        slow.execute("COMMIT")
        await building
    assert rows(owner, "SELECT price FROM read.catalog") == [(50,), (50,)]


async def test_a_release_with_another_column_takes_over_from_one_without(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    """The view is made anew, and is readable as before; a projector of the new code goes on from there."""
    listed = ", ".join(name for name in (CATALOG.key, *CATALOG.columns) if name != "prominence")
    older = replace(
        CATALOG,
        columns={name: kind for name, kind in CATALOG.columns.items() if name != "prominence"},
        select=f"SELECT {listed} FROM ({CATALOG.select}) AS newer",
        indexes={name: body for name, body in CATALOG.indexes.items() if name != "prominence"},
    )
    product = make_product(owner, price=100).product_id
    announce(owner, product)
    assert (await rebuild(dsn(database), older)).differences.rows is None
    async with projecting(database), await database.aconnect("query") as reader:
        prepared = "SELECT count(*) FROM read.catalog WHERE price > %s"
        await reader.execute(prepared, (0,), prepare=True)
        await reached(database, announce(owner, product), "orders")
        assert (await rebuild(dsn(database), CATALOG)).differences.rows is None
        await reached(database, announce(owner, make_product(owner).product_id))
        cursor = await reader.execute("SELECT count(*), count(prominence) FROM read.catalog")
        assert await cursor.fetchone() == (2, 2)
        cursor = await reader.execute(prepared, (0,), prepare=True)
        assert await cursor.fetchone() == (2,), "what a process has prepared goes on"
