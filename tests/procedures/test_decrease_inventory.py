"""A hold becomes a sale (decrease_inventory)."""

from typing import Any

import psycopg

from tests.support.builders import (
    assert_books_balance,
    call,
    make_bare_order,
    make_product,
    one,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]
LATER = "2099-01-01T00:00:00+00:00"


def test_the_units_leave_the_shelf_and_the_ledger_says_for_whom(owner: Connection) -> None:
    variant = make_product(owner, stock=10, buckets=4)
    order = make_bare_order(owner, (variant, 8))
    call(owner, "lock_inventory", p_order_id=order, p_expires_at=LATER)
    result = call(owner, "decrease_inventory", p_order_id=order)
    assert result["sold"] == 8
    assert rows(owner, "SELECT sum(on_hand), sum(reserved) FROM store.inventory") == [(2, 0)]
    assert rows(owner, "SELECT kind, sum(quantity), order_id FROM store.stock_movements GROUP BY 1, 3 ORDER BY 1") == [
        ("receipt", 10, None),
        ("sale", -8, order),
    ]
    assert rows(owner, "SELECT DISTINCT status, closed_at IS NULL FROM store.inventory_reservations") == [
        ("consumed", False)
    ]
    assert one(owner, "SELECT count(*) FROM store.outbox WHERE type = 'inventory.decreased'") == 1
    assert_books_balance(owner)


def test_a_hold_is_sold_once(owner: Connection) -> None:
    order = make_bare_order(owner, (make_product(owner, stock=10), 2))
    call(owner, "lock_inventory", p_order_id=order, p_expires_at=LATER)
    call(owner, "decrease_inventory", p_order_id=order)
    with refused("KI005"):
        call(owner, "decrease_inventory", p_order_id=order)
    assert one(owner, "SELECT on_hand FROM store.inventory") == 8
    assert_books_balance(owner)


def test_an_order_is_sold_whole_or_not_at_all(owner: Connection) -> None:
    first, second = make_product(owner, stock=5), make_product(owner, stock=5)
    order = make_bare_order(owner, (first, 2), (second, 2))
    call(owner, "lock_inventory", p_order_id=order, p_expires_at=LATER)
    with owner.transaction():
        owner.execute(
            "UPDATE store.inventory_reservations SET status = 'released', closed_at = now() WHERE variant_id = %s",
            (first.id,),
        )
        owner.execute("UPDATE store.inventory SET reserved = 0 WHERE variant_id = %s", (first.id,))
    with refused("KI005") as refusal:
        call(owner, "decrease_inventory", p_order_id=order)
    assert refusal.detail["held"] == 2
    assert one(owner, "SELECT sum(on_hand) FROM store.inventory") == 10
    assert_books_balance(owner)


def test_no_such_order(owner: Connection) -> None:
    with refused("KI030"):
        call(owner, "decrease_inventory", p_order_id="00000000-0000-7000-8000-000000000000")
