"""Ending an order (cancel_order, close_order): what is undone follows from what was done."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import (
    assert_books_balance,
    call,
    idempotent,
    make_coupon,
    make_order,
    make_product,
    make_staff,
    make_user,
    one,
    pay_order,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]


def cancel(connection: Connection, actor: object, order: dict[str, Any], **more: object) -> dict[str, Any]:
    return call(
        connection,
        "cancel_order",
        p_actor_id=actor,
        p_order_id=order["id"],
        **({**idempotent(order["id"]), "p_as_staff": False, "p_reason": "changed_mind"} | more),
    )


def put(owner: Connection, order: dict[str, Any], *statuses: str) -> None:
    staff = make_staff(owner)
    for status in statuses:
        call(
            owner,
            "update_order_status",
            p_staff_id=staff,
            p_order_id=order["id"],
            p_to_status=status,
            **idempotent(),
        )


def test_an_unpaid_order_lets_go_of_what_it_held(owner: Connection, command: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 3))
    call(
        owner,
        "register_payment_attempt",
        p_user_id=order["user_id"],
        p_order_id=order["id"],
        p_method="card",
        p_provider="sandbox",
        **idempotent(),
    )
    done = cancel(command, order["user_id"], order)
    assert (done["status"], done["cancel_reason"], done["refunds"]) == ("cancelled", "changed_mind", [])
    assert done["version"] > order["version"]
    assert rows(owner, "SELECT on_hand, reserved FROM store.inventory") == [(5, 0)]
    assert one(owner, "SELECT status FROM store.payments") == "cancelled"
    assert one(owner, "SELECT status FROM store.carts") == "open", "the shopper may go on with it"
    assert one(owner, "SELECT closed_at IS NOT NULL FROM store.orders")
    assert_books_balance(owner)


def test_a_limited_coupon_is_free_again(owner: Connection, command: Connection) -> None:
    coupon = make_coupon(owner, "ONE", usage_limit=1)
    order = make_order(owner, (make_product(owner, stock=5), 3))
    call(owner, "validate_coupon_usage_limit", p_coupon_id=coupon, p_user_id=order["user_id"], p_order_id=order["id"])
    assert one(owner, "SELECT used_count FROM store.coupons") == 1
    cancel(command, order["user_id"], order)
    assert one(owner, "SELECT used_count FROM store.coupons") == 0
    assert one(owner, "SELECT status FROM store.coupon_usage") == "released"


@pytest.mark.parametrize("reached", [(), ("processing",), ("processing", "packed")])
def test_a_paid_order_is_refunded_and_restocked(
    owner: Connection, command: Connection, reached: tuple[str, ...]
) -> None:
    order = make_order(owner, (make_product(owner, stock=5, buckets=2), 4))
    pay_order(owner, order)
    put(owner, order, *reached)
    staff = "packed" in reached
    actor = make_staff(owner, "support") if staff else order["user_id"]
    done = cancel(command, actor, order, p_as_staff=staff)
    assert done["status"] == "cancelled"
    assert done["refund_pending_total"] == done["captured_total"] == order["grand_total"]
    assert [(refund["kind"], refund["amount"]) for refund in done["refunds"]] == [
        ("cancellation", order["grand_total"])
    ]
    assert rows(owner, "SELECT sum(on_hand), sum(reserved) FROM store.inventory") == [(5, 0)]
    assert one(owner, "SELECT sum(quantity) FROM store.stock_movements WHERE kind = 'restock'") == 4
    assert_books_balance(owner)


def test_cash_that_was_not_collected_needs_no_refund(owner: Connection, command: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 3), method="cod")
    done = cancel(command, order["user_id"], order)
    assert (done["status"], done["refunds"]) == ("cancelled", [])
    assert rows(owner, "SELECT on_hand, reserved FROM store.inventory") == [(5, 0)]
    assert one(owner, "SELECT status FROM store.payments") == "cancelled"
    assert_books_balance(owner)


@pytest.mark.parametrize(
    ("reached", "by_shopper", "by_staff"),
    [
        ((), True, True),
        (("processing",), True, True),
        (("processing", "packed"), False, True),
        (("packed", "shipped"), False, False),
        (("packed", "shipped", "out_for_delivery"), False, False),
        (("packed", "shipped", "delivered"), False, False),
    ],
)
def test_who_may_cancel_until_when(
    owner: Connection, command: Connection, reached: tuple[str, ...], by_shopper: bool, by_staff: bool
) -> None:
    variant = make_product(owner, stock=5)
    for allowed, as_staff in ((by_shopper, False), (by_staff, True)):
        order = make_order(owner, (variant, 1), method="cod")
        put(owner, order, *reached)
        actor = make_staff(owner, "orders") if as_staff else order["user_id"]
        if allowed:
            assert cancel(command, actor, order, p_as_staff=as_staff)["status"] == "cancelled"
        else:
            with refused("KI031") as refusal:
                cancel(command, actor, order, p_as_staff=as_staff)
            assert refusal.detail == {"status": reached[-1], "wanted": "cancelled"}
    assert_books_balance(owner)


def test_an_ended_order_stays_ended(owner: Connection, command: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 3))
    cancel(command, order["user_id"], order)
    with refused("KI031") as refusal:
        cancel(command, order["user_id"], order)
    assert refusal.detail["status"] == "cancelled"


def test_nobody_elses_order(owner: Connection, command: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 3))
    with refused("KI030"):
        cancel(command, make_user(owner), order)
    with refused("KI030"):
        cancel(command, order["user_id"], {"id": UUID(int=0)})
    with refused("KI030"):
        cancel(command, make_staff(owner), {"id": UUID(int=0)}, p_as_staff=True)
    for nobody in (make_user(owner), make_staff(owner, "inventory")):
        with refused("KI067") as refusal:
            cancel(command, nobody, order, p_as_staff=True)
        assert refusal.detail == {"permission": "orders.write"}
    assert one(owner, "SELECT status FROM store.orders") == "pending_payment"


def test_a_version_that_is_not_the_orders(owner: Connection, command: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 3))
    with refused("KI016") as refusal:
        cancel(command, order["user_id"], order, p_expected_version=order["version"] + 1)
    assert refusal.detail == {"version": order["version"]}
    cancel(command, order["user_id"], order, p_expected_version=order["version"])


def test_one_key_cancels_once(owner: Connection, command: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 3))
    pay_order(owner, order)
    key, staff = idempotent("cancel"), make_staff(owner)
    first = cancel(command, staff, order, p_as_staff=True, **key)
    assert cancel(command, staff, order, p_as_staff=True, **key) == first | {"replayed": True}
    assert one(owner, "SELECT count(*) FROM store.refunds") == 1
    with refused("KI080"):
        cancel(command, staff, order, p_as_staff=True, **idempotent("else", key=key["p_idempotency_key"]))


def test_staff_are_on_record(owner: Connection, command: Connection) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 3), method="cod")
    staff = make_staff(owner, "orders")
    cancel(command, staff, order, p_as_staff=True, p_reason="fraud")
    assert rows(owner, "SELECT staff_id, action, subject_id, before, after FROM store.staff_actions") == [
        (staff, "cancel_order", order["id"], {"status": "confirmed"}, {"status": "cancelled", "reason": "fraud"})
    ]
    assert rows(owner, "SELECT actor_kind, actor_id, detail FROM store.order_events ORDER BY id DESC LIMIT 1") == [
        ("staff", staff, {"reason": "fraud"})
    ]
