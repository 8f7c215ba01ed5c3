"""Money that comes late, twice, or of a wrong amount becomes an order with its stock, or a refund: never neither."""

import pytest

from tests.support.builders import (
    Connection,
    Variant,
    assert_books_balance,
    call,
    checkout,
    expire_hold,
    idempotent,
    make_cart,
    make_order,
    make_product,
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
    on_hand,
    order_row,
    payment_row,
    tell_refund,
)


@pytest.fixture
def variant(owner: Connection) -> Variant:
    return make_product(owner, stock=5)


@pytest.fixture
def order(owner: Connection, variant: Variant) -> Document:
    return make_order(owner, (variant, 3))


@pytest.fixture
def payment(command: Connection, order: Document) -> Document:
    return begin(command, order)


def let_expire(owner: Connection, order: Document) -> None:
    expire_hold(owner, order["id"])
    assert order["id"] in call(owner, "expire_orders")["orders"]


def assert_goes_back(owner: Connection, order: Document, kind: str, attention: str) -> None:
    found = order_row(owner, order)
    assert found["attention"] == attention
    assert found["captured_total"] == found["refund_pending_total"] > 0
    assert found["payment_status"] == "unpaid"
    assert rows(owner, "SELECT kind, amount, status FROM store.refunds WHERE order_id = %s", order["id"]) == [
        (kind, found["captured_total"], "initiated")
    ]
    assert_books_balance(owner)


def test_money_that_comes_before_the_sweeper_finds_the_hold_still_there(
    owner: Connection, command: Connection, order: Document, payment: Document, variant: Variant
) -> None:
    expire_hold(owner, order["id"])
    assert capture(command, payment)["outcome"] == "captured"
    found = order_row(owner, order)
    assert (found["status"], found["payment_status"], found["attention"]) == ("confirmed", "paid", None)
    assert on_hand(owner, variant) == 2
    assert_books_balance(owner)


def test_money_that_comes_after_expiry_takes_the_stock_again(
    owner: Connection, command: Connection, order: Document, payment: Document, variant: Variant
) -> None:
    let_expire(owner, order)
    assert capture(command, payment)["outcome"] == "captured"
    found = order_row(owner, order)
    assert (found["status"], found["payment_status"], found["attention"]) == ("confirmed", "paid", None)
    assert on_hand(owner, variant) == 2
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(0,)]
    assert rows(owner, "SELECT status FROM store.carts WHERE user_id = %s", order["user_id"]) == [("ordered",)]
    assert_books_balance(owner)


def test_money_that_comes_after_expiry_goes_back_when_the_stock_is_gone(
    owner: Connection, command: Connection, order: Document, payment: Document, variant: Variant
) -> None:
    let_expire(owner, order)
    make_order(owner, (variant, 3))
    assert capture(command, payment)["outcome"] == "captured"
    assert order_row(owner, order)["status"] == "expired"
    assert_goes_back(owner, order, "late_payment", "paid_after_hold")
    assert on_hand(owner, variant) == 5
    [refund] = rows(owner, "SELECT id, payment_id, amount FROM store.refunds")
    tell_refund(command, {"id": refund[0], "payment_id": refund[1], "amount": refund[2]})
    found = order_row(owner, order)
    assert (found["refund_pending_total"], found["refunded_total"]) == (0, found["captured_total"])
    assert found["payment_status"] == "unpaid", "it never was a paid order"
    assert_books_balance(owner)


def test_money_for_a_cancelled_order_goes_back(
    owner: Connection, command: Connection, order: Document, payment: Document, variant: Variant
) -> None:
    shopper = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_reason": "changed_mind"}
    call(command, "cancel_order", **idempotent(), p_order_id=order["id"], **shopper)
    capture(command, payment)
    assert order_row(owner, order)["status"] == "cancelled"
    assert_goes_back(owner, order, "late_payment", "paid_after_hold")
    assert on_hand(owner, variant) == 5


def test_a_late_order_takes_its_coupon_again(owner: Connection, command: Connection, variant: Variant) -> None:
    order = discounted_order(owner, (variant, 3))
    assert order["discount_total"] == 3000
    payment = begin(command, order)
    let_expire(owner, order)
    assert one(owner, "SELECT used_count FROM store.coupons") == 0
    capture(command, payment)
    assert order_row(owner, order)["status"] == "confirmed"
    assert one(owner, "SELECT used_count FROM store.coupons") == 1
    assert rows(owner, "SELECT status, discount_amount FROM store.coupon_usage ORDER BY id") == [
        ("released", 3000),
        ("used", 3000),
    ]
    assert_books_balance(owner)


def test_a_late_order_keeps_its_price_when_the_coupon_is_used_up(
    owner: Connection, command: Connection, variant: Variant
) -> None:
    order = discounted_order(owner, (variant, 3))
    payment = begin(command, order)
    let_expire(owner, order)
    code = one(owner, "SELECT code FROM store.coupons")
    other = make_user(owner)
    make_cart(owner, other, (variant, 1))
    call(command, "apply_coupon", p_user_id=other, p_code=code)
    checkout(owner, other)
    capture(command, payment)
    found = order_row(owner, order)
    assert (found["status"], found["discount_total"], found["payment_status"]) == ("confirmed", 3000, "paid")
    assert one(owner, "SELECT used_count FROM store.coupons") == 1
    assert_books_balance(owner)


def test_a_coupon_is_not_kept_when_the_stock_is_gone(owner: Connection, command: Connection, variant: Variant) -> None:
    order = discounted_order(owner, (variant, 3))
    payment = begin(command, order)
    let_expire(owner, order)
    make_order(owner, (variant, 3))
    capture(command, payment)
    assert_goes_back(owner, order, "late_payment", "paid_after_hold")
    assert one(owner, "SELECT used_count FROM store.coupons") == 0


def test_the_unpaid_order_of_the_same_cart_gives_way_to_the_one_that_is_paid_late(
    owner: Connection, command: Connection, order: Document, payment: Document, variant: Variant
) -> None:
    """The same units: the second checkout holds three of the five, and the first order needs three."""
    let_expire(owner, order)
    again = checkout(owner, order["user_id"])
    assert again["id"] != order["id"]
    capture(command, payment)
    assert order_row(owner, order)["status"] == "confirmed"
    assert order_row(owner, again)["status"] == "cancelled"
    assert on_hand(owner, variant) == 2
    assert_books_balance(owner)


def test_a_cart_that_was_bought_already_is_not_bought_twice(
    owner: Connection, command: Connection, order: Document, payment: Document, variant: Variant
) -> None:
    let_expire(owner, order)
    again = checkout(owner, order["user_id"]) | {"user_id": order["user_id"]}
    capture(command, begin(command, again))
    capture(command, payment)
    assert order_row(owner, again)["status"] == "confirmed"
    assert order_row(owner, order)["status"] == "expired"
    assert_goes_back(owner, order, "late_payment", "paid_after_hold")
    assert on_hand(owner, variant) == 2


def test_an_attempt_that_was_given_up_pays_all_the_same(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    second = begin(command, order)
    assert capture(command, payment)["outcome"] == "captured"
    assert order_row(owner, order)["status"] == "confirmed"
    assert payment_row(owner, second["id"])["status"] == "cancelled"
    # and the attempt that took its place is then one too many
    assert capture(command, second)["outcome"] == "captured"
    found = order_row(owner, order)
    assert (found["attention"], found["payment_status"]) == ("overpaid", "paid")
    assert (found["captured_total"], found["refund_pending_total"]) == (2 * order["grand_total"], order["grand_total"])
    assert rows(owner, "SELECT payment_id::text, kind FROM store.refunds") == [(second["id"], "late_payment")]
    assert_books_balance(owner)


def test_after_a_wrong_amount_the_right_one_pays_the_order(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    assert capture(command, payment, p_amount=100)["outcome"] == "mismatched"
    assert order_row(owner, order)["status"] == "pending_payment"
    assert_goes_back(owner, order, "amount_mismatch", "amount_mismatch")
    assert capture(command, payment, p_amount=100)["outcome"] == "mismatched", "told again, booked once"
    assert capture(command, begin(command, order))["outcome"] == "captured"
    found = order_row(owner, order)
    assert (found["status"], found["payment_status"]) == ("confirmed", "paid")
    assert found["captured_total"] == order["grand_total"] + 100
    assert_books_balance(owner)


def test_the_right_amount_of_an_attempt_that_was_paid_wrong_before_pays_the_order(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    capture(command, payment, p_amount=100, p_provider_payment_id="pay_wrong")
    assert capture(command, payment, p_provider_payment_id="pay_right")["outcome"] == "captured"
    assert order_row(owner, order)["status"] == "confirmed"
    assert rows(owner, "SELECT status, provider_payment_id FROM store.payments ORDER BY attempt_no") == [
        ("mismatched", "pay_wrong"),
        ("captured", "pay_right"),
    ]
    assert_books_balance(owner)


def test_cash_is_booked_when_the_courier_has_delivered(owner: Connection, variant: Variant) -> None:
    order = make_order(owner, (variant, 2), method="cod")
    assert order_row(owner, order)["payment_status"] == "unpaid"
    deliver(owner, order)
    found = order_row(owner, order)
    assert (found["status"], found["payment_status"]) == ("delivered", "paid")
    assert found["captured_total"] == order["grand_total"]
    [(payment, provider)] = rows(owner, "SELECT payment_id::text, provider FROM store.money_movements")
    assert (payment_row(owner, payment)["status"], provider) == ("captured", "cod")
    again = {"p_payment_id": payment, "p_provider_payment_id": f"cod-{payment}"}
    answer = call(owner, "settle_capture", **again, p_amount=order["grand_total"], p_currency="INR")
    assert answer["outcome"] == "already_captured"
    assert_books_balance(owner)


def test_there_must_be_such_a_payment(owner: Connection, order: Document) -> None:
    with refused("KI040"):
        call(
            owner,
            "settle_capture",
            p_payment_id=order["id"],
            p_provider_payment_id="pay_1",
            p_amount=1,
            p_currency="INR",
        )


def test_whatever_comes_is_one_transaction(
    owner: Connection, command: Connection, order: Document, payment: Document, variant: Variant
) -> None:
    """Every outbox row of a late confirmation is there with the capture, and none without it."""
    let_expire(owner, order)
    before = one(owner, "SELECT max(position) FROM store.outbox")
    answer = capture(command, payment)
    written = rows(owner, "SELECT type, position FROM store.outbox WHERE position > %s ORDER BY position", before)
    assert [kind for kind, _ in written] == [
        "inventory.locked",
        "inventory.decreased",
        "order.confirmed",
        "payment.captured",
    ]
    assert answer["position"] == written[-1][1]
