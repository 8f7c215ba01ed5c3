"""Letting stock go that an order held (release_inventory, release_holds)."""

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


def test_what_was_held_is_on_sale_again(owner: Connection) -> None:
    first, second = make_product(owner, stock=10, buckets=4), make_product(owner, stock=3)
    order = make_bare_order(owner, (first, 8), (second, 1))
    call(owner, "lock_inventory", p_order_id=order, p_expires_at=LATER)
    result = call(owner, "release_inventory", p_order_id=order)
    assert result["released"] == 9
    assert one(owner, "SELECT sum(reserved) FROM store.inventory") == 0
    assert rows(owner, "SELECT DISTINCT status, closed_at IS NULL FROM store.inventory_reservations") == [
        ("released", False)
    ]
    told = rows(owner, "SELECT view_key FROM store.outbox WHERE type = 'inventory.released'")
    assert sorted(told) == sorted([(first.product_id,), (second.product_id,)])
    assert result["position"] == one(owner, "SELECT max(position) FROM store.outbox")
    assert_books_balance(owner)


def test_another_orders_hold_stays(owner: Connection) -> None:
    variant = make_product(owner, stock=10)
    orders = [make_bare_order(owner, (variant, 2)) for _ in range(2)]
    for order in orders:
        call(owner, "lock_inventory", p_order_id=order, p_expires_at=LATER)
    call(owner, "release_inventory", p_order_id=orders[0])
    assert one(owner, "SELECT reserved FROM store.inventory") == 2
    assert_books_balance(owner)


def test_letting_go_of_nothing_changes_nothing(owner: Connection) -> None:
    order = make_bare_order(owner, (make_product(owner, stock=10), 2))
    assert call(owner, "release_inventory", p_order_id=order) == {"released": 0, "position": None}
    assert one(owner, "SELECT count(*) FROM store.outbox") == 0


def test_no_such_order(owner: Connection) -> None:
    with refused("KI030"):
        call(owner, "release_inventory", p_order_id="00000000-0000-7000-8000-000000000000")
