"""Sold units go back to the rows they were taken from, each once."""

import uuid

import pytest

from tests.support.builders import (
    Connection,
    Variant,
    assert_books_balance,
    call,
    make_order,
    make_product,
    make_stock,
    make_warehouse,
    refused,
    rows,
)
from tests.support.paying import Document, on_hand, paid_order


@pytest.fixture
def variant(owner: Connection) -> Variant:
    """Two rows of two units and, in another warehouse, one of two: an order of five needs all three."""
    made = make_product(owner, stock=4, buckets=2)
    make_stock(owner, made, 2, warehouse=make_warehouse(owner, "DEL", state_code="DL"))
    return made


@pytest.fixture
def order(owner: Connection, variant: Variant) -> Document:
    return paid_order(owner, (variant, 5))


def restore(owner: Connection, order: Document, quantity: int | None = None) -> Document:
    lines = None if quantity is None else [{"order_item_id": order["items"][0]["id"], "quantity": quantity}]
    return call(owner, "restore_inventory", p_order_id=order["id"], p_lines=lines)


def test_units_go_back_to_where_they_were(owner: Connection, order: Document, variant: Variant) -> None:
    assert on_hand(owner, variant) == 1
    assert restore(owner, order, 3)["restored"] == 3
    assert_books_balance(owner)
    assert restore(owner, order, 2)["restored"] == 2
    assert rows(owner, "SELECT on_hand, reserved FROM store.inventory ORDER BY warehouse_id, bucket") == [(2, 0)] * 3
    assert rows(owner, "SELECT quantity = restored_quantity FROM store.inventory_reservations") == [(True,)] * 3
    assert rows(owner, "SELECT restocked_quantity FROM store.order_items") == [(5,)]
    assert_books_balance(owner)


def test_units_that_are_back_are_not_put_back_again(owner: Connection, order: Document, variant: Variant) -> None:
    restore(owner, order, 4)
    assert restore(owner, order, 4)["restored"] == 1
    assert restore(owner, order)["restored"] == 0
    assert on_hand(owner, variant) == 6
    assert_books_balance(owner)


def test_without_lines_all_that_is_left_goes_back(owner: Connection, order: Document, variant: Variant) -> None:
    restore(owner, order, 1)
    answer = restore(owner, order)
    assert answer["restored"] == 4
    assert on_hand(owner, variant) == 6
    assert rows(owner, "SELECT kind, sum(quantity)::int FROM store.stock_movements GROUP BY 1 ORDER BY 1") == [
        ("receipt", 6),
        ("restock", 5),
        ("sale", -5),
    ]


def test_the_views_hear_of_each_product(owner: Connection) -> None:
    first, second = make_product(owner, stock=2), make_product(owner, stock=2)
    order = paid_order(owner, (first, 1), (second, 2))
    answer = restore(owner, order)
    written = rows(
        owner,
        "SELECT view_key, aggregate_id, position, payload ->> 'quantity' FROM store.outbox"
        " WHERE type = 'inventory.increased' ORDER BY position",
    )
    assert {(product, variant, units) for product, variant, _, units in written} == {
        (first.product_id, first.id, "1"),
        (second.product_id, second.id, "2"),
    }
    assert answer["position"] == written[-1][2]


def test_a_hold_is_nothing_to_put_back(owner: Connection, variant: Variant) -> None:
    pending = make_order(owner, (variant, 5))
    assert restore(owner, pending) == {"restored": 0, "position": None}
    assert_books_balance(owner)


def test_there_must_be_such_an_order(owner: Connection) -> None:
    with refused("KI030"):
        restore(owner, {"id": uuid.uuid4()})
