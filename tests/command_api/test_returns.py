"""Returns and invoices over HTTP, once through: asked, approved, fetched, received; invoice, credit note, list."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis import Redis

from app.core.config import Settings
from app.main import create_app
from app.utils.amounts import in_words
from command_api.schemas import returns as schemas
from query_api.schemas import returns as read
from tests.support.api import bearer, serving
from tests.support.builders import Connection, make_product, make_staff, make_user, rows
from tests.support.paying import Document, paid_order
from tests.support.returning import delivered, issue, put_settings, two_sizes

NONE_SUCH = uuid.UUID(int=7)


@pytest.fixture
async def api(settings: Settings, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """Both APIs in one process, with an empty Redis."""
    async with serving(create_app(settings)) as client:
        yield client


@pytest.fixture
def staff(owner: Connection, settings: Settings) -> dict[str, str]:
    return bearer(settings, make_staff(owner, "support"), "support")


def shopper(settings: Settings, order: Document) -> dict[str, str]:
    return bearer(settings, uuid.UUID(order["user_id"]))


async def post(api: httpx.AsyncClient, path: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
    return await api.post(f"/v1{path}", json=body or {}, headers={"Idempotency-Key": uuid.uuid4().hex} | headers)


async def test_a_return_from_end_to_end(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, staff: dict[str, str]
) -> None:
    put_settings(owner, returns_need_approval=True)
    order = delivered(owner)
    mine = shopper(settings, order)
    body = {
        "lines": [{"sku": order["items"][0]["sku"], "quantity": 2}],
        "reason_code": "damaged",
        "reason": "It came torn",
        "photo_urls": ["https://img.example/1.jpg"],
    }
    asked = await post(api, f"/orders/{order['id']}/returns", mine, body)
    assert asked.status_code == 201, asked.text
    document = schemas.Return.model_validate(asked.json())
    assert (document.status, asked.headers["etag"]) == ("requested", '"1"')
    assert int(asked.headers["x-consistency-token"]) > 0

    [waiting] = (await api.get("/v1/admin/returns?status=requested", headers=staff)).json()["items"]
    assert read.AdminReturn.model_validate(waiting).order_number == order["number"]
    path = f"/admin/returns/{document.id}"
    stale = await post(api, f"{path}/approve", staff | {"If-Match": '"9"'}, {})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    approved = await post(api, f"{path}/approve", staff | {"If-Match": '"1"'}, {"note": "Send it back, please"})
    assert (approved.status_code, approved.json()["status"]) == (200, "approved")
    assert approved.json()["decision_note"] == "Send it back, please"
    sent = await post(
        api, f"{path}/dispatch", staff, {"carrier": "Delhivery", "pickup_at": "2026-11-02T10:00:00+05:30"}
    )
    assert (sent.json()["status"], sent.json()["carrier"]) == ("in_transit", "Delhivery")

    told = [{"order_item_id": order["items"][0]["id"], "quantity": 2, "condition": "damaged", "note": "seam open"}]
    key = {"Idempotency-Key": "receipt-1"}
    done = await post(api, f"{path}/receive", staff | key, {"lines": told})
    assert done.status_code == 200, done.text
    assert (done.json()["status"], done.json()["refund"]["amount"]) == ("refunded", 20_000)
    again = await post(api, f"{path}/receive", staff | key, {"lines": told})
    assert (again.headers["idempotent-replayed"], again.json()) == ("true", done.json())
    assert (await post(api, f"{path}/receive", staff)).json()["code"] == "return_state"

    listed = await api.get(f"/v1/orders/{order['id']}/returns", headers=mine)
    [shown] = read.OrderReturnList.model_validate(listed.json()).items
    assert (shown.status, shown.items[0].received_quantity, shown.items[0].condition) == ("refunded", 2, "damaged")
    assert "seam open" not in listed.text, "what the inspection said is for the store's people"
    page = (await api.get(f"/v1/orders/{order['id']}", headers=mine)).json()
    assert page["returns"] == listed.json()["items"]
    full = await api.get(f"/v1{path}", headers=staff)
    assert full.json()["inspection"] == [{"sku": order["items"][0]["sku"], "inspection_note": "seam open"}]
    assert full.headers["etag"] == f'"{done.json()["version"]}"'


async def test_an_exchange_shows_on_both_orders(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, staff: dict[str, str]
) -> None:
    small, large = two_sizes(owner)
    order = delivered(owner, (small, 1))
    mine = shopper(settings, order)
    line = {"sku": small.sku, "quantity": 1, "exchange_sku": large.sku}
    wish = {"lines": [line], "resolution": "exchange", "reason_code": "size_or_fit"}
    asked = await post(api, f"/orders/{order['id']}/returns", mine, wish)
    done = await post(api, f"/admin/returns/{asked.json()['id']}/receive", staff)
    new = done.json()["replacement_order_id"]
    assert done.json()["status"] == "exchanged"
    page = (await api.get(f"/v1/orders/{new}", headers=mine)).json()
    assert (page["exchange_of"], page["status"], page["items"][0]["sku"]) == (order["id"], "confirmed", large.sku)
    old = (await api.get(f"/v1/orders/{order['id']}", headers=mine)).json()
    assert (old["status"], old["returns"][0]["replacement_order_id"]) == ("returned", new)


async def test_a_shopper_takes_a_return_back(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, staff: dict[str, str]
) -> None:
    order = delivered(owner)
    mine = shopper(settings, order)
    asked = await post(api, f"/orders/{order['id']}/returns", mine, {"reason_code": "changed_mind"})
    other = bearer(settings, make_user(owner))
    assert (await post(api, f"/returns/{asked.json()['id']}/cancel", other)).json()["code"] == "return_not_found"
    gone = await post(api, f"/returns/{asked.json()['id']}/cancel", mine, {"note": "it fits after all"})
    assert (gone.status_code, gone.json()["status"]) == (200, "cancelled")
    again = await post(api, f"/orders/{order['id']}/returns", mine, {"reason_code": "changed_mind"})
    assert (await post(api, f"/admin/returns/{again.json()['id']}/cancel", staff)).json()["status"] == "cancelled"


async def test_rejections_and_money_without_goods(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, staff: dict[str, str]
) -> None:
    put_settings(owner, returns_need_approval=True, refund_approval_above=15_000)
    order = delivered(owner)
    mine = shopper(settings, order)
    line = {"order_item_id": order["items"][0]["id"], "quantity": 2}
    ask = {"lines": [line], "reason_code": "defective"}
    first = (await post(api, f"/orders/{order['id']}/returns", mine, ask)).json()
    refused = await post(api, f"/admin/returns/{first['id']}/reject", staff, {"note": "worn"})
    assert (refused.json()["status"], refused.json()["decision_note"]) == ("rejected", "worn")
    second = (await post(api, f"/orders/{order['id']}/returns", mine, ask)).json()
    path = f"/admin/returns/{second['id']}/approve"
    much = await post(api, path, staff, {"refund_without_return": True})
    assert (much.status_code, much.json()["code"], much.json()["amount"]) == (403, "second_person_required", 20_000)
    put_settings(owner, refund_approval_above=20_000)
    done = await post(api, path, staff, {"refund_without_return": True, "shipping_amount": 0})
    assert (done.json()["status"], done.json()["settled_reason"]) == ("refunded", "refund_without_goods")


NO_RETURNS: list[Document] = [
    {},
    {"reason_code": "bored"},
    {"reason_code": "other", "lines": []},
    {"reason_code": "other", "resolution": "swap"},
    {"reason_code": "other", "lines": [{"sku": "A", "quantity": 1, "exchange_sku": "B"}]},
    {"reason_code": "other", "lines": [{"sku": "A", "quantity": 0}]},
    {"reason_code": "other", "photo_urls": ["http://plain.example/1.jpg"]},
    {"reason_code": "other", "photo_urls": ["https://img.example/1.jpg"] * 11},
    {"reason_code": "other", "reason": "a\u0000b"},
]


async def test_bodies_of_another_shape(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, staff: dict[str, str]
) -> None:
    order = delivered(owner)
    for body in NO_RETURNS:
        answer = await api.post(
            f"/v1/orders/{order['id']}/returns",
            json=body,
            headers=shopper(settings, order) | {"Idempotency-Key": uuid.uuid4().hex},
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), body
    for path, body in (
        ("approve", {"shipping_amount": 100}),
        ("reject", {}),
        ("receive", {"lines": [{"order_item_id": str(NONE_SUCH), "quantity": 1, "condition": "eaten"}]}),
        ("receive", {"shipping_amount": -1}),
    ):
        answer = await post(api, f"/admin/returns/{NONE_SUCH}/{path}", staff, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), (path, body)
    assert rows(owner, "SELECT count(*) FROM store.returns") == [(0,)]


async def test_what_is_not_there(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, staff: dict[str, str]
) -> None:
    order = paid_order(owner)
    mine, other = shopper(settings, order), bearer(settings, make_user(owner))
    for path, who, code in (
        (f"/orders/{order['id']}/returns", other, "order_not_found"),
        (f"/orders/{order['id']}/invoice", other, "order_not_found"),
        (f"/orders/{order['id']}/invoice", mine, "invoice_not_found"),
        (f"/admin/returns/{NONE_SUCH}", staff, "return_not_found"),
        (f"/admin/invoices/{NONE_SUCH}", staff, "invoice_not_found"),
        ("/admin/invoices", bearer(settings, make_staff(owner, "catalog"), "catalog"), "forbidden"),
        ("/admin/returns", bearer(settings, make_staff(owner, "catalog"), "catalog"), "forbidden"),
        ("/admin/returns", mine, "forbidden"),
    ):
        assert (await api.get(f"/v1{path}", headers=who)).json()["code"] == code, path
    missing = await post(api, f"/admin/returns/{NONE_SUCH}/approve", staff)
    assert (missing.status_code, missing.json()["code"]) == (404, "return_not_found")


async def test_the_invoice_has_all_that_gst_asks_for(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, staff: dict[str, str]
) -> None:
    shirt, towel = (
        make_product(owner, price=11_800, stock=5),
        make_product(owner, price=1_050, stock=5, tax_class="gst-5"),
    )
    order = delivered(owner, (shirt, 2), (towel, 1))
    mine = shopper(settings, order)
    body = {"lines": [{"sku": towel.sku, "quantity": 1}], "reason": "x"}
    await post(api, f"/orders/{order['id']}/refunds", mine, body)
    issue(owner)
    answer = await api.get(f"/v1/orders/{order['id']}/invoice", headers=mine)
    document = read.OrderInvoice.model_validate(answer.json())
    invoice = document.invoice
    assert (invoice.amount, invoice.amount_in_words) == (order["grand_total"], in_words(order["grand_total"]))
    assert (invoice.buyer["recipient_name"], invoice.buyer["state_code"]) == ("Asha Rao", "KA")
    summary = {(row.hsn_code, row.tax_rate_bp): row for row in invoice.hsn_summary}
    assert set(summary) == {("6109", 1800), ("6109", 500), ("996812", 1800)}
    assert summary["6109", 1800].taxable_amount == 20_000
    assert sum(row.amount for row in invoice.hsn_summary) == invoice.amount
    [credit] = document.credit_notes
    assert (credit.amount, credit.corrects_number) == (1_050, invoice.number)
    assert document.amount_left == invoice.amount - 1_050
    page = (await api.get(f"/v1/orders/{order['id']}", headers=mine)).json()
    assert page["invoice_number"] == invoice.number
    assert [found["number"] for found in page["documents"]] == [invoice.number, credit.number]
    one = await api.get(f"/v1/admin/invoices/{invoice.id}", headers=staff)
    assert read.Invoice.model_validate(one.json()) == invoice


async def test_documents_of_a_period_in_pages(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, staff: dict[str, str]
) -> None:
    for _ in range(3):
        delivered(owner)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/admin/invoices?limit=2&kind=invoice{cursor}", headers=staff)).json()
        seen += [read.AdminInvoiceRow.model_validate(row).number for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 3
    for query, count in (
        ("since=2000-01-01&until=2000-12-31", 0),
        ("since=2000-01-01", 3),
        ("kind=credit_note", 0),
        (f"number={seen[0].replace('/', '%2F')}", 1),
    ):
        assert len((await api.get(f"/v1/admin/invoices?{query}", headers=staff)).json()["items"]) == count, query
    assert (await api.get("/v1/admin/invoices?since=yesterday", headers=staff)).status_code == 422
