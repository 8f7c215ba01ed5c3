"""Staff's work on money over HTTP: a settlement file, a difference closed, a payment asked about, an order cleared."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import httpx
import pytest
from redis import Redis

from app.core.config import Settings
from app.main import create_app
from tests.reconciliation.files import csv_text, ledger_rows
from tests.support.api import bearer, serving
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    make_order,
    make_product,
    make_staff,
    make_user,
    one,
)
from tests.support.databases import Database
from tests.support.gateway import Played, pay, playing
from tests.support.paying import Document, begin, capture, give_back, order_row, paid_order, payment_row


@pytest.fixture
def settings(database: Database) -> Settings:
    return database.settings.model_copy(update={"gateway_urls": {"sandbox": "http://kirana.test"}})


@pytest.fixture
async def played(settings: Settings, redis: Redis) -> AsyncIterator[tuple[httpx.AsyncClient, Played]]:
    """Both APIs, and the sandbox gateway that they ask."""
    app = create_app(settings)
    async with serving(app) as api, playing(settings, api) as made:
        app.state.command = replace(app.state.command, gateway=made.gateway)
        yield api, made


@pytest.fixture
def finance(owner: Connection, settings: Settings) -> dict[str, str]:
    return bearer(settings, make_staff(owner, "finance"), "finance")


async def test_a_settlement_file_from_upload_to_the_last_difference(
    played: tuple[httpx.AsyncClient, Played], owner: Connection, finance: dict[str, str]
) -> None:
    api, _ = played
    for _ in range(3):
        paid_order(owner)
    lines = ledger_rows(owner)
    lines[1]["amount"] += 5
    body = {"name": "f.csv", "csv": csv_text([*lines[:2], {"kind": "payment", "amount": "?"}])}
    period = rows_period(owner)
    made = await api.post("/v1/admin/settlement-files", json=body | period, headers=finance)
    assert made.status_code == 201, made.text
    document = made.json()
    assert document["lines"] == {"matched": 1, "amount_differs": 1, "missing_at_gateway": 1}
    assert [bad["line"] for bad in document["bad"]] == [4]
    again = await api.post("/v1/admin/settlement-files", json=body | period, headers=finance)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json()["lines"] == document["lines"]

    (settlement,) = (await api.get("/v1/admin/settlements?reference=setl_1", headers=finance)).json()["items"]
    assert settlement["payment_total"] == lines[0]["amount"] + lines[1]["amount"]
    assert settlement["net_total"] == settlement["payment_total"] - settlement["fee_total"] - settlement["tax_total"]
    (file,) = (await api.get("/v1/admin/settlement-files", headers=finance)).json()["items"]
    assert (file["status"], file["differing"], file["id"]) == ("closed", 2, document["id"])

    seen, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"/v1/admin/settlement-lines?open=true&limit=1{cursor}", headers=finance)).json()
        seen += page["items"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert [line["status"] for line in seen] == ["amount_differs", "missing_at_gateway"]
    assert seen[0]["ledger_amount"] == seen[0]["amount"] - 5
    waiting = (await api.get("/v1/admin/attention?kind=settlement_line", headers=finance)).json()["items"]
    assert [item["reason"] for item in waiting] == ["amount_differs", "missing_at_gateway"]
    for line in seen:
        path = f"/v1/admin/settlement-lines/{line['id']}/close"
        closed = await api.post(path, json={"note": "asked the gateway"}, headers=finance)
        assert closed.status_code == 200, closed.text
        twice = await api.post(path, json={"note": "again"}, headers=finance)
        assert twice.json()["code"] == "settlement_line_state"
    assert (await api.get("/v1/admin/attention", headers=finance)).json()["items"] == []
    assert_books_balance(owner)


def rows_period(owner: Connection) -> dict[str, str]:
    return {
        f"period_{name}": one(owner, f"SELECT {way}(created_at) FROM store.money_movements").isoformat()
        for name, way in (("from", "min"), ("to", "max"))
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"csv": "a,b\n1,2\n"}, "invalid_value"),
        ({"csv": ""}, "validation_failed"),
        ({"layout": "paypal"}, "validation_failed"),
        ({"csv": "kind,provider_ref,amount,currency,settlement_id\n"}, "invalid_value"),
        (
            {"period_from": "2026-11-02T00:00:00Z", "period_to": "2026-11-01T00:00:00Z"},
            "validation_failed",
        ),
        ({"period_from": "2026-11-02T00:00:00"}, "validation_failed"),
    ],
)
async def test_what_is_no_settlement_file(
    played: tuple[httpx.AsyncClient, Played], finance: dict[str, str], change: Document, code: str
) -> None:
    api, _ = played
    answer = await api.post("/v1/admin/settlement-files", json={"name": "f", "csv": "x"} | change, headers=finance)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_payment_is_asked_about_at_once(
    played: tuple[httpx.AsyncClient, Played], owner: Connection, finance: dict[str, str]
) -> None:
    api, sandbox = played
    order = make_order(owner, (make_product(owner, stock=5), 1))
    payment = begin(owner, order)
    await pay(sandbox, payment, outcome="never")
    await sandbox.client.put("/trouble", json={"kind": "error", "times": 1})
    path = f"/v1/admin/payments/{payment['id']}/check"
    away = await api.post(path, headers=finance)
    assert (away.status_code, away.json()["check_answer"], away.json()["status"]) == (200, "away", "created")
    owner.execute("UPDATE store.payments SET check_attempts = 3")
    (stuck,) = (await api.get("/v1/admin/payments?stuck=true", headers=finance)).json()["items"]
    assert (stuck["id"], stuck["stuck"], stuck["check_answer"]) == (payment["id"], True, "away")
    (waiting,) = (await api.get("/v1/admin/attention", headers=finance)).json()["items"]
    assert (waiting["kind"], waiting["id"], waiting["order_number"]) == (
        "payment_stuck",
        payment["id"],
        order["number"],
    )

    answer = await api.post(path, headers=finance)
    assert (answer.json()["check_answer"], answer.json()["status"]) == ("captured", "captured")
    assert answer.headers["x-consistency-token"]
    assert order_row(owner, order)["status"] == "confirmed"
    one_payment = await api.get(f"/v1/admin/payments/{payment['id']}", headers=finance)
    assert one_payment.json()["check_at"] is None
    assert one_payment.headers["etag"] == f'"{payment_row(owner, payment["id"])["version"]}"'
    assert (await api.get("/v1/admin/payments?stuck=true", headers=finance)).json()["items"] == []
    assert one(owner, "SELECT count(*) FROM store.staff_actions WHERE action = 'check_payment'") == 2
    assert_books_balance(owner)


async def test_what_no_gateway_knows_is_not_asked_about(
    played: tuple[httpx.AsyncClient, Played], owner: Connection, finance: dict[str, str], settings: Settings
) -> None:
    api, _ = played
    order = make_order(owner, (make_product(owner, stock=5), 1), method="cod")
    cash = one(owner, "SELECT id FROM store.payments WHERE order_id = %s", order["id"])
    for payment_id, status, code in ((cash, 409, "payment_state"), (make_user(owner), 404, "payment_not_found")):
        answer = await api.post(f"/v1/admin/payments/{payment_id}/check", headers=finance)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await api.get(f"/v1/admin/payments/{make_user(owner)}", headers=finance)).status_code == 404
    support = bearer(settings, make_staff(owner, "support"), "support")
    assert (await api.post(f"/v1/admin/payments/{cash}/check", headers=support)).status_code == 403


async def test_an_order_that_was_looked_into_leaves_the_list(
    played: tuple[httpx.AsyncClient, Played], owner: Connection, settings: Settings
) -> None:
    api, _ = played
    order = paid_order(owner)
    capture(owner, begin_again(owner, order), p_provider_payment_id="pay_twice")
    staff = bearer(settings, make_staff(owner, "orders"), "orders")
    (waiting,) = (await api.get("/v1/admin/attention?kind=order", headers=staff)).json()["items"]
    assert (waiting["reason"], waiting["order_id"]) == ("overpaid", order["id"])
    path, version = f"/v1/admin/orders/{order['id']}/attention/clear", order_row(owner, order)["version"]
    stale = await api.post(path, json={"note": "x"}, headers=staff | {"If-Match": f'"{version - 1}"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    cleared = await api.post(path, json={"note": "paid back"}, headers=staff | {"If-Match": f'"{version}"'})
    assert (cleared.status_code, cleared.json()["attention"]) == (200, None)
    assert (await api.post(path, json={"note": "x"}, headers=staff)).json()["code"] == "order_state"
    missing = await api.post(f"/v1/admin/orders/{make_user(owner)}/attention/clear", json={"note": "x"}, headers=staff)
    assert missing.json()["code"] == "order_not_found"
    assert (await api.get("/v1/admin/attention?kind=order", headers=staff)).json()["items"] == []
    event = one(owner, "SELECT detail FROM store.order_events WHERE type = 'order.attention_cleared'")
    assert event == {"attention": "overpaid", "note": "paid back"}
    assert_books_balance(owner)


def begin_again(owner: Connection, order: Document) -> Document:
    """The attempt that paid the order; a gateway may take money for it a second time."""
    return payment_row(owner, order["payment_id"])


async def test_all_that_waits_is_on_one_list_oldest_first(
    played: tuple[httpx.AsyncClient, Played], owner: Connection, finance: dict[str, str]
) -> None:
    api, _ = played
    staff = make_staff(owner)
    refunds = [give_back(owner, paid_order(owner), staff, p_kind="goodwill", p_amount=100)["id"] for _ in range(4)]
    failed, tried, silent, by_hand = refunds
    refusal = {"p_succeeded": False, "p_provider_refund_id": None, "p_amount": None, "p_failure_code": "closed"}
    call(owner, "settle_refund", p_refund_id=failed, **refusal)
    owner.execute("UPDATE store.refunds SET submit_attempts = 5 WHERE id = %s", (tried,))
    call(owner, "mark_refund_submitted", p_refund_id=silent, p_provider_refund_id="rfnd_s")
    owner.execute("UPDATE store.refunds SET check_attempts = 3, check_answer = 'unknown' WHERE id = %s", (silent,))
    owner.execute("UPDATE store.refunds SET next_submit_at = 'infinity' WHERE id = %s", (by_hand,))
    owner.execute(
        "INSERT INTO read.dead_letters (projection, view_key, position, sqlstate, error)"
        " VALUES ('catalog', %s, 1, '22012', 'division by zero')",
        (UUID(int=7),),
    )
    seen, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"/v1/admin/attention?limit=2{cursor}", headers=finance)).json()
        seen += page["items"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert {(item["kind"], item["id"]) for item in seen} == {
        ("refund_failed", failed),
        ("refund_stuck", tried),
        ("refund_stuck", silent),
        ("refund_by_hand", by_hand),
        ("dead_letter", f"catalog/{UUID(int=7)}"),
    }
    assert len(seen) == 5
    assert [item["since"] for item in seen] == sorted(item["since"] for item in seen)
    assert {item["reason"] for item in seen} == {"closed", "initiated", "unknown", "goodwill", "22012"}
