"""Stock operations over HTTP, from a delivery to a count, and what is refused."""

import uuid
from typing import Any

import httpx
import psycopg
import pytest

from app.core.config import Settings
from tests.support.api import bearer
from tests.support.builders import (
    Variant,
    make_order,
    make_product,
    make_staff,
    make_user,
    make_warehouse,
    one,
)

Connection = psycopg.Connection[Any]
ADMIN = "/v1/admin"


@pytest.fixture
def variant(owner: Connection) -> Variant:
    make_warehouse(owner)
    make_warehouse(owner, "DEL")
    return make_product(owner)


@pytest.fixture
def staff(owner: Connection, settings: Settings) -> dict[str, str]:
    return bearer(settings, make_staff(owner, "inventory"), "inventory")


def keyed(headers: dict[str, str], version: int | None = None) -> dict[str, str]:
    etag = {} if version is None else {"If-Match": f'"{version}"'}
    return headers | {"Idempotency-Key": uuid.uuid4().hex} | etag


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def deliver(api: httpx.AsyncClient, staff: dict[str, str], variant: Variant, units: int) -> httpx.Response:
    body = {"warehouse_code": "BLR", "reference": "DN-1", "lines": [{"sku": variant.sku, "quantity": units}]}
    return await api.post(f"{ADMIN}/inventory/receipts/bulk", json=body, headers=keyed(staff))


async def test_a_delivery(api: httpx.AsyncClient, variant: Variant, staff: dict[str, str]) -> None:
    answer = await deliver(api, staff, variant, 7)
    assert answer.status_code == 201, answer.text
    assert answer.json()["units"] == 7
    assert answer.json()["lines"][0]["available"] == 7
    assert int(answer.headers["x-consistency-token"]) > 0
    body = {"warehouse_code": "BLR", "lines": [{"sku": "NO-SUCH", "quantity": 1}]}
    wrong = await api.post(f"{ADMIN}/inventory/receipts/bulk", json=body, headers=keyed(staff))
    assert code(wrong) == (422, "stock_lines_invalid")
    assert wrong.json()["lines"] == [{"line": 1, "sku": "NO-SUCH", "reason": "unknown_sku"}]


async def test_a_transfer(api: httpx.AsyncClient, owner: Connection, variant: Variant, staff: dict[str, str]) -> None:
    await deliver(api, staff, variant, 7)
    body: dict[str, Any] = {"from_warehouse": "BLR", "to_warehouse": "DEL"}
    made = await api.post(
        f"{ADMIN}/transfers", json=body | {"lines": [{"sku": variant.sku, "quantity": 9}]}, headers=keyed(staff)
    )
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    path = f"{ADMIN}/transfers/{made.json()['id']}"
    assert code(await api.post(f"{path}/dispatch", headers=keyed(staff, 1))) == (409, "stock_below_reserved")
    less = body | {"lines": [{"sku": variant.sku, "quantity": 5}]}
    assert code(await api.put(path, json=less, headers=keyed(staff))) == (428, "precondition_required")
    changed = await api.put(path, json=less, headers=keyed(staff, 1))
    assert changed.headers["etag"] == '"2"'
    assert code(await api.post(f"{path}/dispatch", headers=keyed(staff, 1))) == (412, "version_mismatch")
    sent = await api.post(f"{path}/dispatch", headers=keyed(staff, 2))
    assert (sent.json()["status"], sent.headers["etag"]) == ("in_transit", '"3"')
    arrived = {"lines": [{"sku": variant.sku, "quantity": 4}], "reason": "one broken"}
    done = await api.post(f"{path}/receive", json=arrived, headers=keyed(staff, 3))
    assert (done.json()["status"], done.json()["lines"][0]["lost_quantity"]) == ("received", 1)
    late = await api.post(f"{path}/cancel", json={"reason": "too late"}, headers=keyed(staff, 4))
    assert code(late) == (409, "transfer_state")
    nowhere = f"{ADMIN}/transfers/{uuid.uuid4()}/dispatch"
    assert code(await api.post(nowhere, headers=keyed(staff, 1))) == (404, "transfer_not_found")
    assert one(owner, "SELECT sum(on_hand) FROM store.inventory") == 6


async def test_a_count(api: httpx.AsyncClient, owner: Connection, variant: Variant, staff: dict[str, str]) -> None:
    await deliver(api, staff, variant, 7)
    made = await api.post(f"{ADMIN}/stock-counts", json={"warehouse_code": "BLR"}, headers=keyed(staff))
    path = f"{ADMIN}/stock-counts/{made.json()['id']}"
    lines = {"lines": [{"sku": variant.sku, "counted_quantity": 5}]}
    counted = await api.post(f"{path}/lines", json=lines, headers=keyed(staff))
    assert (counted.json()["difference"], counted.headers["etag"]) == (-2, '"2"')
    other = await api.post(f"{ADMIN}/stock-counts", json={"warehouse_code": "BLR"}, headers=keyed(staff))
    twice = await api.post(f"{ADMIN}/stock-counts/{other.json()['id']}/lines", json=lines, headers=keyed(staff))
    assert code(twice) == (409, "count_in_progress")
    assert code(await api.post(f"{path}/post", headers=keyed(staff, 2))) == (409, "count_state")
    for step, version in (("review", 2), ("reopen", 3), ("review", 4), ("post", 5)):
        answer = await api.post(f"{path}/{step}", headers=keyed(staff, version))
        assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "posted"
    dropped = await api.post(f"{ADMIN}/stock-counts/{other.json()['id']}/cancel", headers=keyed(staff, 1))
    assert dropped.json()["status"] == "cancelled"
    assert one(owner, "SELECT sum(on_hand) FROM store.inventory") == 5


async def test_what_is_sold_ahead_and_what_is_low(
    api: httpx.AsyncClient, owner: Connection, variant: Variant, staff: dict[str, str]
) -> None:
    path = f"{ADMIN}/inventory/{variant.sku}"
    body = {"policy": "preorder", "backorder_limit": 5, "available_from": "2099-06-01T00:00:00+05:30"}
    answer = await api.put(f"{path}/policy", json=body, headers=staff)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "sku": variant.sku,
        "policy": "preorder",
        "backorder_limit": 5,
        "backordered": 0,
        "available_from": "2099-05-31T18:30:00+00:00",
    }
    make_order(owner, (variant, 4))
    fewer = {"policy": "backorder", "backorder_limit": 3}
    assert code(await api.put(f"{path}/policy", json=fewer, headers=staff)) == (409, "backorders_waiting")
    for wrong in ({"policy": "backorder"}, {"policy": "preorder", "backorder_limit": 1}, {"policy": "deny"} | fewer):
        assert code(await api.put(f"{path}/policy", json=wrong | {"x": 1}, headers=staff)) == (422, "validation_failed")
    threshold = await api.put(f"{path}/low-stock-threshold", json={"low_stock_threshold": 9}, headers=staff)
    assert threshold.json() == {"sku": variant.sku, "low_stock_threshold": 9, "is_own": True, "level": "out"}
    assert code(await api.put(f"{ADMIN}/inventory/NONE/policy", json={"policy": "deny"}, headers=staff)) == (
        404,
        "sku_not_found",
    )


async def test_a_hold_is_released(
    api: httpx.AsyncClient, owner: Connection, variant: Variant, staff: dict[str, str]
) -> None:
    await deliver(api, staff, variant, 7)
    order = make_order(owner, (variant, 4))
    path = f"{ADMIN}/orders/{order['id']}/release-hold"
    done = await api.post(path, json={"reason": "wholesale"}, headers=keyed(staff))
    assert (done.status_code, done.json()["status"]) == (200, "cancelled")
    assert one(owner, "SELECT sum(reserved) FROM store.inventory") == 0
    assert code(await api.post(path, json={"reason": "again"}, headers=keyed(staff))) == (409, "order_state")


async def test_who_is_refused(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, variant: Variant, subtests: pytest.Subtests
) -> None:
    lines = [{"sku": variant.sku, "quantity": 1}]
    some = uuid.uuid4()
    writes: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", "/inventory/receipts/bulk", {"warehouse_code": "BLR", "lines": lines}),
        ("PUT", f"/inventory/{variant.sku}/policy", {"policy": "deny"}),
        ("PUT", f"/inventory/{variant.sku}/low-stock-threshold", {"low_stock_threshold": 3}),
        ("POST", f"/orders/{some}/release-hold", {"reason": "x"}),
        ("POST", "/transfers", {"from_warehouse": "BLR", "to_warehouse": "DEL", "lines": lines}),
        ("PUT", f"/transfers/{some}", {"from_warehouse": "BLR", "to_warehouse": "DEL", "lines": lines}),
        ("POST", f"/transfers/{some}/dispatch", None),
        ("POST", f"/transfers/{some}/receive", {}),
        ("POST", f"/transfers/{some}/cancel", {"reason": "x"}),
        ("POST", "/stock-counts", {"warehouse_code": "BLR"}),
        ("POST", f"/stock-counts/{some}/lines", {"lines": [{"sku": variant.sku, "counted_quantity": 1}]}),
        *(("POST", f"/stock-counts/{some}/{step}", None) for step in ("review", "reopen", "post", "cancel")),
    ]
    support, shopper = bearer(settings, make_staff(owner, "support"), "support"), bearer(settings, make_user(owner))
    for method, path, body in writes:
        with subtests.test(path=path):
            for headers, expected in (
                ({}, (401, "unauthenticated")),
                (shopper, (403, "forbidden")),
                (support, (403, "forbidden")),
            ):
                answer = await api.request(method, ADMIN + path, json=body, headers=keyed(headers, 1))
                assert code(answer) == expected
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 0
