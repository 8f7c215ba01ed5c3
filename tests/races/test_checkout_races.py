"""One shopper in many places: tabs, repeated requests, and an expiry that meets a payment."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import (
    assert_books_balance,
    call,
    checkout,
    expire_hold,
    idempotent,
    make_address,
    make_cart,
    make_coupon,
    make_order,
    make_product,
    make_user,
    one,
    refused,
    rows,
)
from tests.support.contenders import contend
from tests.support.databases import Database

Connection = psycopg.Connection[Any]


def test_many_tabs_one_order(database: Database, owner: Connection) -> None:
    """Each with a key of its own; the last units, so that a second hold would not even fit."""
    user = make_user(owner)
    address = make_address(owner, user)
    make_cart(owner, user, (make_product(owner, stock=3), 3))
    results = contend(database, range(12), lambda connection, _: checkout(connection, user, address), connections=12)
    assert results.refused == {}
    assert len({answer["id"] for answer in results.answers}) == 1
    assert sum(answer["created"] for answer in results.answers) == 1
    assert one(owner, "SELECT count(*) FROM store.orders") == 1
    assert_books_balance(owner)


def test_one_key_in_parallel_is_one_effect(database: Database, owner: Connection) -> None:
    """The others get the stored answer, or hear that the first is still being worked on."""
    user = make_user(owner)
    address, key = make_address(owner, user), idempotent("one body")
    make_cart(owner, user, (make_product(owner, stock=9), 1))
    results = contend(
        database,
        range(12),
        lambda connection, _: checkout(connection, user, address, method="cod", **key),
        connections=12,
    )
    assert set(results.refused) <= {"KI081"}
    assert len({answer["id"] for answer in results.answers}) == 1
    assert sum(not answer.get("replayed", False) for answer in results.answers) == 1
    assert one(owner, "SELECT on_hand FROM store.inventory") == 8
    assert_books_balance(owner)


def test_a_cancel_in_parallel_happens_once(database: Database, owner: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=9), 4), method="cod")

    def work(connection: Connection, _: int) -> dict[str, Any]:
        return call(
            connection,
            "cancel_order",
            p_actor_id=order["user_id"],
            p_as_staff=False,
            p_order_id=order["id"],
            p_reason="twice",
            **idempotent(),
        )

    results = contend(database, range(8), work, connections=8)
    assert (len(results.answers), results.refused) == (1, {"KI031": 7})
    assert one(owner, "SELECT on_hand FROM store.inventory") == 9
    assert_books_balance(owner)


@pytest.mark.parametrize("first", ["confirm", "expire"])
def test_an_expiry_meets_a_payment_step_by_step(
    owner: Connection, connect: Callable[..., Connection], first: str
) -> None:
    """Whoever has the order first decides; the other finds what was decided, and nothing is sold or freed twice."""
    order = make_order(owner, (make_product(owner, stock=9), 4))
    expire_hold(owner, order["id"])
    holder, other = connect("owner", autocommit=False), connect("owner")
    if first == "confirm":
        holder.execute("CALL store.confirm_order(p_order_id => %s, p_own_tx => false)", (order["id"],))
        assert call(other, "expire_orders")["expired"] == 0, "it does not wait, and leaves the order alone"
        holder.commit()
        assert one(owner, "SELECT status FROM store.orders") == "confirmed"
        assert rows(owner, "SELECT on_hand, reserved FROM store.inventory") == [(5, 0)]
    else:
        holder.execute("CALL store.expire_orders(p_own_tx => false)")
        failures: list[str] = []

        def confirm() -> None:
            with refused("KI005"):
                call(other, "confirm_order", p_order_id=order["id"])
            failures.append("KI005")

        thread = threading.Thread(target=confirm)
        thread.start()
        wait_until_blocked(owner, backend(other), backend(holder))
        holder.commit()
        thread.join(10)
        assert failures == ["KI005"]
        assert one(owner, "SELECT status FROM store.orders") == "expired"
        assert rows(owner, "SELECT on_hand, reserved FROM store.inventory") == [(9, 0)]
    assert_books_balance(owner)


def test_expiries_and_payments_at_once(database: Database, owner: Connection) -> None:
    """Money and sweeper race for thirty orders; each ends confirmed, its stock taken again if it had to be."""
    variant = make_product(owner, stock=60, buckets=4)
    orders = [make_order(owner, (variant, 2)) for _ in range(30)]
    payments = []
    for order in orders:
        attempt = call(
            owner,
            "register_payment_attempt",
            p_user_id=order["user_id"],
            p_order_id=order["id"],
            p_method="upi",
            p_provider="sandbox",
            **idempotent(),
        )
        payments.append((attempt["id"], order["grand_total"]))
        expire_hold(owner, order["id"])

    def work(connection: Connection, item: Any) -> dict[str, Any]:
        if item is None:
            return call(connection, "expire_orders", p_limit=3)
        return call(
            connection,
            "settle_capture",
            p_payment_id=item[0],
            p_provider_payment_id=f"pay_{item[0]}",
            p_amount=item[1],
            p_currency="INR",
        )

    mixed: list[Any] = [item for payment in payments for item in (payment, None)]
    results = contend(database, mixed, work, connections=12, role="owner")
    assert results.refused == {}
    assert rows(owner, "SELECT DISTINCT status, payment_status FROM store.orders") == [("confirmed", "paid")]
    assert rows(owner, "SELECT sum(on_hand), sum(reserved) FROM store.inventory") == [(0, 0)]
    assert_books_balance(owner)


def test_a_replacing_checkout_waits_with_empty_hands(owner: Connection, connect: Callable[..., Connection]) -> None:
    """It holds B from before and now wants A and B: while it waits for A, nobody has to wait for B because of it."""
    first, second = sorted((make_product(owner, stock=9) for _ in range(2)), key=lambda variant: variant.id)
    user = make_user(owner)
    address = make_address(owner, user)
    make_cart(owner, user, (second, 1))
    checkout(owner, user, address)
    make_cart(owner, user, (second, 1), (first, 1))
    holder, buyer = connect("owner", autocommit=False), connect("command")
    holder.execute("SELECT 1 FROM store.inventory WHERE variant_id = %s FOR UPDATE", (first.id,))
    thread = threading.Thread(target=checkout, args=(buyer, user, address))
    thread.start()
    wait_until_blocked(owner, backend(buyer), backend(holder))
    owner.execute("SELECT 1 FROM store.inventory WHERE variant_id = %s FOR UPDATE NOWAIT", (second.id,))
    holder.rollback()
    thread.join(10)
    assert one(owner, "SELECT count(*) FROM store.orders WHERE status = 'pending_payment'") == 1
    assert_books_balance(owner)


def test_a_replacing_checkout_waits_for_its_coupon_before_it_touches_stock(
    owner: Connection, connect: Callable[..., Connection]
) -> None:
    variant, user = make_product(owner, stock=9), make_user(owner)
    address, coupon = make_address(owner, user), make_coupon(owner, usage_limit=5)
    make_cart(owner, user, (variant, 1))
    checkout(owner, user, address)
    make_cart(owner, user, (variant, 2))
    call(owner, "apply_coupon", p_user_id=user, p_code="TEN")
    holder, buyer = connect("owner", autocommit=False), connect("command")
    holder.execute("SELECT 1 FROM store.coupons WHERE id = %s FOR UPDATE", (coupon,))
    thread = threading.Thread(target=checkout, args=(buyer, user, address))
    thread.start()
    wait_until_blocked(owner, backend(buyer), backend(holder))
    owner.execute("SELECT 1 FROM store.inventory FOR UPDATE NOWAIT")
    holder.rollback()
    thread.join(10)
    assert one(owner, "SELECT used_count FROM store.coupons") == 1
    assert_books_balance(owner)
