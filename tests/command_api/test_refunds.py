"""Giving money back over HTTP: the shopper's returns, the staff's refunds, pay-outs and retries."""

import uuid
from typing import Any

import httpx
import pytest

from app.core.config import Settings
from tests.support.api import bearer
from tests.support.builders import Connection, make_order, make_product, make_staff, one, rows
from tests.support.paying import Document, deliver, order_row, paid_order, refund_row, tell_refund


@pytest.fixture
def order(owner: Connection) -> Document:
    return paid_order(owner, delivered=True)


def shopper(settings: Settings, order: Document) -> dict[str, str]:
    return bearer(settings, uuid.UUID(order["user_id"]))


@pytest.fixture
def staff(owner: Connection, settings: Settings) -> dict[str, str]:
    return bearer(settings, make_staff(owner, "finance"), "finance")


async def post(api: httpx.AsyncClient, path: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
    return await api.post(path, json=body, headers=headers | {"Idempotency-Key": uuid.uuid4().hex})


async def test_a_shopper_returns_a_line(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, order: Document
) -> None:
    line = {"order_item_id": order["items"][0]["id"], "quantity": 1}
    path = f"/v1/orders/{order['id']}/refunds"
    answer = await post(api, path, shopper(settings, order), {"lines": [line], "reason": "too small"})
    assert answer.status_code == 201, answer.text
    document = answer.json()
    assert (document["kind"], document["amount"], document["reason"]) == ("return", 10_000, "too small")
    assert document["items"][0]["restock"] is False, "goods are looked at before they are sold again"
    assert int(answer.headers["x-consistency-token"]) == one(owner, "SELECT max(position) FROM store.outbox")
    rest = await post(api, path, shopper(settings, order), {})
    assert (rest.json()["amount"], rest.json()["order_status"]) == (20_000, "returned")


NO_RETURNS: list[Document] = [
    {"lines": []},
    {"lines": [{"quantity": 1}]},
    {"lines": [{"sku": "A", "order_item_id": str(uuid.uuid4()), "quantity": 1}]},
    {"lines": [{"sku": "A", "quantity": 0}]},
    {"lines": [{"sku": "A", "quantity": 1, "restock": True}]},
    {"amount": 100},
    {"kind": "goodwill"},
    {"reason": "a\u0000b"},
]


async def test_returns_of_another_shape(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, order: Document
) -> None:
    for body in NO_RETURNS:
        answer = await post(api, f"/v1/orders/{order['id']}/refunds", shopper(settings, order), body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), body
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(0,)]


async def test_staff_refund_lines_shipping_and_goodwill(
    api: httpx.AsyncClient, owner: Connection, order: Document, staff: dict[str, str]
) -> None:
    path = f"/v1/admin/orders/{order['id']}/refunds"
    line = {"sku": order["items"][0]["sku"], "quantity": 2, "restock": True}
    body = {"kind": "return", "lines": [line], "shipping_amount": 900, "reason": "torn"}
    returned = await post(api, path, staff, body)
    assert returned.status_code == 201, returned.text
    assert (returned.json()["amount"], returned.json()["items"][0]["restocked_quantity"]) == (20_900, 2)
    goodwill = await post(api, path, staff, {"kind": "goodwill", "amount": 500, "reason": "sorry"})
    assert (goodwill.json()["amount"], goodwill.json()["items"]) == (500, [])
    too_much = await post(api, path, staff, {"kind": "goodwill", "amount": 10**9, "reason": "sorry"})
    assert (too_much.status_code, too_much.json()["code"]) == (409, "refund_exceeds_captured")
    assert too_much.json()["left"] == order["grand_total"] - 21_400
    again = await post(api, path, staff, body)
    assert (again.status_code, again.json()["code"], again.json()["field"]) == (422, "refund_line_invalid", "lines.0")


NO_REFUNDS: list[Document] = [
    {"kind": "goodwill", "reason": "x"},
    {"kind": "goodwill", "amount": 1, "shipping_amount": 1, "reason": "x"},
    {"kind": "return", "amount": 1, "reason": "x"},
    {"kind": "cancellation", "reason": "x"},
    {"kind": "late_payment", "reason": "x"},
    {"kind": "return"},
    {"kind": "return", "shipping_amount": -1, "reason": "x"},
]


async def test_refunds_of_another_shape(api: httpx.AsyncClient, order: Document, staff: dict[str, str]) -> None:
    for body in NO_REFUNDS:
        answer = await post(api, f"/v1/admin/orders/{order['id']}/refunds", staff, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), body


async def test_who_may_refund(api: httpx.AsyncClient, owner: Connection, settings: Settings, order: Document) -> None:
    body = {"kind": "goodwill", "amount": 1, "reason": "x"}
    path = f"/v1/admin/orders/{order['id']}/refunds"
    assert (await post(api, path, {}, body)).status_code == 401
    assert (await post(api, path, shopper(settings, order), body)).json()["code"] == "forbidden"
    # a role in the token that the database does not know of is worth nothing
    pretender = bearer(settings, uuid.UUID(order["user_id"]), "owner")
    assert (await post(api, path, pretender, body)).json()["permission"] == "refunds.write"
    catalog = bearer(settings, make_staff(owner, "catalog"), "catalog")
    assert (await post(api, path, catalog, body)).status_code == 403


async def test_a_cash_refund_is_paid_out_by_hand(
    api: httpx.AsyncClient, owner: Connection, staff: dict[str, str]
) -> None:
    order = make_order(owner, (make_product(owner, stock=1), 1), method="cod")
    deliver(owner, order)
    made = await post(api, f"/v1/admin/orders/{order['id']}/refunds", staff, {"kind": "return", "reason": "x"})
    path = f"/v1/admin/refunds/{made.json()['id']}/settle"
    assert (await post(api, path, staff, {"reference": ""})).json()["code"] == "validation_failed"
    paid = await post(api, path, staff, {"reference": "UTR 42/1"})
    assert (paid.status_code, paid.json()["status"]) == (200, "succeeded")
    assert order_row(owner, order)["refunded_total"] == 10_000
    again = await post(api, path, staff, {"reference": "UTR 43"})
    assert (again.status_code, again.json()["code"], again.json()["status"]) == (409, "refund_state", 409)


async def test_a_failed_refund_is_tried_again(
    api: httpx.AsyncClient, owner: Connection, order: Document, staff: dict[str, str]
) -> None:
    made = await post(
        api, f"/v1/admin/orders/{order['id']}/refunds", staff, {"kind": "goodwill", "amount": 500, "reason": "x"}
    )
    path = f"/v1/admin/refunds/{made.json()['id']}/retry"
    assert (await post(api, path, staff)).json()["code"] == "refund_state"
    tell_refund(owner, made.json(), failed=True)
    assert (await post(api, path, staff)).json()["status"] == "initiated"
    assert refund_row(owner, made.json()["id"])["status"] == "initiated"
    nothing = await post(api, f"/v1/admin/refunds/{uuid.uuid4()}/retry", staff)
    assert (nothing.status_code, nothing.json()["code"]) == (404, "refund_not_found")
