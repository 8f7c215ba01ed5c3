"""An order stands (confirm_order): paid in time, or late with its stock taken again."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import (
    assert_books_balance,
    call,
    checkout,
    expire_hold,
    make_cart,
    make_coupon,
    make_order,
    make_product,
    one,
    pay_order,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]


def test_hold_coupon_and_cart_are_done_with(owner: Connection) -> None:
    coupon = make_coupon(owner, usage_limit=5)
    order = make_order(owner, (make_product(owner, stock=5), 3))
    call(owner, "validate_coupon_usage_limit", p_coupon_id=coupon, p_user_id=order["user_id"], p_order_id=order["id"])
    done = call(owner, "confirm_order", p_order_id=order["id"])
    assert (done["status"], done["version"]) == ("confirmed", order["version"] + 1)
    assert rows(owner, "SELECT on_hand, reserved FROM store.inventory") == [(2, 0)]
    assert one(owner, "SELECT status FROM store.coupon_usage") == "used"
    assert one(owner, "SELECT status FROM store.carts") == "ordered"
    assert one(owner, "SELECT confirmed_at IS NOT NULL FROM store.orders")
    assert_books_balance(owner)


def test_a_cart_that_was_changed_meanwhile_stays_open(owner: Connection) -> None:
    variant = make_product(owner, stock=5)
    order = make_order(owner, (variant, 3))
    make_cart(owner, UUID(order["user_id"]), (variant, 1))
    call(owner, "confirm_order", p_order_id=order["id"])
    assert one(owner, "SELECT status FROM store.carts") == "open"


@pytest.mark.parametrize("ended", ["cancelled", "confirmed"])
def test_an_order_is_confirmed_once_and_never_after_its_end(owner: Connection, ended: str) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 3))
    if ended == "confirmed":
        call(owner, "confirm_order", p_order_id=order["id"])
    else:
        call(owner, "replace_pending_order", p_user_id=order["user_id"])
    with refused("KI031") as refusal:
        call(owner, "confirm_order", p_order_id=order["id"])
    assert refusal.detail == {"status": ended, "wanted": "confirmed"}
    assert_books_balance(owner)


def test_an_expired_order_needs_its_stock_again(owner: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 3))
    expire_hold(owner, order["id"])
    call(owner, "expire_orders")
    with refused("KI005"):
        call(owner, "confirm_order", p_order_id=order["id"])
    assert one(owner, "SELECT status FROM store.orders") == "expired"


def test_a_late_payment_takes_the_place_of_the_unpaid_order_of_the_same_cart(owner: Connection) -> None:
    """The stock is enough for one of the two only, and the money came for the first."""
    order = make_order(owner, (make_product(owner, stock=3), 3))
    attempt = pay_later(owner, order)
    second = checkout(owner, UUID(order["user_id"]))
    assert second["id"] != order["id"]
    attempt()
    found = rows(owner, "SELECT status, payment_status, cancel_reason FROM store.orders ORDER BY id")
    assert found == [("confirmed", "paid", None), ("cancelled", "unpaid", "replaced")]
    assert_books_balance(owner)


def test_a_late_payment_of_a_cart_that_was_bought_goes_back(owner: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=9), 3))
    attempt = pay_later(owner, order)
    second = checkout(owner, UUID(order["user_id"])) | {"user_id": order["user_id"]}
    pay_order(owner, second)
    attempt()
    found = rows(owner, "SELECT status, captured_total = refund_pending_total FROM store.orders ORDER BY id")
    assert found == [("expired", True), ("confirmed", False)]
    assert one(owner, "SELECT on_hand FROM store.inventory") == 6
    assert_books_balance(owner)


def pay_later(owner: Connection, order: dict[str, Any]) -> Any:
    """An attempt that is open when the order expires; calling what is returned lets its money arrive."""
    attempt = call(
        owner,
        "register_payment_attempt",
        p_user_id=order["user_id"],
        p_idempotency_key=None,
        p_request_hash=None,
        p_order_id=order["id"],
        p_method="upi",
        p_provider="sandbox",
    )
    expire_hold(owner, order["id"])
    assert call(owner, "expire_orders")["expired"] == 1

    def arrive() -> None:
        call(
            owner,
            "settle_capture",
            p_payment_id=attempt["id"],
            p_provider_payment_id="pay_late",
            p_amount=order["grand_total"],
            p_currency="INR",
        )

    return arrive


def test_no_such_order(owner: Connection) -> None:
    with refused("KI030"):
        call(owner, "confirm_order", p_order_id=UUID(int=0))
