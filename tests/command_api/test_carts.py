"""Carts over HTTP: guests and shoppers, ETags, and what each refusal looks like."""

from typing import Any

import httpx
import psycopg
import pytest

from app.core.config import Settings
from app.docs.errors import EXAMPLE
from tests.support.api import bearer, log_in
from tests.support.builders import Variant, make_address, make_product, make_user, one
from tests.support.carts import Offer, make_offer

Connection = psycopg.Connection[Any]
ITEMS = "/v1/cart/items"
TENTH = Offer("percent", percent_bp=1_000)


@pytest.fixture
def variant(owner: Connection) -> Variant:
    return make_product(owner, "SHOE-9", price=10_000, stock=50)


@pytest.fixture
def shopper(owner: Connection, settings: Settings) -> dict[str, str]:
    return bearer(settings, make_user(owner))


async def test_a_guest_gets_a_token_with_the_first_item_and_comes_back_with_it(
    api: httpx.AsyncClient, owner: Connection, variant: Variant
) -> None:
    first = await api.post(ITEMS, json={"sku": variant.sku, "quantity": 2})
    assert (first.status_code, first.headers["etag"], first.headers["cache-control"]) == (201, '"2"', "no-store")
    token = first.headers["x-cart-token"]
    assert len(token) >= 43
    again = await api.post(ITEMS, json={"sku": variant.sku}, headers={"X-Cart-Token": token})
    assert "x-cart-token" not in again.headers
    assert (again.json()["id"], again.json()["items"][0]["quantity"]) == (first.json()["id"], 3)
    assert one(owner, "SELECT count(*) FROM store.carts WHERE guest_token_hash = %s", token.encode()) == 0
    strange = await api.delete("/v1/cart", headers={"X-Cart-Token": "x" * 43})
    assert (strange.status_code, strange.json()["code"]) == (404, "cart_not_found")


async def test_the_guests_cart_becomes_the_shoppers_at_login(
    api: httpx.AsyncClient, settings: Settings, variant: Variant
) -> None:
    token = (await api.post(ITEMS, json={"sku": variant.sku, "quantity": 2})).headers["x-cart-token"]
    document = await log_in(api, settings, "+919876543210", **{"X-Cart-Token": token})
    mine = {"Authorization": f"Bearer {document['access_token']}"}
    cart = await api.post(ITEMS, json={"sku": variant.sku}, headers=mine)
    assert (cart.json()["id"], cart.json()["items"][0]["quantity"]) == (document["cart_id"], 3)


async def test_a_logged_in_shopper_needs_no_token_and_one_is_ignored(
    api: httpx.AsyncClient, variant: Variant, shopper: dict[str, str]
) -> None:
    token = (await api.post(ITEMS, json={"sku": variant.sku})).headers["x-cart-token"]
    mine = await api.post(ITEMS, json={"sku": variant.sku, "quantity": 7}, headers=shopper | {"X-Cart-Token": token})
    assert "x-cart-token" not in mine.headers
    assert mine.json()["items"][0]["quantity"] == 7


async def test_put_sets_delete_removes_and_both_take_if_match(
    api: httpx.AsyncClient, variant: Variant, shopper: dict[str, str]
) -> None:
    line = f"{ITEMS}/{variant.sku}"
    made = await api.put(line, json={"quantity": 4}, headers=shopper)
    assert (made.status_code, made.json()["items"][0]["quantity"]) == (200, 4)
    same = await api.put(line, json={"quantity": 4}, headers=shopper | {"If-Match": made.headers["etag"]})
    assert same.headers["etag"] == made.headers["etag"]
    stale = await api.put(line, json={"quantity": 5}, headers=shopper | {"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"], stale.json()["version"]) == (412, "version_mismatch", 2)
    gone = await api.delete(line, headers=shopper | {"If-Match": made.headers["etag"]})
    assert (gone.json()["items"], gone.headers["etag"]) == ([], '"3"')
    missing = await api.delete(line, headers=shopper)
    assert (missing.status_code, missing.json()["code"]) == (404, "line_not_found")
    cleared = await api.delete("/v1/cart", headers=shopper)
    assert (cleared.status_code, cleared.json()["grand_total"]) == (200, 0)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sku": "", "quantity": 1},
        {"sku": "SHOE-9", "quantity": 0},
        {"sku": "SHOE-9", "quantity": 100_001},
        {"sku": "SHOE-9", "quantity": 1.5},
        {"sku": "SHOE-9", "price": 1},
        {"sku": "SHOE\u0000"},
        {"sku": "S" * 65},
    ],
)
async def test_shapes(api: httpx.AsyncClient, variant: Variant, body: dict[str, Any]) -> None:
    answer = await api.post(ITEMS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "x-cart-token" not in answer.headers


async def test_refusals_of_a_line(api: httpx.AsyncClient, owner: Connection, shopper: dict[str, str]) -> None:
    sold_out, few = make_product(owner), make_product(owner, stock=9, max_per_order=2)
    unknown = await api.post(ITEMS, json={"sku": "NO-SUCH"}, headers=shopper)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "sku_not_found")
    gone = await api.post(ITEMS, json={"sku": sold_out.sku}, headers=shopper)
    assert (gone.status_code, gone.json()["code"]) == (409, "out_of_stock")
    assert gone.json()["lines"] == [{"sku": sold_out.sku, "wanted": 1, "available": 0}]
    assert gone.json() | {"lines": EXAMPLE["lines"]} == EXAMPLE, "docs/errors.md shows another"
    many = await api.put(f"{ITEMS}/{few.sku}", json={"quantity": 3}, headers=shopper)
    assert (many.status_code, many.json()["code"], many.json()["limit"]) == (422, "quantity_limit", 2)


async def test_validate_tells_what_changed(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, variant: Variant
) -> None:
    user = make_user(owner)
    mine = bearer(settings, user)
    none = await api.post("/v1/cart/validate", json={}, headers=mine)
    assert (none.status_code, none.json()["code"]) == (404, "cart_not_found")
    await api.post(ITEMS, json={"sku": variant.sku}, headers=mine)
    owner.execute("UPDATE store.product_variants SET price = 9000")
    address = str(make_address(owner, user))
    checked = await api.post("/v1/cart/validate", json={"address_id": address}, headers=mine)
    assert (checked.status_code, checked.headers["etag"], checked.json()["valid"]) == (200, '"3"', False)
    assert checked.json()["problems"] == [
        {"kind": "price_changed", "sku": variant.sku, "previous_unit_price": 10_000, "unit_price": 9_000}
    ]
    assert (await api.post("/v1/cart/validate", json={"address_id": address}, headers=mine)).json()["valid"] is True
    other = str(make_address(owner, make_user(owner)))
    refused = await api.post("/v1/cart/validate", json={"address_id": other}, headers=mine)
    assert (refused.status_code, refused.json()["code"]) == (404, "address_not_found")
    owner.execute("UPDATE store.shipping_rules SET is_serviceable = false")
    nowhere = await api.post("/v1/cart/validate", json={"address_id": address}, headers=mine)
    assert (nowhere.status_code, nowhere.json()["code"]) == (409, "not_serviceable")


async def test_a_coupon_on_and_off(
    api: httpx.AsyncClient, owner: Connection, variant: Variant, shopper: dict[str, str]
) -> None:
    make_offer(owner, "TENTH", TENTH)
    make_offer(owner, "BIG", Offer("fixed", amount=1, min_subtotal=99_999))
    await api.post(ITEMS, json={"sku": variant.sku}, headers=shopper)
    applied = await api.put("/v1/cart/coupon", json={"code": " tenth "}, headers=shopper)
    assert (applied.status_code, applied.json()["discount_total"]) == (200, 1_000)
    unfit = await api.put("/v1/cart/coupon", json={"code": "BIG"}, headers=shopper)
    assert (unfit.status_code, unfit.json()["code"]) == (409, "coupon_not_applicable")
    assert (unfit.json()["reason"], unfit.json()["min_subtotal"]) == ("min_subtotal", 99_999)
    unknown = await api.put("/v1/cart/coupon", json={"code": "NOPE"}, headers=shopper)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "coupon_not_found")
    odd = await api.put("/v1/cart/coupon", json={"code": "ＴＥＮＴＨ"}, headers=shopper)
    assert odd.status_code == 422
    missing = await api.delete("/v1/cart/coupon", params={"code": "BIG"}, headers=shopper)
    assert (missing.status_code, missing.json()["code"]) == (404, "coupon_not_found")
    off = await api.delete("/v1/cart/coupon", params={"code": "tenth"}, headers=shopper)
    assert (off.status_code, off.json()["coupons"], off.json()["discount_total"]) == (200, [], 0)
    assert (await api.delete("/v1/cart/coupon", headers=shopper)).status_code == 200


@pytest.mark.parametrize("token", ["short", "x" * 129])
async def test_a_token_has_a_shape(api: httpx.AsyncClient, variant: Variant, token: str) -> None:
    answer = await api.post(ITEMS, json={"sku": variant.sku}, headers={"X-Cart-Token": token})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_a_bad_access_token_is_no_guest(api: httpx.AsyncClient, variant: Variant) -> None:
    answer = await api.post(ITEMS, json={"sku": variant.sku}, headers={"Authorization": "Bearer nonsense"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
