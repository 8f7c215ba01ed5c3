"""Merchandising over HTTP: a SKU's prices read and called off."""

from typing import Any

import httpx

from query_api.schemas import admin_merchandising as schemas
from tests.query_api.conftest import client, shop  # noqa: F401 — both APIs, and a projector that follows
from tests.support.api import bearer
from tests.support.builders import make_staff, rows
from tests.support.shop import Shop

LATER = "2099-01-01T00:00:00Z"
Headers = dict[str, str]


def headers_of(shop: Shop, role: str) -> Headers:  # noqa: F811
    return bearer(shop.database.settings, make_staff(shop.owner, role), role)


async def set_price(client: httpx.AsyncClient, path: str, headers: Headers, price: int, **more: Any) -> Any:  # noqa: F811
    sent = {"price": price, "reason": "Diwali"} | more
    answer = await client.post(path, json=sent, headers=headers | {"Idempotency-Key": str(price)})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_prices_past_present_and_to_come(shop: Shop, client: httpx.AsyncClient) -> None:  # noqa: F811
    shop.add("Kite", category="toys", price=10_000, mrp=20_000)
    [(sku,)] = rows(shop.owner, "SELECT sku FROM store.product_variants")
    staff = headers_of(shop, "finance")
    path = f"/v1/admin/variants/{sku}/prices"
    first = await set_price(client, path, staff, 9_000)
    second = await set_price(client, path, staff, 8_000)
    coming = await set_price(client, path, staff, 7_000, effective_from=LATER)
    listed, cursor = [], ""
    while True:
        page = schemas.AdminPriceList.model_validate_json(
            (await client.get(f"{path}?limit=2{cursor}", headers=headers_of(shop, "support"))).content
        )
        listed += page.items
        if page.next_cursor is None:
            break
        cursor = f"&cursor={page.next_cursor}"
    found = [(item.id, item.price, item.status, item.is_current) for item in listed[:3]]
    assert found == [
        (coming["id"], 7_000, "scheduled", False),
        (second["id"], 8_000, "applied", True),
        (first["id"], 9_000, "applied", False),
    ]
    assert (listed[0].reason, listed[0].changed_by is not None, listed[0].mrp) == ("Diwali", True, 20_000)

    cancel = f"{path}/{coming['id']}/cancel"
    assert (await client.post(cancel, headers=headers_of(shop, "support"))).status_code == 403
    answer = await client.post(cancel, headers=staff)
    assert (answer.status_code, answer.json()["status"], answer.json()["changed"]) == (200, "cancelled", True)
    assert (await client.post(cancel, headers=staff)).json()["changed"] is False
    late = await client.post(f"{path}/{second['id']}/cancel", headers=staff)
    assert (late.status_code, late.json()["code"]) == (409, "price_applied")
    missing = await client.post(f"{path}/999999/cancel", headers=staff)
    assert (missing.status_code, missing.json()["code"]) == (404, "price_change_not_found")
    unknown = await client.get("/v1/admin/variants/NOTHING/prices", headers=staff)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "sku_not_found")
    top = (await client.get(path, headers=staff)).json()["items"][0]
    assert (top["id"], top["status"]) == (coming["id"], "cancelled")
