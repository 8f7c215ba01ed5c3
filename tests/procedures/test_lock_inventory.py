"""Holding stock: from which rows, in which order, and all lines or none (lock_inventory, gather_inventory)."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg

from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import (
    Variant,
    assert_books_balance,
    call,
    make_bare_order,
    make_product,
    make_stock,
    make_warehouse,
    one,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]
LATER = "2099-01-01T00:00:00+00:00"


def lock(connection: Connection, order: object) -> dict[str, Any]:
    return call(connection, "lock_inventory", p_order_id=order, p_expires_at=LATER)


def taken(owner: Connection, variant: Variant) -> list[tuple[Any, ...]]:
    return rows(
        owner,
        "SELECT w.code, i.bucket, i.reserved FROM store.inventory AS i JOIN store.warehouses AS w"
        " ON w.id = i.warehouse_id WHERE i.variant_id = %s AND i.reserved > 0 ORDER BY 1, 2",
        variant.id,
    )


def test_a_line_is_held_in_one_row_when_one_has_enough(owner: Connection) -> None:
    variant = make_product(owner, stock=40, buckets=4)
    order = make_bare_order(owner, (variant, 7))
    lock(owner, order)
    assert [held for _, _, held in taken(owner, variant)] == [7]
    assert rows(owner, "SELECT quantity, status, expires_at::date::text FROM store.inventory_reservations") == [
        (7, "held", "2099-01-01")
    ]
    assert_books_balance(owner)


def test_a_line_is_gathered_over_buckets_when_no_row_has_enough(owner: Connection) -> None:
    variant = make_product(owner, stock=10, buckets=4)
    lock(owner, make_bare_order(owner, (variant, 8)))
    assert sum(held for _, _, held in taken(owner, variant)) == 8
    assert len(taken(owner, variant)) >= 3
    assert_books_balance(owner)


def test_the_warehouse_of_the_shoppers_state_comes_first_then_priority(owner: Connection) -> None:
    variant = make_product(owner)
    for code, state, priority in (("DEL", "DL", 10), ("BOM", "MH", 20), ("BLR", "KA", 30)):
        make_stock(owner, variant, 5, warehouse=make_warehouse(owner, code, state_code=state, priority=priority))
    lock(owner, make_bare_order(owner, (variant, 2), state_code="KA"))
    assert taken(owner, variant) == [("BLR", 0, 2)]
    lock(owner, make_bare_order(owner, (variant, 1), state_code="TN"))
    assert taken(owner, variant) == [("BLR", 0, 2), ("DEL", 0, 1)]


def test_gathering_goes_over_warehouses_in_the_same_order(owner: Connection) -> None:
    variant = make_product(owner)
    for code, state, priority in (("DEL", "DL", 10), ("BOM", "MH", 20), ("BLR", "KA", 30)):
        make_stock(owner, variant, 5, warehouse=make_warehouse(owner, code, state_code=state, priority=priority))
    lock(owner, make_bare_order(owner, (variant, 12), state_code="KA"))
    assert taken(owner, variant) == [("BLR", 0, 5), ("BOM", 0, 2), ("DEL", 0, 5)]


def test_a_warehouse_that_is_closed_gives_nothing(owner: Connection) -> None:
    variant = make_product(owner, stock=1)
    make_stock(owner, variant, 9, warehouse=make_warehouse(owner, "OLD", is_active=False))
    order = make_bare_order(owner, (variant, 2))
    with refused("KI001") as refusal:
        lock(owner, order)
    assert refusal.detail == {"lines": [{"sku": variant.sku, "wanted": 2, "available": 1}]}


def test_all_lines_or_none_and_every_short_one_is_named(owner: Connection) -> None:
    plenty, short, gone = make_product(owner, stock=9), make_product(owner, stock=2, buckets=2), make_product(owner)
    order = make_bare_order(owner, (plenty, 3), (short, 3), (gone, 1))
    with refused("KI001") as refusal:
        lock(owner, order)
    named = {line["sku"]: (line["wanted"], line["available"]) for line in refusal.detail["lines"]}
    assert named == {short.sku: (3, 2), gone.sku: (1, 0)}
    assert taken(owner, plenty) == []
    assert one(owner, "SELECT count(*) FROM store.inventory_reservations") == 0
    assert_books_balance(owner)


def test_an_order_holds_once(owner: Connection) -> None:
    variant = make_product(owner, stock=9)
    order = make_bare_order(owner, (variant, 1))
    lock(owner, order)
    with refused("KI004"):
        lock(owner, order)


def test_no_order_no_hold(owner: Connection) -> None:
    with refused("KI030"):
        lock(owner, "00000000-0000-7000-8000-000000000000")


def test_each_product_is_told_once(owner: Connection) -> None:
    first, second = make_product(owner, stock=4, buckets=4), make_product(owner, stock=3)
    result = lock(owner, make_bare_order(owner, (first, 4), (second, 1)))
    told = rows(
        owner,
        "SELECT topic, view_key, aggregate_type, aggregate_id, type, (payload ->> 'quantity')::int FROM store.outbox",
    )
    assert sorted(told, key=str) == sorted(
        [
            ("catalog", first.product_id, "inventory", first.id, "inventory.locked", 4),
            ("catalog", second.product_id, "inventory", second.id, "inventory.locked", 1),
        ],
        key=str,
    )
    assert result["position"] == one(owner, "SELECT max(position) FROM store.outbox")


def test_a_free_row_is_taken_while_another_is_locked(owner: Connection, connect: Callable[..., Connection]) -> None:
    """No wait at all: the lock timeout would end one."""
    variant = make_product(owner, stock=20, buckets=2)
    holder = connect("owner", autocommit=False)
    holder.execute("SELECT 1 FROM store.inventory WHERE variant_id = %s AND bucket = 0 FOR UPDATE", (variant.id,))
    owner.execute("SET lock_timeout = '1ms'")
    for _ in range(5):
        lock(owner, make_bare_order(owner, (variant, 2)))
    assert taken(owner, variant) == [("BLR", 1, 10)]


def test_it_waits_in_order_when_every_row_is_busy_and_then_gathers(
    owner: Connection, connect: Callable[..., Connection]
) -> None:
    """Named steps: another order takes most of bucket 0 while we wait for it, so we let go, and gather from both."""
    variant = make_product(owner, stock=10, buckets=2)
    order = make_bare_order(owner, (variant, 5))
    holder, waiter = connect("owner", autocommit=False), connect("owner")
    holder.execute("SELECT 1 FROM store.inventory WHERE variant_id = %s ORDER BY bucket FOR UPDATE", (variant.id,))
    thread = threading.Thread(target=lock, args=(waiter, order))
    thread.start()
    wait_until_blocked(owner, backend(waiter), backend(holder))
    other = make_bare_order(owner, (variant, 4))
    holder.execute("UPDATE store.inventory SET reserved = 2 WHERE variant_id = %s", (variant.id,))
    holder.execute(
        "INSERT INTO store.inventory_reservations (order_id, order_item_id, variant_id, warehouse_id, bucket, quantity,"
        " expires_at) SELECT l.order_id, l.id, i.variant_id, i.warehouse_id, i.bucket, 2, now() + interval '1 hour'"
        " FROM store.order_items AS l JOIN store.inventory AS i USING (variant_id) WHERE l.order_id = %s",
        (other,),
    )
    holder.commit()
    thread.join(10)
    assert [held for _, _, held in taken(owner, variant)] == [5, 4]
    assert_books_balance(owner)
