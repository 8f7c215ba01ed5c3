"""Invoices and credit notes: due when the goods leave and when money goes back, to the paisa, and never changed."""

import uuid

import pytest

from tests.support.builders import (
    Connection,
    call,
    checkout,
    idempotent,
    make_address,
    make_cart,
    make_order,
    make_product,
    make_staff,
    make_user,
    one,
    rows,
)
from tests.support.paying import Document, begin, capture, deliver, discounted_order, give_back, paid_order
from tests.support.returning import assert_documents_tie, delivered, documents, issue, line, put_settings


@pytest.fixture
def staff(owner: Connection) -> uuid.UUID:
    return make_staff(owner, "orders")


def step(connection: Connection, staff: uuid.UUID, order: Document, *statuses: str, **detail: object) -> Document:
    done: Document = {}
    for status in statuses:
        wish = {"p_staff_id": staff, "p_order_id": order["id"], "p_to_status": status, "p_detail": detail}
        done = call(connection, "update_order_status", **idempotent(), **wish)
    return done


def test_packed_goods_have_an_invoice_before_they_leave(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    put_settings(
        owner, seller_name="Toys Ltd", seller_gstin="29ABCDE1234F1Z5", seller_address="1 Hosur Road, Bengaluru 560029"
    )
    shirt, towel = (
        make_product(owner, price=11_800, stock=5),
        make_product(owner, price=1_050, stock=5, tax_class="gst-5"),
    )
    order = paid_order(owner, (shirt, 2), (towel, 1))
    assert issue(owner) == 0, "nothing is due before it is packed"
    step(command, staff, order, "packed")
    assert documents(owner, order) == []
    assert issue(owner) == 1
    [invoice] = documents(owner, order)
    step(command, staff, order, "shipped")
    assert documents(owner, order) == [invoice], "one is enough"
    year = one(owner, "SELECT to_char(now() AT TIME ZONE 'Asia/Kolkata' - interval '3 months', 'YY')::int")
    assert invoice["number"] == f"KA{year}-{(year + 1) % 100:02d}/000001"
    assert (invoice["seller"]["name"], invoice["seller"]["gstin"]) == ("Toys Ltd", "29ABCDE1234F1Z5")
    assert invoice["buyer"] == {"state_code": "KA"}, "the name is the order's, and can be forgotten with it"
    assert (invoice["place_of_supply"], invoice["igst_amount"]) == ("KA", 0)
    assert invoice["amount"] == order["grand_total"]
    assert invoice["cgst_amount"] + invoice["sgst_amount"] == order["tax_total"]
    goods = {entry["sku"]: entry for entry in invoice["lines"] if entry["kind"] == "goods"}
    assert (goods[shirt.sku]["hsn_code"], goods[shirt.sku]["tax_rate_bp"]) == ("6109", 1800)
    assert (goods[shirt.sku]["taxable_amount"], goods[shirt.sku]["cgst_amount"]) == (20_000, 1_800)
    assert (goods[towel.sku]["taxable_amount"], goods[towel.sku]["sgst_amount"]) == (1_000, 25)
    delivery = invoice["lines"][-1]
    assert (delivery["kind"], delivery["hsn_code"], delivery["tax_rate_bp"]) == ("delivery", "996812", 1800)
    assert delivery["amount"] == order["shipping_total"] > 0
    told = rows(owner, "SELECT detail ->> 'number' FROM store.order_events WHERE type = 'invoice.issued'")
    assert told == [(invoice["number"],)]
    assert_documents_tie(owner)


def test_across_states_it_is_igst(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    user = make_user(owner)
    make_cart(owner, user, (make_product(owner, price=11_800, stock=5), 1))
    order = checkout(owner, user, make_address(owner, user, state_code="MH")) | {"user_id": str(user)}
    capture(owner, begin(owner, order))
    deliver(owner, order)
    [invoice] = documents(owner, order)
    assert (invoice["place_of_supply"], invoice["seller_state_code"]) == ("MH", "KA")
    assert (invoice["cgst_amount"], invoice["sgst_amount"], invoice["igst_amount"]) == (0, 0, order["tax_total"])
    assert all(entry["cgst_amount"] == 0 for entry in invoice["lines"])


def test_shipped_at_once_it_is_issued_on_the_way(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner)
    done = step(command, staff, order, "packed", "shipped")
    assert len(documents(owner, order)) == 1
    assert rows(owner, "SELECT max(position) FROM store.outbox") == [(done["position"],)]
    assert one(owner, "SELECT count(*) FROM store.invoices_due") == 0


def test_units_come_off_in_parts_that_sum_to_the_line(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    """Seven units after 11.11 % off, given back as 1, 2, 1, 3: the credit notes take off the invoice, tax and all."""
    order = discounted_order(owner, (make_product(owner, price=3_333, stock=9), 7), percent_bp=1_111)
    capture(command, begin(command, order))
    deliver(owner, order)
    for units in (1, 2, 1, 3):
        give_back(command, order, staff, p_lines=[line(order, units)])
        assert issue(owner) == 1
    assert_documents_tie(owner)
    invoice, *notes = documents(owner, order)
    goods = invoice["lines"][0]
    assert [credit["lines"][0]["quantity"] for credit in notes] == [1, 2, 1, 3]
    for name in ("amount", "taxable_amount", "cgst_amount", "sgst_amount"):
        assert sum(credit[name] for credit in notes) == goods[name]
    assert [credit["serial"] for credit in notes] == [1, 2, 3, 4]
    assert {credit["corrects_id"] for credit in notes} == {invoice["id"]}
    assert notes[0]["number"].startswith("KAC")


def test_delivery_and_goodwill_come_off_too(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = delivered(owner)
    give_back(command, order, staff, p_lines=[line(order, 1)], p_shipping_amount=1_000)
    give_back(command, order, staff, p_lines=[line(order, 2)], p_shipping_amount=3_900)
    other = delivered(owner)
    give_back(command, other, staff, p_kind="goodwill", p_amount=500)
    assert issue(owner) == 3
    invoice, first, last = documents(owner, order)
    assert [entry["kind"] for entry in first["lines"]] == ["goods", "delivery"]
    kind = documents(owner, other)[1]
    assert (kind["amount"], kind["taxable_amount"], kind["lines"][0]["kind"]) == (500, 500, "goodwill")
    delivery = next(entry for entry in invoice["lines"] if entry["kind"] == "delivery")
    for name in ("cgst_amount", "sgst_amount", "amount"):
        assert first["lines"][1][name] + last["lines"][1][name] == delivery[name]
    assert_documents_tie(owner)


def test_what_was_given_back_before_is_left_out(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner)
    give_back(command, order, staff, p_kind="cancellation", p_lines=[line(order, 1)], p_shipping_amount=900)
    deliver(owner, order)
    assert issue(owner) == 0
    [invoice] = documents(owner, order)
    assert invoice["amount"] == order["grand_total"] - 10_900
    assert invoice["lines"][0]["quantity"] == 2
    give_back(command, order, staff, p_shipping_amount=4_000)
    issue(owner)
    assert_documents_tie(owner)
    credit = documents(owner, order)[1]
    assert credit["amount"] == invoice["amount"]
    assert credit["igst_amount"] + credit["cgst_amount"] + credit["sgst_amount"] == (
        invoice["igst_amount"] + invoice["cgst_amount"] + invoice["sgst_amount"]
    )


def test_cash_goods_that_nobody_took(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    """Shipped, refused at the door, back: there is no refund, and the invoice is taken off all the same."""
    order = make_order(owner, (make_product(owner, stock=5), 2), method="cod")
    step(command, staff, order, "packed", "shipped", "returned_to_origin")
    assert issue(owner) == 1
    invoice, credit = documents(owner, order)
    assert (credit["amount"], credit["refund_id"], credit["reason"]) == (invoice["amount"], None, "returned_unpaid")
    assert_documents_tie(owner)


def test_paid_goods_that_nobody_took(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner)
    step(command, staff, order, "packed", "shipped", "returned_to_origin")
    assert issue(owner) == 1
    invoice, credit = documents(owner, order)
    assert (credit["amount"], credit["refund_id"] is not None) == (invoice["amount"], True)
    assert_documents_tie(owner)


def test_packed_and_cancelled(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 1), method="cod")
    step(command, staff, order, "packed")
    assert issue(owner) == 1
    wish = {"p_actor_id": staff, "p_as_staff": True, "p_order_id": order["id"], "p_reason": "x"}
    call(command, "cancel_order", **idempotent(), **wish)
    assert issue(owner) == 1
    invoice, credit = documents(owner, order)
    assert (invoice["kind"], credit["kind"], credit["amount"]) == ("invoice", "credit_note", invoice["amount"])
    assert_documents_tie(owner)


def test_packed_and_cancelled_before_the_worker_came(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner)
    step(command, staff, order, "packed")
    wish = {"p_actor_id": staff, "p_as_staff": True, "p_order_id": order["id"], "p_reason": "x"}
    call(command, "cancel_order", **idempotent(), **wish)
    issue(owner)
    assert documents(owner, order) == []
    assert one(owner, "SELECT count(*) FROM store.invoices_due") == 0
    assert_documents_tie(owner)


def test_what_was_free_has_an_invoice_of_nothing(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    put_settings(owner, seller_state_code="TN")
    owner.execute("UPDATE store.shipping_rules SET charge = 0")
    order = discounted_order(owner, (make_product(owner, stock=1), 1), percent_bp=10_000)
    step(command, staff, order, "packed", "shipped")
    [invoice] = documents(owner, order)
    assert (invoice["amount"], invoice["lines"][0]["quantity"], invoice["number"][:2]) == (0, 1, "TN")
    assert_documents_tie(owner)


def test_a_document_that_cannot_be_issued_holds_up_no_other(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    broken, sound = paid_order(owner), paid_order(owner)
    for order in (broken, sound):
        step(command, staff, order, "packed")
    # an order whose seller's state was lost: no number can be formed
    owner.execute("ALTER TABLE store.invoices ADD CONSTRAINT broken CHECK (order_id <> '" + broken["id"] + "')")
    assert call(command, "issue_due_invoices")["issued"] == 1
    assert documents(owner, sound)[0]["serial"] == 1, "its number was not lost"
    [(order_id, error)] = rows(owner, "SELECT order_id::text, last_error FROM store.invoices_due")
    assert (order_id, error[:5]) == (broken["id"], "23514")
    assert call(command, "issue_due_invoices")["issued"] == 0, "it is left alone for a while"
    owner.execute("ALTER TABLE store.invoices DROP CONSTRAINT broken")
    owner.execute("UPDATE store.invoices_due SET next_try_at = now()")
    assert call(command, "issue_due_invoices")["issued"] == 1
    assert_documents_tie(owner)


def test_a_number_grows_and_a_date_never_steps_back(owner: Connection, command: Connection) -> None:
    numbered = call(owner, "take_invoice_number", p_kind="invoice", p_seller_state_code="KA")
    year = numbered["financial_year"]
    owner.execute("UPDATE store.invoice_series SET last_issued_on = last_issued_on + 3, last_serial = 999999")
    again = call(owner, "take_invoice_number", p_kind="invoice", p_seller_state_code="KA")
    assert again["number"] == f"KA{year}/1000000"
    assert again["issued_on"] > numbered["issued_on"]
    assert call(owner, "take_invoice_number", p_kind="credit_note", p_seller_state_code="KA")["serial"] == 1
    assert call(owner, "take_invoice_number", p_kind="invoice", p_seller_state_code="MH")["serial"] == 1


YEARS = {
    "2026-03-31 23:59:59.9+05:30": "25-26",
    "2026-03-31 18:30:00+00:00": "26-27",
    "2026-04-01 00:00:00+05:30": "26-27",
    "2026-12-31 12:00:00+05:30": "26-27",
    "2099-05-01 12:00:00+05:30": "99-00",
}


@pytest.mark.parametrize("at", YEARS)
def test_a_year_begins_in_april_in_india(owner: Connection, at: str) -> None:
    number = call(owner, "take_invoice_number", p_kind="invoice", p_seller_state_code="KA", p_at=at)
    assert (number["financial_year"], number["number"]) == (YEARS[at], f"KA{YEARS[at]}/000001")


def test_from_fifty_thousand_rupees_on_the_buyer_is_named(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    order = delivered(owner, (make_product(owner, price=5_000_000, stock=1), 1))
    [invoice] = documents(owner, order)
    assert (invoice["buyer"]["recipient_name"], invoice["buyer"]["pincode"]) == ("Asha Rao", "560001")
    assert "phone" not in invoice["buyer"]


def test_documents_are_never_changed(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = delivered(owner)
    [before] = documents(owner, order)
    put_settings(owner, seller_name="Another Ltd", seller_state_code="MH")
    owner.execute('UPDATE store.orders SET shipping_address = shipping_address || \'{"city": "Elsewhere"}\'')
    give_back(command, order, staff, p_lines=[line(order, 1)])
    issue(owner)
    after, credit = documents(owner, order)
    assert after == before
    assert credit["number"].startswith("KAC"), "of the state that the invoice is of"
    assert (credit["seller"], credit["buyer"]) == (before["seller"], before["buyer"])
