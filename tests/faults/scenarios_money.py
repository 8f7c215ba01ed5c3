"""Scenarios of money: gateways asked, settlement files read, what a person looked into."""

from io import StringIO
from typing import Any

from app.settlement_files.reader import Line, read
from tests.faults.scenarios import Arguments, by_staff, scenario
from tests.reconciliation.files import Row, csv_text, ledger_rows
from tests.support.builders import Connection, call, expire_hold, make_order, make_product, make_staff
from tests.support.paying import Document, begin, capture, give_back, paid_order

COUNTS = {"p_counts": {"lines": 3}}


def attempt(connection: Connection) -> Document:
    return begin(connection, make_order(connection, (make_product(connection, stock=5), 1)))


@scenario("pick_payments_to_check")
def attempts_nobody_told_of(connection: Connection) -> Arguments:
    attempt(connection)
    return {"p_older_than_seconds": 0}


@scenario("note_payment_check")
def an_attempt_that_is_over(connection: Connection) -> Arguments:
    payment = attempt(connection)
    expire_hold(connection, payment["order_id"])
    connection.execute("UPDATE store.payments SET expires_at = now()")
    return {"p_payment_id": payment["id"], "p_answer": "none"}


@scenario("request_payment_check")
def a_question_of_staff(connection: Connection) -> Arguments:
    return by_staff(connection, "finance") | {"p_payment_id": attempt(connection)["id"]}


def sent_refund(connection: Connection) -> Document:
    refund = give_back(connection, paid_order(connection), make_staff(connection), p_kind="goodwill", p_amount=100)
    call(connection, "mark_refund_submitted", p_refund_id=refund["id"], p_provider_refund_id="rfnd_1")
    return refund


@scenario("pick_refunds_to_check")
def refunds_nobody_told_of(connection: Connection) -> Arguments:
    sent_refund(connection)
    return {"p_older_than_seconds": 0}


@scenario("note_refund_check")
def a_refund_the_gateway_works_on(connection: Connection) -> Arguments:
    return {"p_refund_id": sent_refund(connection)["id"], "p_answer": "pending"}


OPENING = {"p_provider": "sandbox", "p_sha256": b"s" * 32, "p_name": "settled.csv", "p_layout": "kirana"}


@scenario("open_settlement_file")
def a_settlement_file(connection: Connection) -> Arguments:
    return by_staff(connection, "finance") | OPENING


def settled(connection: Connection, lines: list[Row]) -> list[dict[str, Any]]:
    found = read(StringIO(csv_text(lines), newline=""))[1]
    return [item.as_row() for item in found if isinstance(item, Line)]


@scenario("book_settlement_lines")
def lines_of_every_kind(connection: Connection) -> Arguments:
    staff = by_staff(connection, "finance")
    paid_order(connection)
    sent = sent_refund(connection)
    (first, second), payment = ledger_rows(connection)[:2], attempt(connection)
    missed = first | {"provider_ref": "pay_missed", "our_id": payment["id"], "amount": payment["amount"]}
    refund = first | {"kind": "refund", "provider_ref": "rfnd_1", "our_id": sent["id"], "amount": 100}
    lines = settled(connection, [first, second | {"amount": 1}, first, missed, refund])
    return staff | {"p_file_id": call(connection, "open_settlement_file", **staff, **OPENING)["id"], "p_rows": lines}


@scenario("close_settlement_file")
def the_end_of_a_settlement_file(connection: Connection) -> Arguments:
    for _ in range(3):
        paid_order(connection)
    staff = by_staff(connection, "finance")
    opened = call(connection, "open_settlement_file", **staff, **OPENING)["id"]
    first, _, last = settled(connection, ledger_rows(connection))
    call(connection, "book_settlement_lines", **staff, p_file_id=opened, p_rows=[first, last])
    return staff | COUNTS | {"p_file_id": opened}


@scenario("follow_settlements")
def a_line_that_was_booked_since(connection: Connection) -> Arguments:
    staff, payment = by_staff(connection, "finance"), attempt(connection)
    paid_order(connection)
    missed = ledger_rows(connection)[0] | {"provider_ref": f"pay_{payment['id']}", "amount": payment["amount"]}
    opened = call(connection, "open_settlement_file", **staff, **OPENING)["id"]
    call(connection, "book_settlement_lines", **staff, p_file_id=opened, p_rows=settled(connection, [missed]))
    capture(connection, payment)
    return {}


@scenario("close_settlement_line")
def a_difference_explained(connection: Connection) -> Arguments:
    arguments = the_end_of_a_settlement_file(connection)
    call(connection, "close_settlement_file", **arguments)
    line = connection.execute("SELECT id FROM store.settlement_lines WHERE status <> 'matched'").fetchone()
    assert line is not None
    return {"p_staff_id": arguments["p_staff_id"], "p_line_id": line[0], "p_note": "asked the gateway"}


@scenario("clear_order_attention")
def an_order_looked_into(connection: Connection) -> Arguments:
    order = paid_order(connection)
    payment = {"id": order["payment_id"], "amount": order["grand_total"]}
    capture(connection, payment, p_provider_payment_id="pay_twice")
    return by_staff(connection, "orders") | {"p_order_id": order["id"], "p_note": "paid back"}


@scenario("purge_guest_carts")
def an_old_cart(connection: Connection) -> Arguments:
    sku = make_product(connection, stock=5).sku
    call(connection, "add_to_cart", p_user_id=None, p_guest_token_hash=b"1" * 32, p_sku=sku, p_quantity=1)
    connection.execute("UPDATE store.carts SET created_at = '2020-01-01', updated_at = '2020-01-01'")
    return {"p_days": 90}


@scenario("purge_payment_payloads")
def an_old_event(connection: Connection) -> Arguments:
    paid_order(connection)
    connection.execute("UPDATE store.payment_events SET created_at = '2020-01-01'")
    return {"p_days": 400}
