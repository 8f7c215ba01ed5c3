"""Exchanges: other goods for the value credited. The money goes over as a pair, and goes back the way it came."""

import uuid

import pytest

from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    idempotent,
    make_order,
    make_product,
    make_staff,
    one,
    refused,
    rows,
)
from tests.support.paying import (
    Document,
    begin,
    capture,
    deliver,
    discounted_order,
    give_back,
    on_hand,
    order_row,
    refund_row,
    tell,
    tell_refund,
)
from tests.support.returning import (
    ask,
    assert_documents_tie,
    delivered,
    documents,
    issue,
    line,
    receive,
    return_row,
    two_sizes,
)


@pytest.fixture
def staff(owner: Connection) -> uuid.UUID:
    return make_staff(owner, "support")


def replacement(owner: Connection, done: Document) -> Document:
    order = order_row(owner, {"id": done["replacement_order_id"]})
    items = rows(owner, "SELECT to_jsonb(i) FROM store.order_items AS i WHERE order_id = %s", order["id"])
    return order | {"items": [item for (item,) in items]}


def movements(owner: Connection) -> list[tuple[str, str, int]]:
    return rows(owner, "SELECT provider, kind, amount FROM store.money_movements ORDER BY id")


def test_another_size_for_the_same_value(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    small, large = two_sizes(owner)
    order = delivered(owner, (small, 3))
    asked = ask(command, order, line(order, 2, exchange_sku=large.sku), p_resolution="exchange")
    assert asked["items"][0]["exchange_sku"] == large.sku
    done = receive(command, asked, staff)
    assert (done["status"], done["settled_as"], done["settled_reason"]) == ("exchanged", "exchange", None)
    new = replacement(owner, done)
    assert (new["status"], new["payment_status"], new["grand_total"]) == ("confirmed", "paid", 20_000)
    assert (new["captured_total"], new["shipping_total"], new["user_id"]) == (20_000, 0, order["user_id"])
    assert [(item["sku"], item["quantity"], item["net_amount"]) for item in new["items"]] == [(large.sku, 2, 20_000)]
    assert (on_hand(owner, small), on_hand(owner, large)) == (9, 8)
    assert movements(owner)[1:] == [("exchange", "refund", -20_000), ("exchange", "capture", 20_000)]
    old = order_row(owner, order)
    assert (old["refunded_total"], old["refund_pending_total"], old["payment_status"]) == (
        20_000,
        0,
        "partially_refunded",
    )
    assert call(command, "submit_refunds")["refunds"] == [], "no gateway hears of it"
    assert_books_balance(owner)
    deliver(owner, new)
    assert return_row(owner, asked)["status"] == "exchanged"
    assert call(command, "close_exchanges")["closed"] == 1
    assert return_row(owner, asked)["status"] == "closed"
    assert call(command, "close_exchanges")["closed"] == 0
    issue(owner)
    [invoice, credit] = documents(owner, order)
    assert (invoice["amount"], credit["amount"]) == (order["grand_total"], 20_000)
    assert [document["amount"] for document in documents(owner, new)] == [20_000]
    assert_documents_tie(owner)


def test_a_discount_goes_over_with_the_goods(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    """Three for 266.67 after 11.11 % off: an odd share, taken over to the paisa."""
    small, large = two_sizes(owner, price=9_999)
    order = discounted_order(owner, (small, 3), percent_bp=1_111)
    capture(command, begin(command, order))
    deliver(owner, order)
    asked = ask(command, order, line(order, 2, exchange_sku=large.sku), p_resolution="exchange")
    done = receive(command, asked, staff)
    new = replacement(owner, done)
    value = order["items"][0]["net_amount"] * 2 // 3
    assert (new["grand_total"], new["discount_total"]) == (value, 2 * 9_999 - value)
    assert new["taxable_total"] + new["tax_total"] == value
    assert_books_balance(owner)
    issue(owner)
    assert_documents_tie(owner)


def test_the_same_again(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    """Damaged, and exchanged for the same: one more leaves the shelf, none comes back to it."""
    variant = make_product(owner, stock=5)
    order = delivered(owner, (variant, 1))
    asked = ask(command, order, p_resolution="exchange", p_reason_code="damaged")
    done = receive(command, asked, staff, line(order, 1, condition="damaged"))
    assert done["status"] == "exchanged"
    assert done["order_status"] == "returned"
    assert on_hand(owner, variant) == 3


def test_sold_out_meanwhile_becomes_a_refund(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    small, large = two_sizes(owner, stock=2)
    order = delivered(owner, (small, 2))
    asked = ask(command, order, line(order, 2, exchange_sku=large.sku), p_resolution="exchange")
    make_order(owner, (large, 1), method="cod")
    done = receive(command, asked, staff, p_shipping_amount=900)
    assert (done["status"], done["settled_as"], done["settled_reason"]) == ("refunded", "refund", "out_of_stock")
    assert (done["refund"]["amount"], done["replacement_order_id"]) == (20_900, None)
    told = [kind for (kind,) in rows(owner, "SELECT type FROM store.order_events WHERE order_id = %s", order["id"])]
    assert "return.exchange_unavailable" in told, "the shopper is told"
    assert (on_hand(owner, small), on_hand(owner, large)) == (2, 1)
    assert rows(owner, "SELECT count(*) FROM store.money_movements WHERE provider = 'exchange'") == [(0,)]
    assert_books_balance(owner)
    assert_documents_tie(owner)


def test_a_replacement_goes_back_through_the_payment_that_brought_the_money(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    """Exchanged twice, then given back: the gateway pays out what it took in the first place, and tells of it."""
    small, large = two_sizes(owner)
    first = delivered(owner, (small, 1))
    order = first
    for wanted in (large, small):
        asked = ask(command, order, line(order, 1, exchange_sku=wanted.sku), p_resolution="exchange")
        order = replacement(owner, receive(command, asked, staff))
        deliver(owner, order)
    refund = receive(command, ask(command, order), staff)["refund"]
    [sent] = call(command, "submit_refunds")["refunds"]
    assert (sent["refund_id"], sent["payment_id"], sent["provider"]) == (refund["id"], first["payment_id"], "sandbox")
    assert sent["provider_payment_id"] == f"pay_{first['payment_id']}"
    call(command, "mark_refund_submitted", p_refund_id=refund["id"], p_provider_refund_id="rfnd_1")
    # the gateway knows the refund by its own id, of the payment that it knows
    told = tell(
        command,
        "refund.processed",
        {"id": first["payment_id"], "amount": 10_000},
        p_provider_refund_id="rfnd_1",
        p_provider_payment_id=None,
    )
    assert told["outcome"] == "refunded"
    assert refund_row(owner, refund["id"])["status"] == "succeeded"
    assert movements(owner)[-1] == ("sandbox", "refund", -10_000)
    assert (
        one(owner, "SELECT sum(amount) FROM store.money_movements") == order_row(owner, first)["grand_total"] - 10_000
    )
    assert order_row(owner, order)["payment_status"] == "refunded"
    issue(owner)
    assert_documents_tie(owner)
    assert_books_balance(owner)


def test_a_replacement_of_a_cash_order_is_paid_out_by_hand(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    small, large = two_sizes(owner)
    order = make_order(owner, (small, 1), method="cod")
    deliver(owner, order)
    asked = ask(command, order, line(order, 1, exchange_sku=large.sku), p_resolution="exchange")
    new = replacement(owner, receive(command, asked, staff))
    deliver(owner, new)
    refund = give_back(command, new, staff)
    assert call(command, "submit_refunds")["refunds"] == []
    wish = {"p_staff_id": make_staff(owner, "finance"), "p_refund_id": refund["id"], "p_reference": "UTR 1"}
    assert call(command, "settle_refund_by_staff", **idempotent(), **wish)["status"] == "succeeded"
    assert movements(owner)[-1] == ("cod", "refund", -10_000)
    assert_documents_tie(owner)


def test_a_replacement_may_be_cancelled_like_any_order(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    small, large = two_sizes(owner)
    order = delivered(owner, (small, 1))
    asked = ask(command, order, line(order, 1, exchange_sku=large.sku), p_resolution="exchange")
    new = replacement(owner, receive(command, asked, staff))
    shopper = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_reason": "changed_mind"}
    cancelled = call(command, "cancel_order", **idempotent(), p_order_id=new["id"], **shopper)
    assert cancelled["refunds"][0]["amount"] == 10_000
    assert on_hand(owner, large) == 10
    tell_refund(owner, refund_row(owner, cancelled["refunds"][0]["id"]) | {"payment_id": order["payment_id"]})
    assert call(command, "close_exchanges")["closed"] == 1
    assert_books_balance(owner)


def test_lines_exchanged_for_one_variant_are_one_line(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    small, large = two_sizes(owner)
    order = delivered(owner, (small, 1), (large, 1))
    wish = [{"sku": variant.sku, "quantity": 1, "exchange_sku": large.sku} for variant in (small, large)]
    new = replacement(owner, receive(command, ask(command, order, *wish, p_resolution="exchange"), staff))
    assert [(item["sku"], item["quantity"], item["net_amount"]) for item in new["items"]] == [(large.sku, 2, 20_000)]


def test_a_pending_checkout_of_the_shopper_is_left_alone(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    small, large = two_sizes(owner)
    order = delivered(owner, (small, 1))
    pending = make_order(owner, (make_product(owner, stock=1), 1), user_id=uuid.UUID(order["user_id"]))
    asked = ask(command, order, line(order, 1, exchange_sku=large.sku), p_resolution="exchange")
    assert receive(command, asked, staff)["status"] == "exchanged"
    assert order_row(owner, pending)["status"] == "pending_payment"


def test_nothing_left_to_credit_exchanges_nothing(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    small, large = two_sizes(owner)
    order = delivered(owner, (small, 1))
    asked = ask(command, order, line(order, 1, exchange_sku=large.sku), p_resolution="exchange")
    give_back(command, order, staff, p_kind="goodwill", p_amount=order["grand_total"])
    done = receive(command, asked, staff)
    assert (done["status"], done["settled_reason"]) == ("closed", "nothing_paid")
    assert on_hand(owner, large) == 10
    with refused("KI051"):
        give_back(command, order, staff, p_lines=[line(order, 1)])
