"""Reading one's own writes: a token is honoured by the next GET; with no projector there is a fall-back, no hang."""

import asyncio
import time
import uuid
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis

from app.main import create_app
from tests.support.api import bearer, serving
from tests.support.builders import make_address, make_cart, make_product, make_staff, make_user
from tests.support.databases import Database
from tests.support.projecting import after, announce, projecting
from tests.support.shop import Shop


@pytest.mark.parametrize("tries", [pytest.param(60, id="short"), pytest.param(1000, id="long", marks=pytest.mark.long)])
async def test_a_token_is_honoured_by_the_next_get(shop: Shop, tries: int) -> None:
    """Prices changed over HTTP by staff at load; each GET with its token shows its price: page, list, search, stock."""
    writers = 4
    variants = [make_product(shop.owner, f"TOK-{number}", price=1000, mrp=10**9, stock=5) for number in range(writers)]
    for variant in variants:
        shop.position = announce(shop.owner, variant.product_id)
    await shop.sync()
    staff = bearer(shop.database.settings, make_staff(shop.owner), "owner")
    honoured = 0

    async def write_and_read(number: int) -> None:
        nonlocal honoured
        sku, slug = f"TOK-{number}", f"p-tok-{number}"
        for turn in range(tries // writers):
            price = 2000 + turn
            sent = await shop.client.post(
                f"/v1/admin/variants/{sku}/prices",
                json={"price": price, "mrp": 10**9},
                headers=staff | {"Idempotency-Key": uuid.uuid4().hex},
            )
            assert sent.is_success, sent.text
            headers = after(sent.headers["x-consistency-token"])
            path = (f"/v1/products/{slug}", "/v1/products?facets=false", f"/v1/search?q={sku}&facets=false")[turn % 3]
            read = await shop.client.get(path, headers=headers)
            assert "x-stale" not in read.headers
            found = read.json()
            card = found if "slug" in found else next(item for item in found["items"] if item["slug"] == slug)
            assert card["price"] == price
            honoured += 1

    await asyncio.gather(*(write_and_read(number) for number in range(writers)))
    assert honoured == tries // writers * writers


@pytest.mark.parametrize("tries", [pytest.param(12, id="short"), pytest.param(200, id="long", marks=pytest.mark.long)])
async def test_an_order_is_there_at_once(shop: Shop, tries: int) -> None:
    variant = make_product(shop.owner, stock=10 * tries)
    for _ in range(tries):
        user = make_user(shop.owner)
        make_cart(shop.owner, user, (variant, 1))
        headers = bearer(shop.database.settings, user)
        sent = await shop.client.post(
            "/v1/checkout",
            json={"address_id": str(make_address(shop.owner, user)), "payment_method": "cod"},
            headers=headers | {"Idempotency-Key": uuid.uuid4().hex},
        )
        assert sent.is_success, sent.text
        made = sent.json()
        given = after(sent.headers["x-consistency-token"])
        assert (await shop.get(f"/v1/orders/{made['id']}", **headers, **given))["version"] == made["version"]
        assert [card["id"] for card in (await shop.get("/v1/orders", **headers, **given))["items"]] == [made["id"]]


async def test_without_a_projector_there_is_a_fall_back(
    database: Database, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    """Lists and pages answer what they have and say so; orders come from the primary; nothing hangs."""
    async with serving(create_app(database.settings)) as client:
        shop = Shop(database, owner, client)
        async with projecting(database):
            shop.add("Kite", price=100)
            await shop.sync()
        owner.execute("UPDATE store.product_variants SET price = 200, mrp = 200")
        position = shop.changed("kite")
        for path in ("/v1/products/kite", "/v1/products", "/v1/search?q=kite", "/v1/inventory?sku=KITE", "/v1/home"):
            started = time.monotonic()
            response = await client.get(path, headers={"X-Consistency-Token": str(position), "Prefer": "wait=50"})
            assert response.status_code == 200
            assert response.headers["x-stale"] == "true"
            assert response.headers["cache-control"] == "no-store"
            assert time.monotonic() - started < 5
        await order_from_the_primary(shop, client)


async def order_from_the_primary(shop: Shop, client: httpx.AsyncClient) -> None:
    user = make_user(shop.owner)
    make_cart(shop.owner, user, (make_product(shop.owner, stock=5), 1))
    headers = bearer(shop.database.settings, user)
    sent = await client.post(
        "/v1/checkout",
        json={"address_id": str(make_address(shop.owner, user)), "payment_method": "cod"},
        headers=headers | {"Idempotency-Key": uuid.uuid4().hex},
    )
    given = {"X-Consistency-Token": sent.headers["x-consistency-token"], "Prefer": "wait=20"}
    order = sent.json()["id"]
    assert (await shop.get(f"/v1/orders/{order}", **headers, **given))["id"] == order
    assert (await shop.get(f"/v1/orders/{order}", **headers))["id"] == order, "also without a token"
    assert [card["id"] for card in (await shop.get("/v1/orders", **headers, **given))["items"]] == [order]


async def test_patience_is_capped_and_tokens_are_checked(
    database: Database, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    async with serving(create_app(database.settings)) as client:
        announce(owner, uuid.uuid4())
        started = time.monotonic()
        response = await client.get("/v1/products", headers={"X-Consistency-Token": "1", "Prefer": "wait=999999"})
        assert response.headers["x-stale"] == "true"
        assert 1.9 < time.monotonic() - started < 6
        for wrong in ("abc", "-1", "9" * 19, ""):
            response = await client.get("/v1/products", headers={"X-Consistency-Token": wrong})
            assert response.status_code == 422, wrong


async def test_freshness_is_of_all_that_is_registered(
    database: Database, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    """A shard that never began is at position 0, not absent."""
    owner.execute("UPDATE read.projections SET shards = 2 WHERE name = 'catalog'")
    async with serving(create_app(database.settings)) as client:
        shop = Shop(database, owner, client)
        shop.add("Kite")
        shop.position = announce(owner, uuid.UUID(int=2))
        async with projecting(database, [0]):
            given = {"X-Consistency-Token": str(shop.position), "Prefer": "wait=300"}
            response = await client.get("/v1/products", headers=given)
            assert response.headers["x-stale"] == "true"
        async with projecting(database):
            response = await client.get("/v1/products", headers=after(shop.position))
            assert "x-stale" not in response.headers
