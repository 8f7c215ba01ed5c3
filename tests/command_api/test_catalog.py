"""The catalog by staff over HTTP: what is made and changed, preconditions, refusals, headers."""

import uuid
from typing import Any

import httpx
import psycopg
import pytest

from app.core.config import Settings
from tests.support.api import bearer
from tests.support.builders import make_staff, make_user, one

Owner = psycopg.Connection[Any]
PRODUCT = {
    "title": "Ajrakh Shirt",
    "options": ["Size"],
    "status": "active",
    "attributes": {"fabric": "Cotton", "care": ["cold", "line dry"]},
    "images": [{"url": "https://images.kirana.example/1.jpg", "variant_sku": "SH-M"}],
    "variants": [
        {"sku": "SH-M", "option_values": ["M"], "price": 79900, "mrp": 99900, "tax_class": "gst-5"},
        {"sku": "SH-L", "option_values": ["L"], "price": 79900, "tax_class": "gst-5"},
    ],
}


@pytest.fixture
def auth(settings: Settings, owner: Owner) -> dict[str, str]:
    return bearer(settings, make_staff(owner), "owner")


def etag(answer: httpx.Response) -> dict[str, str]:
    return {"If-Match": answer.headers["etag"]}


PATHS = [
    ("/v1/admin/brands/sutra", {"name": "Sutra"}, {"name": "Sutra Threads"}),
    ("/v1/admin/categories/shirts", {"name": "Shirts"}, {"name": "Shirts", "sort_order": 2}),
    ("/v1/admin/products/shirt", PRODUCT, PRODUCT | {"title": "Other"}),
    (
        "/v1/admin/warehouses/BLR",
        {"name": "Bengaluru", "state_code": "ka", "pincode": "560001"},
        {"name": "Bengaluru", "state_code": "KA", "pincode": "560002"},
    ),
    ("/v1/admin/shipping-rules/Free%20from%20499", {"min_subtotal": 49900}, {"min_subtotal": 29900}),
]


@pytest.mark.parametrize(("path", "body", "other"), PATHS, ids=[path.split("/")[3] for path, _, _ in PATHS])
async def test_put_makes_and_replaces(
    api: httpx.AsyncClient, auth: dict[str, str], path: str, body: Any, other: Any
) -> None:
    made = await api.put(path, json=body, headers=auth)
    assert made.status_code == 201, made.text
    assert made.headers["etag"] == '"1"'
    unseen = await api.put(path, json=other, headers=auth)
    assert (unseen.status_code, unseen.json()["code"]) == (412, "version_mismatch"), "nothing is overwritten unseen"
    again = await api.put(path, json=body, headers=auth | etag(made))
    assert (again.status_code, again.json()["changed"], again.headers["etag"]) == (200, False, '"1"')
    changed = await api.put(path, json=other, headers=auth | etag(made))
    assert (changed.status_code, changed.json()["changed"], changed.headers["etag"]) == (200, True, '"2"')
    stale = await api.put(path, json=body, headers=auth | etag(made))
    assert (stale.status_code, stale.json()["version"]) == (412, 2)
    if "shipping" not in path:
        assert int(changed.headers["x-consistency-token"]) > 0


async def test_a_product_goes_on_and_off_sale(api: httpx.AsyncClient, auth: dict[str, str]) -> None:
    made = await api.put("/v1/admin/products/shirt", json=PRODUCT | {"status": "draft"}, headers=auth)
    path = "/v1/admin/products/shirt/status"
    assert (await api.put(path, json={"status": "active"}, headers=auth)).status_code == 428
    on = await api.put(path, json={"status": "active"}, headers=auth | etag(made))
    assert (on.status_code, on.json()["status"]) == (200, "active")
    to_come = {"status": "active", "published_at": "2099-01-01T00:00:00Z"}
    later = await api.put(path, json=to_come, headers=auth | etag(on))
    assert later.json()["published_at"].startswith("2099-01-01")
    missing = await api.put("/v1/admin/products/none/status", json={"status": "draft"}, headers=auth | etag(on))
    assert (missing.status_code, missing.json()["code"]) == (404, "product_not_found")


async def test_prices(api: httpx.AsyncClient, auth: dict[str, str], owner: Owner) -> None:
    await api.put("/v1/admin/products/shirt", json=PRODUCT, headers=auth)
    path, body = "/v1/admin/variants/SH-M/prices", {"price": 49900, "reason": "sale"}
    assert (await api.post(path, json=body, headers=auth)).json()["code"] == "idempotency_key_missing"
    keyed = auth | {"Idempotency-Key": uuid.uuid4().hex}
    first = await api.post(path, json=body, headers=keyed)
    assert (first.status_code, first.json()["status"], first.json()["mrp"]) == (201, "applied", 99900)
    again = await api.post(path, json=body, headers=keyed)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await api.post(path, json=body | {"price": 1}, headers=keyed)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    later = await api.post(
        path,
        json={"price": 39900, "mrp": 99900, "effective_from": "2099-01-01T00:00:00+05:30"},
        headers=auth | {"Idempotency-Key": uuid.uuid4().hex},
    )
    assert later.json()["status"] == "scheduled"
    assert one(owner, "SELECT price FROM store.product_variants WHERE sku = 'SH-M'") == 49900
    unknown = await api.post("/v1/admin/variants/NONE/prices", json=body, headers=auth | {"Idempotency-Key": "k"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "sku_not_found")


async def test_descriptions_do_nothing(api: httpx.AsyncClient, auth: dict[str, str]) -> None:
    body = PRODUCT | {"description_html": "<p onclick=x()>Breathes.<script>alert(1)</script><a href='javascript:x()'>y"}
    made = await api.put("/v1/admin/products/shirt", json=body, headers=auth)
    assert made.json()["description_html"] == '<p>Breathes.<a rel="noopener noreferrer">y</a></p>'
    again = await api.put("/v1/admin/products/shirt", json=body, headers=auth | etag(made))
    assert (again.status_code, again.json()["changed"]) == (200, False)


async def test_staff_roles(api: httpx.AsyncClient, auth: dict[str, str], owner: Owner) -> None:
    made = await api.put("/v1/admin/staff/98765%2000001", json={"role": "catalog"}, headers=auth)
    assert (made.status_code, made.json()["phone"], made.json()["role"]) == (201, "+919876500001", "catalog")
    ended = await api.put("/v1/admin/staff/+919876500001", json={"role": "catalog", "is_active": False}, headers=auth)
    assert (ended.status_code, ended.json()["is_active"]) == (200, False)
    assert one(owner, "SELECT is_active FROM store.staff_members WHERE role = 'catalog'") is False
    assert (await api.put("/v1/admin/staff/12", json={"role": "catalog"}, headers=auth)).status_code == 422


async def test_a_circle_of_categories(api: httpx.AsyncClient, auth: dict[str, str]) -> None:
    made = await api.put("/v1/admin/categories/a", json={"name": "A"}, headers=auth)
    await api.put("/v1/admin/categories/b", json={"name": "B", "parent": "a"}, headers=auth)
    circle = await api.put("/v1/admin/categories/a", json={"name": "A", "parent": "b"}, headers=auth | etag(made))
    assert (circle.status_code, circle.json()["code"]) == (409, "category_cycle")
    lost = await api.put("/v1/admin/categories/c", json={"name": "C", "parent": "zzz"}, headers=auth)
    assert (lost.status_code, lost.json()["code"]) == (404, "category_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        PRODUCT | {"extra": 1},
        PRODUCT | {"variants": []},
        PRODUCT | {"title": "a\x00b"},
        PRODUCT | {"description_html": "a\x00b"},
        PRODUCT | {"description_html": "<b>" * 5001},
        PRODUCT | {"variants": [{"sku": "a b", "price": 1, "tax_class": "gst-5"}]},
        PRODUCT | {"variants": [{"sku": "A", "price": 0, "tax_class": "gst-5"}]},
        PRODUCT | {"variants": [{"sku": "A", "price": 2, "mrp": 1, "tax_class": "gst-5"}]},
        PRODUCT | {"images": [{"url": "javascript:alert(1)"}]},
        PRODUCT | {"published_at": "2026-01-01T00:00:00"},
    ],
)
async def test_bodies_that_are_refused(api: httpx.AsyncClient, auth: dict[str, str], owner: Owner, body: Any) -> None:
    answer = await api.put("/v1/admin/products/shirt", json=body, headers=auth)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert one(owner, "SELECT count(*) FROM store.products") == 0


async def test_who_may(api: httpx.AsyncClient, settings: Settings, owner: Owner) -> None:
    path, body = "/v1/admin/brands/sutra", {"name": "Sutra"}
    assert (await api.put(path, json=body)).status_code == 401
    shopper = make_user(owner)
    assert (await api.put(path, json=body, headers=bearer(settings, shopper))).status_code == 403
    # a token may still say a role that was taken away: the database decides
    assert (await api.put(path, json=body, headers=bearer(settings, shopper, "owner"))).status_code == 403
    stock_keeper = bearer(settings, make_staff(owner, "inventory"), "inventory")
    refused = await api.put(path, json=body, headers=stock_keeper)
    assert (refused.status_code, refused.json()["permission"]) == (403, "catalog.write")
