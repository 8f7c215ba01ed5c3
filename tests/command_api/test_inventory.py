"""Stock keeping over HTTP."""

import uuid
from typing import Any

import httpx
import psycopg
import pytest

from app.core.config import Settings
from tests.support.api import bearer
from tests.support.builders import Variant, make_product, make_staff, make_user, make_warehouse, one

Connection = psycopg.Connection[Any]
RECEIPTS, ADJUSTMENTS = "/v1/admin/inventory/receipts", "/v1/admin/inventory/adjustments"


@pytest.fixture
def variant(owner: Connection) -> Variant:
    make_warehouse(owner)
    return make_product(owner)


@pytest.fixture
def staff(owner: Connection, settings: Settings) -> dict[str, str]:
    return bearer(settings, make_staff(owner, "inventory"), "inventory")


def keyed(headers: dict[str, str], key: str | None = None) -> dict[str, str]:
    return headers | {"Idempotency-Key": key or uuid.uuid4().hex}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_receipt(api: httpx.AsyncClient, owner: Connection, variant: Variant, staff: dict[str, str]) -> None:
    body = {"sku": variant.sku, "warehouse_code": "BLR", "quantity": 7, "reference": "DN-7"}
    first = await api.post(RECEIPTS, json=body, headers=keyed(staff, "one"))
    assert first.status_code == 201, first.text
    assert first.json() == {
        "sku": variant.sku,
        "warehouse": "BLR",
        "on_hand": 7,
        "reserved": 0,
        "available": 7,
        "moved": 7,
        "allocated": 0,
    }
    assert int(first.headers["x-consistency-token"]) > 0
    again = await api.post(RECEIPTS, json=body, headers=keyed(staff, "one"))
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert one(owner, "SELECT sum(on_hand) FROM store.inventory") == 7


async def test_adjustments(api: httpx.AsyncClient, variant: Variant, staff: dict[str, str]) -> None:
    line = {"sku": variant.sku, "warehouse_code": "BLR"}
    await api.post(RECEIPTS, json=line | {"quantity": 7}, headers=keyed(staff))

    async def adjust(**body: object) -> httpx.Response:
        return await api.post(ADJUSTMENTS, json=line | {"reason": "stocktaking"} | body, headers=keyed(staff))

    counted = await adjust(kind="count", counted_quantity=5, expected_quantity=7)
    assert (counted.json()["on_hand"], counted.json()["moved"]) == (5, -2)
    same = await adjust(kind="count", counted_quantity=5)
    assert (same.status_code, same.json()["moved"], "x-consistency-token" in same.headers) == (201, 0, False)
    assert code(await adjust(kind="count", counted_quantity=4, expected_quantity=7)) == (409, "stale_quantity")
    assert code(await adjust(kind="damage", quantity_delta=-6, reason_code="broken")) == (409, "stock_below_reserved")
    assert code(await adjust(kind="damage", quantity_delta=6, reason_code="broken")) == (422, "invalid_value")
    assert code(await adjust(kind="count", quantity_delta=6)) == (422, "validation_failed")
    assert code(await adjust(kind="damage", quantity_delta=-1)) == (422, "validation_failed")
    assert code(await adjust(kind="adjustment")) == (422, "validation_failed")


async def test_buckets(api: httpx.AsyncClient, owner: Connection, variant: Variant, staff: dict[str, str]) -> None:
    body = {"sku": variant.sku, "warehouse_code": "BLR", "quantity": 8}
    await api.post(RECEIPTS, json=body, headers=keyed(staff))
    answer = await api.put(f"/v1/admin/inventory/{variant.sku}/buckets", json={"bucket_count": 4}, headers=staff)
    assert answer.json() == {"sku": variant.sku, "bucket_count": 4, "moved": 6}
    assert one(owner, "SELECT count(*) FROM store.inventory WHERE on_hand = 2") == 4
    wrong = await api.put(f"/v1/admin/inventory/{variant.sku}/buckets", json={"bucket_count": 65}, headers=staff)
    assert code(wrong) == (422, "validation_failed")


async def test_who_and_what_is_refused(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, variant: Variant, staff: dict[str, str]
) -> None:
    body: dict[str, Any] = {"sku": variant.sku, "warehouse_code": "BLR", "quantity": 7}

    async def refusal(headers: dict[str, str], **changes: object) -> tuple[int, str]:
        return code(await api.post(RECEIPTS, json=body | changes, headers=headers))

    assert await refusal({}) == (401, "unauthenticated")
    assert await refusal(keyed(bearer(settings, make_user(owner)))) == (403, "forbidden")
    assert await refusal(keyed(bearer(settings, make_user(owner), "owner"))) == (403, "forbidden"), "a stale token"
    assert await refusal(staff) == (400, "idempotency_key_missing")
    assert await refusal(keyed(staff), sku="NO-SUCH") == (404, "sku_not_found")
    assert await refusal(keyed(staff), warehouse_code="NOWHERE") == (404, "warehouse_not_found")
    assert await refusal(keyed(staff), quantity=0) == (422, "validation_failed")
    assert await refusal(keyed(staff), quantity=1_000_001) == (422, "validation_failed")
