"""GETs of stock, holds, backorders, transfers and counts: documents, filters, pages, who may; and what shoppers see."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from app.core.config import Settings
from query_api.schemas import admin_stock as schemas
from query_api.schemas.catalog import ProductPage, StockList
from tests.support.api import bearer
from tests.support.builders import (
    Variant,
    call,
    expire_hold,
    idempotent,
    make_order,
    make_product,
    make_staff,
    make_user,
    make_warehouse,
    one,
)
from tests.support.projecting import reached
from tests.support.shop import Shop


@pytest.fixture
def staff(shop: Shop) -> UUID:
    for code in ("BLR", "DEL"):
        make_warehouse(shop.owner, code)
    return make_staff(shop.owner, "inventory")


@pytest.fixture
def headers(shop: Shop, staff: UUID) -> dict[str, str]:
    settings: Settings = shop.database.settings
    return bearer(settings, staff, "inventory")


def receive(shop: Shop, staff: UUID, variant: Variant, units: int, warehouse: str = "BLR") -> int:
    given = {"p_sku": variant.sku, "p_warehouse_code": warehouse, "p_quantity": units}
    done = call(shop.owner, "increase_inventory", p_staff_id=staff, **given, **idempotent())
    return int(done["position"])


def allow(shop: Shop, staff: UUID, variant: Variant, limit: int, *, preorder: bool = False) -> int:
    given: dict[str, Any] = {"p_sku": variant.sku, "p_policy": "backorder", "p_backorder_limit": limit}
    if preorder:
        given |= {"p_policy": "preorder", "p_available_from": datetime.fromisoformat("2099-06-01T00:00:00+00:00")}
    return int(call(shop.owner, "set_stock_policy", p_staff_id=staff, **given)["position"])


async def skus(shop: Shop, path: str, headers: dict[str, str]) -> list[str]:
    return [item["sku"] for item in (await shop.get(path, **headers))["items"]]


async def test_levels(shop: Shop, staff: UUID, headers: dict[str, str]) -> None:
    plenty, low, out, none, ahead = (make_product(shop.owner, f"{name}-1") for name in ("A", "B", "B_2", "C", "D"))
    for variant, units in ((plenty, 50), (low, 6), (out, 1)):
        receive(shop, staff, variant, units)
    receive(shop, staff, plenty, 2, "DEL")
    make_order(shop.owner, (low, 2))
    make_order(shop.owner, (out, 1), method="cod")
    allow(shop, staff, ahead, 5)
    make_order(shop.owner, (ahead, 2))
    everything = await shop.get("/v1/admin/inventory", **headers)
    schemas.StockLevelList.model_validate(everything)
    found = {item["sku"]: item for item in everything["items"]}
    assert list(found) == sorted(found)
    assert [(found[v.sku]["level"], found[v.sku]["available"]) for v in (plenty, low, out, none)] == [
        ("ok", 52),
        ("low", 4),
        ("out", 0),
        ("out", 0),
    ]
    assert [(place["warehouse"], place["on_hand"]) for place in found["A-1"]["warehouses"]] == [("BLR", 50), ("DEL", 2)]
    assert (found["D-1"]["policy"], found["D-1"]["backordered"], found["D-1"]["backorder_limit"]) == ("backorder", 2, 5)
    assert await skus(shop, "/v1/admin/inventory?low=true", headers) == ["B-1", "B_2-1"], (
        "what was never there is not low"
    )
    assert await skus(shop, "/v1/admin/inventory?sku=B_", headers) == ["B_2-1"], "an underscore is an underscore"
    assert await skus(shop, "/v1/admin/inventory?warehouse=DEL", headers) == ["A-1"]
    assert await skus(shop, "/v1/admin/inventory?warehouse=DEL&low=true", headers) == ["A-1"], "two lie in DEL"
    first = await shop.get("/v1/admin/inventory?limit=2", **headers)
    second = await shop.get(f"/v1/admin/inventory?limit=2&cursor={first['next_cursor']}", **headers)
    assert [item["sku"] for item in first["items"] + second["items"]] == ["A-1", "B-1", "B_2-1", "C-1"]
    await shop.get(f"/v1/admin/inventory?low=true&cursor={first['next_cursor']}", 422, **headers)


async def test_reservations_and_backorders(shop: Shop, staff: UUID, headers: dict[str, str]) -> None:
    one_sku, other = make_product(shop.owner, "ONE"), make_product(shop.owner, "TWO")
    for variant in (one_sku, other):
        receive(shop, staff, variant, 3)
    allow(shop, staff, other, 9)
    held = make_order(shop.owner, (one_sku, 1))
    late = make_order(shop.owner, (one_sku, 1))
    expire_hold(shop.owner, late["id"])
    sold = make_order(shop.owner, (one_sku, 1), (other, 5), method="cod")
    path = "/v1/admin/reservations"

    async def orders(query: str) -> list[str]:
        page = await shop.get(path + query, **headers)
        schemas.ReservationList.model_validate(page)
        return [item["order_id"] for item in page["items"]]

    assert await orders("?sku=ONE") == [sold["id"], late["id"], held["id"]], "newest first"
    assert await orders("?state=open") == [held["id"]]
    assert await orders("?state=expired") == [late["id"]]
    assert await orders(f"?order_id={sold['id']}&state=consumed") == [sold["id"]] * 2
    assert await orders("?state=released") == []
    page = await shop.get(f"{path}?limit=1&sku=ONE", **headers)
    assert (await shop.get(f"{path}?limit=1&sku=ONE&cursor={page['next_cursor']}", **headers))["items"][0][
        "order_id"
    ] == late["id"]
    found = await shop.get("/v1/admin/backorders?status=waiting&sku=TWO", **headers)
    schemas.BackorderList.model_validate(found)
    [waiting] = found["items"]
    assert (waiting["order_id"], waiting["waiting_quantity"]) == (sold["id"], 2)
    assert (await shop.get("/v1/admin/backorders?status=allocated", **headers))["items"] == []


async def test_transfers_and_counts(shop: Shop, staff: UUID, headers: dict[str, str]) -> None:
    variant, other = make_product(shop.owner, "ONE"), make_product(shop.owner, "TWO")
    for each in (variant, other):
        receive(shop, staff, each, 9)
    who = {"p_staff_id": staff}
    lines = [{"sku": "ONE", "quantity": 4}]
    route = {"p_transfer_id": None, "p_from_warehouse": "BLR", "p_to_warehouse": "DEL", "p_lines": lines}
    made = call(shop.owner, "save_transfer", **who, **idempotent(), **route)
    call(shop.owner, "save_transfer", **who, **idempotent(), **route)
    step = {"p_transfer_id": made["id"], "p_step": "dispatch"}
    call(shop.owner, "step_transfer", **who, **idempotent(), **step)
    page = await shop.get("/v1/admin/transfers?status=in_transit&warehouse=DEL", **headers)
    schemas.TransferList.model_validate(page)
    assert [(item["number"], item["units"]) for item in page["items"]] == [(made["number"], 4)]
    response = await shop.client.get(f"/v1/admin/transfers/{made['id']}", headers=headers)
    schemas.TransferPage.model_validate(response.json())
    assert response.headers["etag"] == '"2"'
    await shop.get(f"/v1/admin/transfers/{staff}", 404, **headers)

    count = call(shop.owner, "open_stock_count", **who, **idempotent(), p_warehouse_code="BLR")
    counted = [{"sku": "ONE", "counted_quantity": 5}, {"sku": "TWO", "counted_quantity": 7}]
    call(shop.owner, "record_stock_count", **who, **idempotent(), p_count_id=count["id"], p_lines=counted)
    page = await shop.get("/v1/admin/stock-counts?status=open&warehouse=BLR", **headers)
    schemas.StockCountList.model_validate(page)
    assert [(item["number"], item["difference"]) for item in page["items"]] == [(count["number"], -2)]
    response = await shop.client.get(f"/v1/admin/stock-counts/{count['id']}", headers=headers)
    assert (response.json()["line_count"], response.headers["etag"]) == (2, '"2"')
    path = f"/v1/admin/stock-counts/{count['id']}/lines"
    schemas.StockCountLineList.model_validate(await shop.get(path, **headers))
    assert await skus(shop, path, headers) == ["ONE", "TWO"]
    assert await skus(shop, f"{path}?differing=true", headers) == ["TWO"]
    for missing in (f"/v1/admin/stock-counts/{staff}", f"/v1/admin/stock-counts/{staff}/lines"):
        await shop.get(missing, 404, **headers)


async def test_who_may_read(shop: Shop, staff: UUID, subtests: pytest.Subtests) -> None:
    settings = shop.database.settings
    reader = bearer(settings, make_staff(shop.owner, "read_only"), "read_only")
    catalog = bearer(settings, make_staff(shop.owner, "catalog"), "catalog")
    shopper = bearer(settings, make_user(shop.owner))
    lists = ("inventory", "reservations", "backorders", "transfers", "stock-counts")
    single = (f"transfers/{staff}", f"stock-counts/{staff}", f"stock-counts/{staff}/lines")
    for path in (*lists, *single):
        with subtests.test(path=path):
            await shop.get(f"/v1/admin/{path}", 404 if path in single else 200, **reader)
            refusal = await shop.get(f"/v1/admin/{path}", 403, **catalog)
            assert refusal["permission"] == "inventory.write"
            await shop.get(f"/v1/admin/{path}", 403, **shopper)
            await shop.get(f"/v1/admin/{path}", 401)


async def test_shoppers_see_what_can_be_ordered_ahead(shop: Shop, staff: UUID) -> None:
    """The page, the card, the stock of a SKU and the facet: never in stock, yet not simply sold out."""
    shop.add("Console", stock=0)
    shop.add("Mug", stock=3)
    shop.add("Vase", stock=0)
    console = Variant(*_variant(shop, "CONSOLE"))
    await reached(shop.database, allow(shop, staff, console, 2, preorder=True))
    page = await shop.get("/v1/products/console")
    ProductPage.model_validate(page)
    assert (page["in_stock"], page["availability"], page["variants"][0]["availability"]) == (False, *["preorder"] * 2)
    assert re.match("2099-06-01", page["variants"][0]["available_from"])
    listed = await shop.get("/v1/products")
    assert {item["slug"]: item["availability"] for item in listed["items"]} == {
        "console": "preorder",
        "mug": "in_stock",
        "vase": "out_of_stock",
    }
    assert listed["facets"]["availability"] == {"in_stock": 1, "out_of_stock": 2, "backorder": 0, "preorder": 1}
    assert await shop.titles("/v1/products?in_stock=true") == ["Mug"]
    stock = await shop.get("/v1/inventory?sku=CONSOLE&sku=MUG&sku=VASE")
    StockList.model_validate(stock)
    assert [(item["availability"], item["in_stock"]) for item in stock["items"]] == [
        ("preorder", False),
        ("in_stock", True),
        ("out_of_stock", False),
    ]
    order = make_order(shop.owner, (console, 2), method="cod")
    await reached(shop.database, order["position"])
    assert (await shop.get("/v1/products/console"))["availability"] == "out_of_stock", "there is no room left"
    shopper = bearer(shop.database.settings, order["user_id"])
    [line] = (await shop.get(f"/v1/orders/{order['id']}", **shopper))["items"]
    assert (line["backordered_quantity"], line["expected_at"][:10]) == (2, "2099-06-01")
    await reached(shop.database, receive(shop, staff, console, 3))
    [line] = (await shop.get(f"/v1/orders/{order['id']}", **shopper))["items"]
    assert line["backordered_quantity"] == 0
    assert (await shop.get("/v1/products/console"))["available"] == 1


def _variant(shop: Shop, sku: str) -> tuple[Any, ...]:
    found = shop.owner.execute(
        "SELECT id, product_id, sku, price, mrp FROM store.product_variants WHERE sku = %s", (sku,)
    ).fetchone()
    assert found is not None
    assert one(shop.owner, "SELECT count(*) FROM store.stock_policies") == 0
    return tuple(found)
