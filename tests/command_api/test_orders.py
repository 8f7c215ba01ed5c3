"""Checkout and orders over HTTP: status codes, headers, and what each refusal looks like."""

import asyncio
import uuid
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from app.core.config import Settings
from tests.support.api import bearer
from tests.support.builders import (
    Variant,
    expire_hold,
    make_address,
    make_cart,
    make_order,
    make_product,
    make_staff,
    make_user,
    one,
    rows,
)

Connection = psycopg.Connection[Any]


class Shopper:
    """Somebody logged in, with an address."""

    def __init__(self, owner: Connection, settings: Settings) -> None:
        self.id = make_user(owner)
        self.address = make_address(owner, self.id)
        self.headers = bearer(settings, self.id)

    def keyed(self, key: str | None = None, **more: str) -> dict[str, str]:
        return self.headers | {"Idempotency-Key": key or uuid.uuid4().hex} | more

    def body(self, **more: object) -> dict[str, object]:
        return {"address_id": str(self.address), "payment_method": "prepaid"} | more


@pytest.fixture
def shopper(owner: Connection, settings: Settings) -> Shopper:
    return Shopper(owner, settings)


@pytest.fixture
def variant(owner: Connection, shopper: Shopper) -> Variant:
    """A product with three units, two of them in the shopper's cart."""
    made = make_product(owner, price=10_000, stock=3)
    make_cart(owner, shopper.id, (made, 2))
    return made


def keyed_staff(owner: Connection, settings: Settings, role: str = "owner", **more: str) -> dict[str, str]:
    return bearer(settings, make_staff(owner, role), role) | {"Idempotency-Key": uuid.uuid4().hex} | more


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_checkout_answers_with_the_order(
    api: httpx.AsyncClient, owner: Connection, shopper: Shopper, variant: Variant
) -> None:
    answer = await api.post(
        "/v1/checkout", json=shopper.body(note="ring twice", expected_total=24_900), headers=shopper.keyed()
    )
    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert (order["status"], order["grand_total"], order["note"]) == ("pending_payment", 24_900, "ring twice")
    assert "position" not in order
    assert "created" not in order
    assert answer.headers["etag"] == '"1"'
    assert int(answer.headers["x-consistency-token"]) == one(owner, "SELECT max(position) FROM store.outbox")
    assert order["items"][0]["sku"] == variant.sku


async def test_the_same_cart_again_is_200_and_the_same_key_is_a_replay(
    api: httpx.AsyncClient, shopper: Shopper, variant: Variant
) -> None:
    first = await api.post("/v1/checkout", json=shopper.body(), headers=shopper.keyed("one"))
    again = await api.post("/v1/checkout", json=shopper.body(), headers=shopper.keyed("two"))
    replayed = await api.post("/v1/checkout", json=shopper.body(), headers=shopper.keyed("one"))
    assert [answer.status_code for answer in (first, again, replayed)] == [201, 200, 201]
    assert first.json()["id"] == again.json()["id"]
    assert replayed.json() == first.json()
    assert replayed.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in again.headers
    other = await api.post("/v1/checkout", json=shopper.body(note="other"), headers=shopper.keyed("one"))
    assert code(other) == (422, "idempotency_key_reused")


async def test_sold_out_says_what_is_left(
    api: httpx.AsyncClient, owner: Connection, shopper: Shopper, variant: Variant
) -> None:
    make_cart(owner, shopper.id, (variant, 5))
    answer = await api.post("/v1/checkout", json=shopper.body(), headers=shopper.keyed())
    assert code(answer) == (409, "out_of_stock")
    assert answer.json()["lines"] == [{"sku": variant.sku, "wanted": 5, "available": 3}]


async def test_a_hold_whose_time_is_over_makes_nothing_look_sold_out(
    api: httpx.AsyncClient, owner: Connection, shopper: Shopper, variant: Variant
) -> None:
    """No worker runs here: the checkout itself ends the hold that stands in its way."""
    late = make_order(owner, (variant, 3))
    expire_hold(owner, late["id"])
    answer = await api.post("/v1/checkout", json=shopper.body(), headers=shopper.keyed())
    assert answer.status_code == 201, answer.text
    assert rows(owner, "SELECT status FROM store.orders ORDER BY id") == [("expired",), ("pending_payment",)]


async def test_what_checkout_refuses(
    api: httpx.AsyncClient, owner: Connection, shopper: Shopper, variant: Variant
) -> None:
    async def refusal(headers: dict[str, str], **changes: object) -> tuple[int, str]:
        return code(await api.post("/v1/checkout", json=shopper.body(**changes), headers=headers))

    assert await refusal({"Idempotency-Key": "k"}) == (401, "unauthenticated")
    assert await refusal(shopper.headers) == (400, "idempotency_key_missing")
    assert await refusal(shopper.keyed(), payment_method="barter") == (422, "validation_failed")
    assert await refusal(shopper.keyed(), discount=1) == (422, "validation_failed")
    assert await refusal(shopper.keyed(), note="a\x00b") == (422, "validation_failed")
    assert await refusal(shopper.keyed(), expected_total=-1) == (422, "validation_failed")
    assert await refusal(shopper.keyed(), address_id=str(uuid.uuid4())) == (404, "address_not_found")
    assert await refusal(shopper.keyed(), expected_total=1) == (409, "cart_changed")
    assert await refusal(shopper.keyed(**{"If-Match": '"9"'})) == (409, "cart_changed")
    make_cart(owner, shopper.id)
    assert await refusal(shopper.keyed()) == (409, "cart_empty")
    assert one(owner, "SELECT count(*) FROM store.orders") == 0


async def test_many_tabs_over_http(
    api: httpx.AsyncClient, owner: Connection, shopper: Shopper, variant: Variant
) -> None:
    answers = await asyncio.gather(
        *(api.post("/v1/checkout", json=shopper.body(), headers=shopper.keyed()) for _ in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert one(owner, "SELECT count(*) FROM store.orders") == 1


async def test_a_shopper_cancels(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, shopper: Shopper, variant: Variant
) -> None:
    order = (await api.post("/v1/checkout", json=shopper.body(), headers=shopper.keyed())).json()
    path = f"/v1/orders/{order['id']}/cancel"
    stranger = Shopper(owner, settings)
    assert code(await api.post(path, json={"reason": "x"}, headers=stranger.keyed())) == (404, "order_not_found")
    answer = await api.post(path, json={"reason": "found it cheaper"}, headers=shopper.keyed())
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["cancel_reason"]) == ("cancelled", "found it cheaper")
    assert answer.headers["etag"] == '"2"'
    again = await api.post(path, json={}, headers=shopper.keyed())
    assert code(again) == (409, "order_state")
    assert (again.json()["state"], again.json()["wanted"]) == ("cancelled", "cancelled")
    assert one(owner, "SELECT reserved FROM store.inventory") == 0


async def test_staff_take_an_order_along(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, variant: Variant
) -> None:
    order = make_order(owner, (variant, 1), method="cod")
    path = f"/v1/admin/orders/{order['id']}/status"
    packed = await api.put(
        path, json={"status": "packed"}, headers=keyed_staff(owner, settings, "orders", **{"If-Match": '"2"'})
    )
    assert packed.status_code == 200, packed.text
    assert packed.headers["etag"] == '"3"'
    body = {"status": "shipped", "carrier": "Blue Dart", "tracking_number": "BD 1"}
    shipped = await api.put(
        path, json=body, headers=keyed_staff(owner, settings, **{"If-Match": packed.headers["etag"]})
    )
    assert shipped.json()["status"] == "shipped"
    assert one(owner, "SELECT detail FROM store.order_events ORDER BY id DESC LIMIT 1") == {
        "carrier": "Blue Dart",
        "tracking_number": "BD 1",
    }
    for headers, refusal in (
        (keyed_staff(owner, settings), (428, "precondition_required")),
        (keyed_staff(owner, settings, **{"If-Match": '"3"'}), (412, "version_mismatch")),
        (keyed_staff(owner, settings, "catalog", **{"If-Match": shipped.headers["etag"]}), (403, "forbidden")),
        (keyed_staff(owner, settings, **{"If-Match": shipped.headers["etag"]}), (409, "order_state")),
    ):
        assert code(await api.put(path, json={"status": "packed"}, headers=headers)) == refusal
    shopper = bearer(settings, UUID(order["user_id"])) | {"Idempotency-Key": "k", "If-Match": '"4"'}
    assert code(await api.put(path, json={"status": "delivered"}, headers=shopper)) == (403, "forbidden")


async def test_staff_cancel(api: httpx.AsyncClient, owner: Connection, settings: Settings, variant: Variant) -> None:
    order = make_order(owner, (variant, 1), method="cod")
    path = f"/v1/admin/orders/{order['id']}/cancel"
    stale = keyed_staff(owner, settings, **{"If-Match": '"1"'})
    assert code(await api.post(path, json={"reason": "fraud"}, headers=stale)) == (412, "version_mismatch")
    answer = await api.post(path, json={"reason": "fraud"}, headers=keyed_staff(owner, settings, "support"))
    assert answer.json()["status"] == "cancelled", answer.text
