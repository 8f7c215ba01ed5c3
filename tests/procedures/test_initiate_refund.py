"""Refunds as they start: exact per line and quantity, never above what was paid, by whom they may be asked for."""

import uuid
from typing import Any

import pytest

from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    idempotent,
    make_order,
    make_product,
    make_staff,
    make_user,
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
    paid_order,
    refund_row,
)


@pytest.fixture
def staff(owner: Connection) -> uuid.UUID:
    return make_staff(owner, "support")


def line(order: Document, quantity: int, number: int = 0, **more: object) -> dict[str, Any]:
    return {"order_item_id": order["items"][number]["id"], "quantity": quantity} | more


def as_shopper(order: Document) -> dict[str, Any]:
    return {"actor": order["user_id"], "p_as_staff": False}


def cancel(command: Connection, order: Document) -> Document:
    shopper = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_reason": "changed_mind"}
    return call(command, "cancel_order", **idempotent(), p_order_id=order["id"], **shopper)


def test_units_of_a_discounted_line_sum_to_the_line(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    """Three units for 89,97 after 10 % off: 29,99 each; seven for 62,97 … whatever the parts, they sum to the whole."""
    order = discounted_order(owner, (make_product(owner, price=3_333, stock=9), 7), percent_bp=1_111)
    capture(command, begin(command, order))
    net = order["items"][0]["net_amount"]
    assert net % 7, "else nothing is shown here"
    amounts = [give_back(command, order, staff, p_lines=[line(order, n)])["amount"] for n in (1, 2, 1, 3)]
    assert amounts[0] == net * 1 // 7
    assert sum(amounts[:2]) == net * 3 // 7
    assert sum(amounts[:3]) == net * 4 // 7
    assert sum(amounts) == net
    assert rows(owner, "SELECT refunded_quantity, refunded_amount FROM store.order_items") == [(7, net)]
    assert order_row(owner, order)["refund_pending_total"] == net
    with refused("KI052") as refusal:
        give_back(command, order, staff, p_lines=[line(order, 1)])
    assert refusal.detail["left"] == 0
    assert_books_balance(owner)


def test_a_refund_says_what_it_is_for(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner)
    refund = give_back(
        command, order, staff, p_lines=[line(order, 2, restock=True)], p_shipping_amount=900, p_reason="torn"
    )
    assert (refund["kind"], refund["status"], refund["reason"]) == ("return", "initiated", "torn")
    assert (refund["amount"], refund["shipping_amount"], refund["payment_id"]) == (20_900, 900, order["payment_id"])
    assert refund["items"] == [
        {
            "order_item_id": order["items"][0]["id"],
            "sku": order["items"][0]["sku"],
            "quantity": 2,
            "amount": 20_000,
            "restock": True,
            "restocked_quantity": 2,
        }
    ]
    assert rows(owner, "SELECT max(position) FROM store.outbox") == [(refund["position"],)]
    assert rows(owner, "SELECT type, actor_kind FROM store.order_events ORDER BY id DESC LIMIT 1") == [
        ("refund.initiated", "staff")
    ]
    assert rows(owner, "SELECT permission, subject_id FROM store.staff_actions") == [("refunds.write", order["id"])]
    found = order_row(owner, order)
    assert (found["refund_pending_total"], found["refunded_total"], found["payment_status"]) == (20_900, 0, "paid")


def test_lines_go_by_sku_too_and_stay_off_the_shelf_unless_chosen(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    one_product, other = make_product(owner, stock=5), make_product(owner, price=500, stock=5)
    order = paid_order(owner, (one_product, 2), (other, 2))
    wish = [{"sku": one_product.sku, "quantity": 1}, {"sku": other.sku, "quantity": 2, "restock": True}]
    refund = give_back(command, order, staff, p_lines=wish)
    assert refund["amount"] == 11_000
    assert (on_hand(owner, one_product), on_hand(owner, other)) == (3, 5)
    assert_books_balance(owner)


def test_the_same_key_gives_the_same_refund(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner)
    key = idempotent(key="again")
    first = give_back(command, order, staff, p_lines=[line(order, 1)], **key)
    assert give_back(command, order, staff, p_lines=[line(order, 1)], **key) == first | {"replayed": True}
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(1,)]
    with refused("KI080"):
        give_back(command, order, staff, **idempotent("other", key="again"))


def test_everything_that_is_left_of_the_lines(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner)
    give_back(command, order, staff, p_lines=[line(order, 1)])
    rest = give_back(command, order, staff)
    assert (rest["amount"], rest["items"][0]["quantity"]) == (20_000, 2)
    with refused("KI051"):
        give_back(command, order, staff)
    assert order_row(owner, order)["refund_pending_total"] == 30_000, "shipping is not part of a return by itself"


def test_shipping_goes_back_once(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner)
    assert order["shipping_total"] == 4_900
    give_back(command, order, staff, p_lines=[line(order, 1)], p_shipping_amount=4_000)
    with refused("KI051") as refusal:
        give_back(command, order, staff, p_lines=[line(order, 1)], p_shipping_amount=901)
    assert refusal.detail == {"field": "shipping_amount", "left": 900}
    give_back(command, order, staff, p_lines=[line(order, 1)], p_shipping_amount=900)


def test_goodwill_by_amount_and_never_above_what_is_left(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    order = paid_order(owner)
    refund = give_back(command, order, staff, p_kind="goodwill", p_amount=5_000)
    assert (refund["amount"], refund["items"]) == (5_000, [])
    with refused("KI051") as refusal:
        give_back(command, order, staff, p_kind="goodwill", p_amount=order["grand_total"] - 4_999)
    assert refusal.detail == {"left": order["grand_total"] - 5_000}
    for wrong in ({"p_kind": "goodwill"}, {"p_kind": "return", "p_amount": 1}):
        with refused("KI073"):
            give_back(command, order, staff, **wrong)


def test_what_was_given_as_goodwill_is_not_given_twice(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    """30,000 of goods and 4,900 of shipping; 6,000 went back as goodwill; then all of it is cancelled."""
    order = paid_order(owner, (make_product(owner, stock=1), 1), (make_product(owner, price=20_000, stock=1), 1))
    give_back(command, order, staff, p_kind="goodwill", p_amount=6_000)
    document = cancel(command, order)
    refund = refund_row(owner, document["refunds"][1]["id"])
    assert refund["amount"] == order["grand_total"] - 6_000
    assert refund["shipping_amount"] == 0, "the shipping bears it first"
    parts = rows(owner, "SELECT amount FROM store.refund_items ORDER BY order_item_id")
    assert [amount for (amount,) in parts] == [10_000, 18_900], "and the last line what is left of it"
    assert_books_balance(owner)


def test_cancelling_a_paid_order_gives_everything_back_and_restocks(owner: Connection, command: Connection) -> None:
    variant = make_product(owner, stock=5, buckets=2)
    order = paid_order(owner, (variant, 4))
    document = cancel(command, order)
    assert document["status"] == "cancelled"
    [refund] = document["refunds"]
    assert (refund["kind"], refund["amount"]) == ("cancellation", order["grand_total"])
    assert refund["shipping_amount"] == order["shipping_total"]
    assert on_hand(owner, variant) == 5
    assert_books_balance(owner)


@pytest.mark.parametrize(
    ("lines", "field", "reason"),
    [
        ([{"sku": "NO-SUCH", "quantity": 1}], "lines.0", "not a line of this order"),
        ([{"order_item_id": str(uuid.uuid4()), "quantity": 1}], "lines.0", "not a line of this order"),
        ([{"quantity": 1}], "lines.0", "not a line of this order"),
        ([0, 1], "lines.1", "named more than once"),
        ([4], "lines.0", "not between 1 and the units that are left"),
        ([-1], "lines.0", "not between 1 and the units that are left"),
    ],
)
def test_lines_that_cannot_be_refunded(
    owner: Connection, command: Connection, staff: uuid.UUID, lines: list[Any], field: str, reason: str
) -> None:
    order = paid_order(owner)
    if lines == [0, 1]:
        wish = [line(order, 1), {"sku": order["items"][0]["sku"], "quantity": 1}]
        field = "lines.0"
    else:
        wish = [line(order, entry) if isinstance(entry, int) else entry for entry in lines]
    with refused("KI052") as refusal:
        give_back(command, order, staff, p_lines=wish)
    assert (refusal.detail["field"], refusal.detail["reason"]) == (field, reason)
    assert order_row(owner, order)["refund_pending_total"] == 0
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(0,)]


def test_what_was_not_paid_is_not_given_back(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=1), 1))
    begin(command, order)
    with refused("KI051") as refusal:
        give_back(command, order, staff)
    assert refusal.detail == {"left": 0}


def test_a_line_that_cost_nothing_has_nothing_to_give_back(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    order = discounted_order(owner, (make_product(owner, stock=1), 1), percent_bp=10_000)
    assert (order["items"][0]["net_amount"], order["grand_total"]) == (0, order["shipping_total"])
    capture(command, begin(command, order))
    with refused("KI051") as refusal:
        give_back(command, order, staff, p_lines=[line(order, 1)])
    assert refusal.detail == {"left": 0}
    assert give_back(command, order, staff, p_lines=[line(order, 1)], p_shipping_amount=100)["amount"] == 100


def test_a_shopper_returns_what_was_delivered_and_only_that(owner: Connection, command: Connection) -> None:
    order = paid_order(owner)
    with refused("KI031") as refusal:
        give_back(command, order, **as_shopper(order))
    assert refusal.detail == {"status": "confirmed", "wanted": "returned"}
    deliver(owner, order)
    refund = give_back(command, order, **as_shopper(order), p_lines=[line(order, 1)])
    assert (refund["amount"], refund["items"][0]["restock"]) == (10_000, False)
    assert rows(owner, "SELECT requested_by::text FROM store.refunds") == [(order["user_id"],)]
    assert order_row(owner, order)["status"] == "delivered"


def test_an_order_that_came_back_whole_is_a_returned_one(owner: Connection, command: Connection) -> None:
    order = paid_order(owner, delivered=True)
    give_back(command, order, **as_shopper(order), p_lines=[line(order, 1)])
    refund = give_back(command, order, **as_shopper(order))
    assert refund["order_status"] == "returned"
    assert order_row(owner, order)["status"] == "returned"
    assert_books_balance(owner)


def test_the_return_window_closes(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner, delivered=True)
    owner.execute("UPDATE store.order_events SET created_at = now() - interval '11 days' WHERE to_status = 'delivered'")
    with refused("KI031"):
        give_back(command, order, **as_shopper(order))
    assert give_back(command, order, staff)["amount"] == 30_000, "staff may still be kind"


def test_whose_order_it_is(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = paid_order(owner, delivered=True)
    with refused("KI030"):
        give_back(command, order, make_user(owner), p_as_staff=False)
    with refused("KI030"):
        give_back(command, {"id": str(uuid.uuid4())}, staff)
    with refused("KI067") as refusal:
        give_back(command, order, make_staff(owner, "catalog"))
    assert refusal.detail == {"permission": "refunds.write"}
    with refused("KI067"):
        give_back(command, order, order["user_id"])


def test_a_payment_is_one_of_the_order(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order, other = paid_order(owner), paid_order(owner)
    with refused("KI040"):
        give_back(command, order, staff, p_payment_id=other["payment_id"])


def test_a_cash_orders_refund_waits_for_people(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=1), 1), method="cod")
    deliver(owner, order)
    refund = give_back(command, order, staff)
    assert one(owner, "SELECT next_submit_at = 'infinity' FROM store.refunds WHERE id = %s", refund["id"])
    assert call(command, "submit_refunds")["refunds"] == []
