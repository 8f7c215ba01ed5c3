"""Selling beyond the stock: promised at checkout, waiting once confirmed, allocated first come first served."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import (
    Variant,
    assert_books_balance,
    call,
    checkout,
    expire_hold,
    idempotent,
    make_cart,
    make_order,
    make_product,
    make_staff,
    make_user,
    make_warehouse,
    one,
    pay_order,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]
SHIPS = "2099-06-01T00:00:00+00:00"


@pytest.fixture
def staff(owner: Connection) -> UUID:
    make_warehouse(owner)
    return make_staff(owner, "inventory")


def allow(
    connection: Connection, staff: UUID, variant: Variant, limit: int, policy: str = "backorder"
) -> dict[str, Any]:
    return call(
        connection,
        "set_stock_policy",
        p_staff_id=staff,
        p_sku=variant.sku,
        p_policy=policy,
        p_backorder_limit=limit,
        p_available_from=SHIPS if policy == "preorder" else None,
    )


def receive(
    connection: Connection, staff: UUID, variant: Variant, units: int, warehouse: str = "BLR"
) -> dict[str, Any]:
    return call(
        connection,
        "increase_inventory",
        p_staff_id=staff,
        p_sku=variant.sku,
        p_warehouse_code=warehouse,
        p_quantity=units,
        **idempotent(),
    )


def waiting(owner: Connection, order: dict[str, Any]) -> list[tuple[Any, ...]]:
    return rows(
        owner,
        "SELECT status, quantity, allocated_quantity, cancelled_quantity FROM store.backorders WHERE order_id = %s"
        " ORDER BY id",
        order["id"],
    )


def counted(owner: Connection, variant: Variant) -> int:
    return int(one(owner, "SELECT backordered FROM store.stock_policies WHERE variant_id = %s", variant.id))


def shelf(owner: Connection, variant: Variant) -> tuple[int, int]:
    [found] = rows(
        owner,
        "SELECT coalesce(sum(on_hand), 0)::int, coalesce(sum(reserved), 0)::int FROM store.inventory"
        " WHERE variant_id = %s",
        variant.id,
    )
    return found[0], found[1]


def test_sold_out_is_sold_out_unless_the_policy_says_otherwise(
    owner: Connection, command: Connection, staff: UUID
) -> None:
    variant = make_product(owner, stock=2)
    with refused("KI001"):
        make_order(owner, (variant, 3))
    allow(command, staff, variant, 5)
    order = make_order(owner, (variant, 3))
    [line] = order["items"]
    assert (line["backordered_quantity"], line["expected_at"]) == (1, None)
    assert waiting(owner, order) == [("promised", 1, 0, 0)]
    assert (shelf(owner, variant), counted(owner, variant)) == ((2, 2), 1)
    allow(command, staff, variant, 5, "preorder")
    [line] = make_order(owner, (variant, 2))["items"]
    assert line["backordered_quantity"] == 2
    assert line["expected_at"].startswith("2099-06-01")
    call(command, "set_stock_policy", p_staff_id=staff, p_sku=variant.sku, p_policy="deny")
    with refused("KI001"):
        make_order(owner, (variant, 1))
    assert_books_balance(owner)


def test_the_limit_is_what_may_wait_at_one_time(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=1)
    allow(command, staff, variant, 3)
    make_order(owner, (variant, 3))
    with refused("KI001") as refusal:
        make_order(owner, (variant, 2))
    assert refusal.detail["lines"] == [{"sku": variant.sku, "wanted": 2, "available": 1}]
    make_order(owner, (variant, 1))
    assert counted(owner, variant) == 3
    assert_books_balance(owner)


def test_a_sku_that_never_had_stock_is_sold(owner: Connection, command: Connection, staff: UUID) -> None:
    variant, other = make_product(owner), make_product(owner, stock=9)
    allow(command, staff, variant, 10, "preorder")
    order = make_order(owner, (variant, 2), (other, 3), method="cod")
    assert order["status"] == "confirmed"
    assert waiting(owner, order) == [("waiting", 2, 0, 0)]
    assert shelf(owner, other) == (6, 0)
    assert_books_balance(owner)


def test_a_receipt_serves_those_who_wait_in_their_order(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, buckets=3)
    allow(command, staff, variant, 100)
    unpaid = make_order(owner, (variant, 4))
    first, second, third = (make_order(owner, (variant, units), method="cod") for units in (2, 5, 1))
    version = one(owner, "SELECT version FROM store.orders WHERE id = %s", second["id"])
    result = receive(command, staff, variant, 4)
    assert (result["allocated"], result["on_hand"], result["available"]) == (4, 0, 0)
    assert waiting(owner, first) == [("allocated", 2, 2, 0)]
    assert waiting(owner, second) == [("waiting", 5, 2, 0)]
    assert waiting(owner, third) == [("waiting", 1, 0, 0)]
    assert waiting(owner, unpaid) == [("promised", 4, 0, 0)], "who has not paid waits behind who has"
    assert counted(owner, variant) == 8
    assert one(owner, "SELECT version FROM store.orders WHERE id = %s", second["id"]) == version + 1
    assert one(owner, "SELECT count(*) FROM store.outbox WHERE type = 'order.backorder_allocated'") == 2
    taken = rows(
        owner,
        "SELECT sum(quantity)::int FROM store.inventory_reservations WHERE order_id = %s AND status = 'consumed'",
        second["id"],
    )
    assert taken == [(2,)], "what is allocated is what can be shipped"
    result = receive(command, staff, variant, 10)
    assert (result["allocated"], result["available"]) == (4, 6)
    assert_books_balance(owner)


def test_stock_that_is_corrected_upwards_serves_too(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=1)
    allow(command, staff, variant, 9)
    order = make_order(owner, (variant, 3), method="cod")
    given = {"p_staff_id": staff, "p_sku": variant.sku, "p_warehouse_code": "BLR"}
    call(command, "adjust_inventory", p_counted_quantity=1, p_kind="count", p_reason="found", **given, **idempotent())
    assert waiting(owner, order) == [("waiting", 2, 1, 0)]
    call(command, "adjust_inventory", p_quantity_delta=2, p_reason="found", **given, **idempotent())
    assert waiting(owner, order) == [("allocated", 2, 2, 0)]
    assert shelf(owner, variant) == (1, 0)
    assert_books_balance(owner)


def test_paying_makes_a_promise_wait_and_the_worker_serves_it(
    owner: Connection, command: Connection, staff: UUID
) -> None:
    variant = make_product(owner, stock=1)
    allow(command, staff, variant, 9)
    order = make_order(owner, (variant, 3))
    receive(command, staff, variant, 5)
    assert waiting(owner, order) == [("promised", 2, 0, 0)]
    assert call(command, "allocate_backorders", p_limit=100)["allocated"] == 0
    pay_order(owner, order)
    assert waiting(owner, order) == [("waiting", 2, 0, 0)]
    assert call(command, "allocate_backorders", p_limit=100)["allocated"] == 1
    assert waiting(owner, order) == [("allocated", 2, 2, 0)]
    assert call(command, "allocate_backorders", p_limit=100)["allocated"] == 0
    assert (shelf(owner, variant), counted(owner, variant)) == ((3, 0), 0)
    assert_books_balance(owner)


@pytest.mark.parametrize("end", ["expire", "cancel", "replace"])
def test_an_unpaid_order_that_ends_frees_its_promise(
    owner: Connection, command: Connection, staff: UUID, end: str
) -> None:
    variant = make_product(owner, stock=1)
    allow(command, staff, variant, 3)
    order = make_order(owner, (variant, 4))
    if end == "expire":
        expire_hold(owner, order["id"])
        call(command, "expire_orders")
    elif end == "cancel":
        call(
            command,
            "cancel_order",
            p_actor_id=order["user_id"],
            p_as_staff=False,
            p_order_id=order["id"],
            p_reason="changed my mind",
            **idempotent(),
        )
    else:
        make_cart(owner, UUID(order["user_id"]), (variant, 4), (make_product(owner, stock=1), 1))
        assert checkout(command, UUID(order["user_id"]))["items"][0]["backordered_quantity"] == 3
    assert waiting(owner, order) == [("cancelled", 3, 0, 3)]
    assert counted(owner, variant) == (3 if end == "replace" else 0)
    assert_books_balance(owner)


@pytest.mark.parametrize("method", ["prepaid", "cod"])
def test_cancelling_a_confirmed_order_restocks_what_was_taken_only(
    owner: Connection, command: Connection, staff: UUID, method: str
) -> None:
    variant = make_product(owner, stock=2)
    allow(command, staff, variant, 9)
    order = make_order(owner, (variant, 5), method=method)
    if method == "prepaid":
        pay_order(owner, order)
    receive(command, staff, variant, 1)
    assert waiting(owner, order) == [("waiting", 3, 1, 0)]
    call(
        command,
        "cancel_order",
        p_actor_id=order["user_id"],
        p_as_staff=False,
        p_order_id=order["id"],
        p_reason="changed my mind",
        **idempotent(),
    )
    assert waiting(owner, order) == [("allocated", 3, 1, 2)]
    assert (shelf(owner, variant), counted(owner, variant)) == ((3, 0), 0)
    assert_books_balance(owner)


@pytest.mark.parametrize(
    ("kind", "units", "after", "on_hand"),
    [
        ("cancellation", 1, ("waiting", 3, 0, 1), 0),
        ("cancellation", 4, ("cancelled", 3, 0, 3), 1),
        ("return", 2, ("waiting", 3, 0, 0), 2),
        ("return", 4, ("waiting", 3, 0, 2), 2),
        ("return", 5, ("cancelled", 3, 0, 3), 2),
    ],
)
def test_a_refund_frees_waiting_units_and_restocks_the_others(
    owner: Connection, command: Connection, staff: UUID, kind: str, units: int, after: tuple[Any, ...], on_hand: int
) -> None:
    variant = make_product(owner, stock=2)
    allow(command, staff, variant, 9)
    order = make_order(owner, (variant, 5))
    pay_order(owner, order)
    call(
        owner,
        "initiate_refund",
        p_actor_id=make_staff(owner),
        p_as_staff=True,
        p_order_id=order["id"],
        p_lines=[{"sku": variant.sku, "quantity": units, "restock": True}],
        p_kind=kind,
        p_reason="asked for",
        **idempotent(),
    )
    assert waiting(owner, order) == [after]
    assert shelf(owner, variant) == (on_hand, 0)
    assert_books_balance(owner)


def test_a_late_payment_waits_again_if_there_is_room(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=1)
    allow(command, staff, variant, 2)
    late, too_late = make_order(owner, (variant, 2)), make_order(owner, (variant, 1))
    attempts = [
        call(
            owner,
            "register_payment_attempt",
            p_user_id=order["user_id"],
            p_order_id=order["id"],
            p_method="upi",
            p_provider="sandbox",
            **idempotent(order["id"]),
        )
        for order in (late, too_late)
    ]
    for order in (late, too_late):
        expire_hold(owner, order["id"])
    call(command, "expire_orders")
    make_order(owner, (variant, 2))
    for attempt, order in zip(attempts, (late, too_late), strict=True):
        call(
            owner,
            "settle_capture",
            p_payment_id=attempt["id"],
            p_provider_payment_id=attempt["id"],
            p_amount=order["grand_total"],
            p_currency="INR",
        )
    assert one(owner, "SELECT status FROM store.orders WHERE id = %s", late["id"]) == "expired", "2 do not fit, 1 does"
    assert one(owner, "SELECT status FROM store.orders WHERE id = %s", too_late["id"]) == "confirmed"
    assert waiting(owner, too_late) == [("cancelled", 1, 0, 1), ("waiting", 1, 0, 0)]
    assert_books_balance(owner)


def test_an_order_that_waits_is_not_packed(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=1)
    allow(command, staff, variant, 9)
    order, clerk = make_order(owner, (variant, 2), method="cod"), make_staff(owner, "orders")

    def pack() -> dict[str, Any]:
        given = {"p_staff_id": clerk, "p_order_id": order["id"], "p_to_status": "packed"}
        return call(command, "update_order_status", **given, **idempotent())

    with refused("KI031") as refusal:
        pack()
    assert refusal.detail == {"status": "confirmed", "wanted": "packed", "waiting": True}
    receive(command, staff, variant, 1)
    assert pack()["status"] == "packed"


def test_what_a_policy_refuses(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner)
    for policy, limit, day, field in (
        ("maybe", 1, None, "policy"),
        ("backorder", None, None, "backorder_limit"),
        ("backorder", 0, None, "backorder_limit"),
        ("preorder", 5, None, "available_from"),
        ("deny", 5, None, "backorder_limit"),
        ("deny", None, SHIPS, "available_from"),
    ):
        with refused("KI073") as refusal:
            call(
                command,
                "set_stock_policy",
                p_staff_id=staff,
                p_sku=variant.sku,
                p_policy=policy,
                p_backorder_limit=limit,
                p_available_from=day,
            )
        assert refusal.detail["field"] == field
    with refused("KI013"):
        call(command, "set_stock_policy", p_staff_id=staff, p_sku="NO-SUCH", p_policy="deny")
    with refused("KI067") as refusal:
        allow(command, make_staff(owner, "support"), variant, 5)
    assert refusal.detail == {"permission": "inventory.write"}
    allow(command, staff, variant, 5)
    make_order(owner, (variant, 4))
    with refused("KI114") as refusal:
        allow(command, staff, variant, 3)
    assert refusal.detail == {"backordered": 4}
    allow(command, staff, variant, 4)


def test_a_policy_is_audited_and_told_once(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner)
    for _ in range(2):
        assert allow(command, staff, variant, 5)["backorder_limit"] == 5
    assert one(owner, "SELECT count(*) FROM store.outbox WHERE type = 'stock_policy.changed'") == 1
    assert rows(
        owner, "SELECT before ->> 'policy', after ->> 'backorder_limit' FROM store.staff_actions ORDER BY id LIMIT 1"
    ) == [("deny", "5")]


def test_the_cart_says_what_will_come_later(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=2)
    allow(command, staff, variant, 5, "preorder")
    user = make_user(owner)
    call(command, "add_to_cart", p_user_id=user, p_sku=variant.sku, p_quantity=2)
    cart = call(command, "add_to_cart", p_user_id=user, p_sku=variant.sku, p_quantity=3)
    [line] = cart["items"]
    assert (line["status"], line["available_quantity"]) == ("ok", 7)
    assert (line["availability"], line["backordered_quantity"]) == ("preorder", 3)
    assert line["available_from"].startswith("2099-06-01")
    [line] = call(command, "update_cart_quantity", p_user_id=user, p_sku=variant.sku, p_quantity=1)["items"]
    assert (line["availability"], line["backordered_quantity"], line["available_from"]) == ("in_stock", 0, None)
    [line] = call(command, "update_cart_quantity", p_user_id=user, p_sku=variant.sku, p_quantity=8)["items"]
    assert (line["availability"], line["status"]) == ("out_of_stock", "insufficient_stock")
    with refused("KI001") as refusal:
        checkout(command, user)
    assert refusal.detail["lines"] == [{"sku": variant.sku, "wanted": 8, "available": 7}]
