"""Fulfilment over HTTP: plan, pick list, steps by ETag, what the shopper sees, lines called off."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis

from app.core.config import Settings
from app.main import create_app
from tests.support.api import bearer, serving
from tests.support.builders import make_staff, one
from tests.support.databases import Database
from tests.support.projecting import projecting, reached
from tests.support.shipping import two_places


@pytest.fixture
async def both(settings: Settings, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(create_app(settings)) as client:
        yield client


async def test_an_order_leaves_in_two_parcels(
    both: httpx.AsyncClient, database: Database, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    order, _ = two_places(owner)
    staff = bearer(settings, make_staff(owner, "inventory"), "inventory")
    shopper = bearer(settings, order["user_id"])
    path = f"/v1/admin/orders/{order['id']}/shipments"
    planned = await both.post(path, json={}, headers=staff | {"Idempotency-Key": "plan"})
    assert planned.status_code == 201, planned.text
    again = await both.post(path, json={}, headers=staff | {"Idempotency-Key": "plan"})
    assert again.headers["Idempotent-Replayed"] == "true"
    picks = (await both.get("/v1/admin/warehouses/BLR/pick-list", headers=staff)).json()["items"]
    assert [(pick["sku"], pick["quantity"]) for pick in picks] == [(order["items"][0]["sku"], 2)]
    assert (await both.get("/v1/admin/warehouses/XXX/pick-list", headers=staff)).status_code == 404
    for shipment in planned.json()["shipments"]:
        for number, status in enumerate(("packed", "shipped", "delivered")):
            read = await both.get(f"/v1/admin/shipments/{shipment['id']}", headers=staff)
            headers = staff | {"If-Match": read.headers["ETag"], "Idempotency-Key": f"{shipment['id']}{number}"}
            body = {"status": status, "carrier": "BlueDart", "tracking_number": f"BD{shipment['number']}"}
            done = await both.put(f"/v1/admin/shipments/{shipment['id']}/status", json=body, headers=headers)
            assert done.status_code == 200, done.text
            headers["Idempotency-Key"] += "late"
            stale = await both.put(f"/v1/admin/shipments/{shipment['id']}/status", json=body, headers=headers)
            assert stale.json()["code"] == "version_mismatch"
    listed = await both.get("/v1/admin/shipments", params={"status": "delivered", "limit": 1}, headers=staff)
    assert len(listed.json()["items"]) == 1
    assert listed.json()["next_cursor"]
    async with projecting(database):
        await reached(database, one(owner, "SELECT max(position) FROM store.outbox"))
        page = (await both.get(f"/v1/orders/{order['id']}", headers=shopper)).json()
    assert page["status"] == "delivered"
    assert [shipment["status"] for shipment in page["shipments"]] == ["delivered", "delivered"]
    assert page["shipments"][0]["tracking_number"].startswith("BD")
    assert page["invoice_number"]


async def test_a_shopper_calls_a_unit_off(
    both: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    order, _ = two_places(owner)
    shopper = bearer(settings, order["user_id"]) | {"Idempotency-Key": "one"}
    body = {"lines": [{"sku": order["items"][0]["sku"], "quantity": 1}], "reason": "ordered twice"}
    answer = await both.post(f"/v1/orders/{order['id']}/lines/cancel", json=body, headers=shopper)
    assert answer.status_code == 200, answer.text
    assert answer.json()["refund_pending_total"] == order["items"][0]["unit_price"]
    staff = bearer(settings, make_staff(owner, "support"), "support") | {"Idempotency-Key": "two"}
    body["lines"][0]["quantity"] = 9
    refused = await both.post(f"/v1/admin/orders/{order['id']}/lines/cancel", json=body, headers=staff)
    assert (refused.status_code, refused.json()["code"], refused.json()["left"]) == (409, "line_not_cancellable", 2)
