"""Tidying up after orders whose time to pay is over (expire_orders)."""

from collections.abc import Callable
from typing import Any

import psycopg

from tests.support.builders import (
    assert_books_balance,
    call,
    expire_hold,
    idempotent,
    make_coupon,
    make_order,
    make_product,
    one,
    rows,
)

Connection = psycopg.Connection[Any]


def test_stock_coupons_and_attempts_are_let_go(owner: Connection, command: Connection) -> None:
    variant, coupon = make_product(owner, stock=9, buckets=3), make_coupon(owner, usage_limit=5)
    due, not_due = make_order(owner, (variant, 4)), make_order(owner, (variant, 2))
    for order in (due, not_due):
        user = order["user_id"]
        call(owner, "validate_coupon_usage_limit", p_coupon_id=coupon, p_user_id=user, p_order_id=order["id"])
        call(
            owner,
            "register_payment_attempt",
            p_user_id=user,
            p_order_id=order["id"],
            p_method="upi",
            p_provider="sandbox",
            **idempotent(),
        )
    expire_hold(owner, due["id"])
    done = call(command, "expire_orders")
    assert (done["expired"], done["orders"]) == (1, [due["id"]])
    assert done["position"] == one(owner, "SELECT max(position) FROM store.outbox")
    assert rows(owner, "SELECT status FROM store.orders ORDER BY id") == [("expired",), ("pending_payment",)]
    assert one(owner, "SELECT sum(reserved) FROM store.inventory") == 2
    assert one(owner, "SELECT used_count FROM store.coupons") == 1
    assert rows(owner, "SELECT p.status FROM store.payments AS p ORDER BY p.id") == [("cancelled",), ("created",)]
    assert rows(owner, "SELECT type, actor_kind FROM store.order_events WHERE to_status = 'expired'") == [
        ("order.expired", "system")
    ]
    assert one(owner, "SELECT count(*) FROM store.outbox WHERE type = 'order.expired' AND topic = 'orders'") == 1
    assert_books_balance(owner)


def test_nothing_due_is_nothing_done(owner: Connection, command: Connection) -> None:
    make_order(owner, (make_product(owner, stock=9), 4))
    before = one(owner, "SELECT count(*) FROM store.outbox")
    assert call(command, "expire_orders") == {"expired": 0, "orders": []}
    assert one(owner, "SELECT count(*) FROM store.outbox") == before


def test_the_longest_due_come_first_and_no_more_than_asked(owner: Connection, command: Connection) -> None:
    variant = make_product(owner, stock=9)
    orders = [make_order(owner, (variant, 1)) for _ in range(5)]
    for order in orders:
        expire_hold(owner, order["id"])
    owner.execute(
        "UPDATE store.orders SET hold_expires_at = now() - interval '1 hour' WHERE id = %s", (orders[3]["id"],)
    )
    assert call(command, "expire_orders", p_limit=1)["orders"] == [orders[3]["id"]]
    assert call(command, "expire_orders", p_limit=10)["expired"] == 4
    assert_books_balance(owner)


def test_an_order_that_somebody_works_on_is_left_to_them(
    owner: Connection, command: Connection, connect: Callable[..., Connection]
) -> None:
    variant = make_product(owner, stock=9)
    busy, free = make_order(owner, (variant, 1)), make_order(owner, (variant, 1))
    for order in (busy, free):
        expire_hold(owner, order["id"])
    holder = connect("owner", autocommit=False)
    holder.execute("SELECT 1 FROM store.orders WHERE id = %s FOR UPDATE", (busy["id"],))
    command.execute("SET lock_timeout = '1ms'")
    assert call(command, "expire_orders")["orders"] == [free["id"]]
