"""View = truth: whatever was commanded, every view row is what the store says, and a rebuild yields the same bytes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from redis import Redis

from app.main import create_app
from projections.books import connect
from projections.definition import Projection
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from projections.verify import verify, verify_navigation, verify_redis
from tests.support.api import serving
from tests.support.builders import one, rows
from tests.support.databases import Database
from tests.support.projecting import document, projecting, reached
from tests.support.shop import Shop
from tests.support.walker import Walker

PATIENCE_SECONDS = 30


@asynccontextmanager
async def open_shop(database: Database, owner: psycopg.Connection[Any]) -> AsyncIterator[Shop]:
    async with projecting(database), serving(create_app(database.settings)) as client:
        yield Shop(database, owner, client)


@pytest.mark.parametrize(
    ("seed", "steps"),
    [
        pytest.param(1, 250, id="short"),
        *[pytest.param(seed, 1500, id=f"long-{seed}", marks=pytest.mark.long) for seed in range(2, 8)],
    ],
)
async def test_every_row_is_what_the_store_says(
    database: Database, owner: psycopg.Connection[Any], redis: Redis, seed: int, steps: int
) -> None:
    async with open_shop(database, owner) as shop:
        walker = Walker(shop, seed)
        await walker.set_up()
        await walker.walk(steps)
        assert len([step for (step, status) in walker.done if status < 300]) >= 12, walker.done
        await reached(database, one(owner, "SELECT max(position) FROM store.outbox"))
        await settled(owner)
        the_catalog_by_other_words(owner)
        the_orders_by_other_words(owner)
        async with await connect(database.dsn("projector"), "test") as connection:
            for projection in PROJECTIONS.values():
                drift = await verify(connection, projection)
                assert drift.clean, (projection.name, drift)
                assert drift.rows > 0
                await redis_agrees(connection, projection, database)
            assert await verify_navigation(connection) == []
        for projection in PROJECTIONS.values():
            await rebuilt_the_same(database, owner, projection)


async def settled(owner: psycopg.Connection[Any]) -> None:
    """Recent sales are told to the catalog a little later."""
    end = time.monotonic() + PATIENCE_SECONDS
    quiet = 0
    while quiet < 5:
        assert time.monotonic() < end
        pending = one(owner, "SELECT count(*) FROM read.pending_keys")
        quiet = quiet + 1 if pending == 0 else 0
        await asyncio.sleep(0.1)


async def redis_agrees(connection: Any, projection: Projection, database: Database) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while await verify_redis(connection, projection, database.settings.redis_dsn()) != []:
        assert time.monotonic() < end, f"{projection.name} in Redis"


async def rebuilt_the_same(database: Database, owner: psycopg.Connection[Any], projection: Projection) -> None:
    columns = ", ".join((projection.key, *projection.columns, "digest"))
    before = rows(owner, f"SELECT {columns} FROM {projection.view} ORDER BY 1")
    done = await rebuild(database.dsn("projector"), projection)
    assert done.differences.rows == 0
    assert rows(owner, f"SELECT {columns} FROM {projection.view} ORDER BY 1") == before


def the_catalog_by_other_words(owner: psycopg.Connection[Any]) -> None:
    """What a product's page must say, computed without the projection's SELECT."""
    for product, slug, status in rows(owner, "SELECT id, slug, status FROM store.products"):
        live, body, tokens = owner.execute(
            "SELECT live, detail, tokens FROM read.catalog WHERE product_id = %s", (product,)
        ).fetchone() or (None, None, [])
        variants = rows(
            owner,
            "SELECT v.sku, v.price, v.mrp, COALESCE((SELECT sum(i.on_hand - i.reserved) FROM store.inventory i"
            " JOIN store.warehouses w ON w.id = i.warehouse_id AND w.is_active WHERE i.variant_id = v.id), 0)::int"
            " FROM store.product_variants v WHERE v.product_id = %s AND v.is_active ORDER BY v.position, v.sku",
            product,
        )
        assert live is (status == "active" and bool(variants)), slug
        if not live:
            assert body is None
            continue
        page = document(body)
        shown = [(v["sku"], v["price"], v["mrp"], v["available"]) for v in page["variants"]]
        assert shown == variants, slug
        stock = sum(variant[3] for variant in variants)
        assert (page["available"], page["in_stock"]) == (stock, stock > 0)
        assert ("s:in" in tokens) is (stock > 0)


def the_orders_by_other_words(owner: psycopg.Connection[Any]) -> None:
    orders = rows(
        owner,
        "SELECT id, status, payment_status, grand_total, captured_total, refunded_total, version FROM store.orders",
    )
    assert one(owner, "SELECT count(*) FROM read.orders") == len(orders) > 0
    for order, *facts in orders:
        page = document(one(owner, "SELECT detail FROM read.orders WHERE order_id = %s", order))
        names = ("status", "payment_status", "grand_total", "captured_total", "refunded_total", "version")
        assert [page[name] for name in names] == facts
        paid = rows(owner, "SELECT status FROM store.payments WHERE order_id = %s ORDER BY attempt_no", order)
        assert [payment["status"] for payment in page["payments"]] == [status for (status,) in paid]
        given = rows(
            owner, "SELECT status, amount FROM store.refunds WHERE order_id = %s ORDER BY created_at, id", order
        )
        assert [(refund["status"], refund["amount"]) for refund in page["refunds"]] == given
        happened = one(owner, "SELECT count(*) FROM store.order_events WHERE order_id = %s", order)
        assert len(page["timeline"]) == happened
