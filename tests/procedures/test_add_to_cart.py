"""add_to_cart: opening a cart, adding up, and what is refused."""

import os
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.builders import (
    call,
    make_order,
    make_product,
    make_stock,
    make_user,
    make_warehouse,
    one,
    refused,
    rows,
)
from tests.support.carts import add, assert_adds_up

Connection = psycopg.Connection[Any]


def test_the_first_add_opens_a_cart_and_the_next_adds_up(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, price=9_999, mrp=12_000, stock=50)
    first = add(command, user, variant, 2)
    second = add(command, user, variant, 3)
    assert first["id"] == second["id"]
    assert (first["version"], second["version"]) == (2, 3)
    [item] = second["items"]
    assert (item["sku"], item["quantity"], item["line_total"]) == (variant.sku, 5, 49_995)
    assert (item["unit_price"], item["mrp"], item["previous_unit_price"]) == (9_999, 12_000, None)
    assert (item["status"], item["available_quantity"]) == ("ok", 50)
    assert_adds_up(second)


def test_totals_have_delivery_and_the_gst_inside(owner: Connection, command: Connection) -> None:
    user = make_user(owner)
    at_18, at_5 = (
        make_product(owner, price=11_800, stock=9),
        make_product(owner, price=10_500, stock=9, tax_class="gst-5"),
    )
    add(command, user, at_18)
    cart = add(command, user, at_5)
    assert (cart["subtotal"], cart["shipping_total"], cart["grand_total"]) == (22_300, 4_900, 27_200)
    assert cart["tax_total"] == 1_800 + 500 + 747, "4900 with 18 % inside holds 747 of it"
    free = add(command, user, at_18, 3)
    assert (free["subtotal"], free["shipping_total"], free["grand_total"]) == (57_700, 0, 57_700)


def test_stock_is_not_held_and_too_little_of_it_is_flagged(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=3)
    cart = add(command, user, variant, 5)
    assert [(i["status"], i["available_quantity"]) for i in cart["items"]] == [("insufficient_stock", 3)]
    assert rows(owner, "SELECT DISTINCT reserved FROM store.inventory") == [(0,)]


def test_only_active_warehouses_count_and_all_their_buckets_do(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=7, buckets=3)
    make_stock(owner, variant, 4, warehouse=make_warehouse(owner, "DEL", state_code="DL"))
    make_stock(owner, variant, 100, warehouse=make_warehouse(owner, "OLD", is_active=False))
    assert add(command, user, variant)["items"][0]["available_quantity"] == 11


def test_sold_out_is_refused_but_not_what_ones_own_unpaid_order_holds(owner: Connection, command: Connection) -> None:
    variant = make_product(owner, stock=2)
    mine = make_user(owner)
    make_order(owner, (variant, 2), user_id=mine)
    with refused("KI001") as refusal:
        add(command, make_user(owner), variant)
    assert refusal.detail == {"lines": [{"sku": variant.sku, "wanted": 1, "available": 0}]}
    cart = add(command, mine, variant)
    assert [(i["quantity"], i["available_quantity"]) for i in cart["items"]] == [(3, 2)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE store.products SET status = 'draft' WHERE id = %(product)s",
        "UPDATE store.products SET status = 'archived' WHERE id = %(product)s",
        "UPDATE store.products SET published_at = now() + interval '1 hour' WHERE id = %(product)s",
        "UPDATE store.product_variants SET is_active = false WHERE product_id = %(product)s",
    ],
)
def test_what_is_not_on_sale_is_refused(owner: Connection, command: Connection, change: str) -> None:
    variant = make_product(owner, stock=5)
    owner.execute(change, {"product": variant.product_id})  # type: ignore[call-overload]
    with refused("KI013") as refusal:
        add(command, make_user(owner), variant)
    assert refusal.detail == {"sku": variant.sku}


def test_an_unknown_sku_opens_no_cart(owner: Connection, command: Connection) -> None:
    with refused("KI013"):
        call(command, "add_to_cart", p_user_id=make_user(owner), p_sku="NO-SUCH", p_quantity=1)
    assert one(owner, "SELECT count(*) FROM store.carts") == 0


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_is_at_least_one(owner: Connection, command: Connection, quantity: int) -> None:
    with refused("KI073") as refusal:
        add(command, make_user(owner), make_product(owner, stock=1), quantity)
    assert refusal.detail["field"] == "quantity"


def test_the_limit_of_a_sku_counts_what_is_in_the_cart(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50, max_per_order=3)
    add(command, user, variant, 2)
    with refused("KI015") as refusal:
        add(command, user, variant, 2)
    assert refusal.detail == {"limit": 3, "sku": variant.sku, "quantity": 4, "in_cart": 2}
    assert add(command, user, variant, 1)["items"][0]["quantity"] == 3


def test_the_stores_limits_on_quantity_and_lines(owner: Connection, command: Connection) -> None:
    owner.execute("UPDATE store.store_settings SET max_line_quantity = 10, max_cart_lines = 2")
    user = make_user(owner)
    first, second, third = (make_product(owner, stock=50) for _ in range(3))
    with refused("KI015") as refusal:
        add(command, user, first, 11)
    assert refusal.detail["limit"] == 10
    add(command, user, first, 10)
    add(command, user, second)
    with refused("KI015") as refusal:
        add(command, user, third)
    assert refusal.detail == {"limit": 2, "lines": 2}
    assert add(command, user, second)["items"][1]["quantity"] == 2, "a line that is there may still grow"


def test_a_quantity_beyond_any_integer_is_refused_and_not_an_overflow(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    add(command, user, variant, 1)
    with refused("KI015"):
        add(command, user, variant, 2_147_483_647)


def test_a_stale_version_is_refused_and_nothing_is_added(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    version = add(command, user, variant)["version"]
    assert add(command, user, variant, p_expected_version=version)["version"] == version + 1
    with refused("KI016") as refusal:
        add(command, user, variant, p_expected_version=version)
    assert refusal.detail == {"version": version + 1}
    assert one(owner, "SELECT quantity FROM store.cart_items") == 2


def test_a_version_of_a_cart_that_is_not_there_is_stale(owner: Connection, command: Connection) -> None:
    with refused("KI016"):
        add(command, make_user(owner), make_product(owner, stock=5), p_expected_version=1)
    assert one(owner, "SELECT count(*) FROM store.carts") == 0


def test_nobodys_cart_is_no_cart(owner: Connection, command: Connection) -> None:
    with refused("KI010"):
        call(command, "add_to_cart", p_sku=make_product(owner, stock=5).sku, p_quantity=1)


def test_a_guests_cart_is_found_by_its_token_and_is_no_users(owner: Connection, command: Connection) -> None:
    variant = make_product(owner, stock=50)
    mine, yours = os.urandom(32), os.urandom(32)
    carts = [
        call(command, "add_to_cart", p_guest_token_hash=token, p_sku=variant.sku, p_quantity=1)
        for token in (mine, yours, mine)
    ]
    assert carts[0]["id"] == carts[2]["id"] != carts[1]["id"]
    assert rows(owner, "SELECT count(*), count(user_id) FROM store.carts") == [(2, 0)]


def test_a_price_that_changed_is_taken_in_and_told_with_the_price_shown_before(
    owner: Connection, command: Connection
) -> None:
    user, variant, other = make_user(owner), make_product(owner, price=5_000, stock=9), make_product(owner, stock=9)
    add(command, user, variant)
    owner.execute("UPDATE store.product_variants SET price = 6000, mrp = 6500 WHERE id = %s", (variant.id,))
    cart = add(command, user, other)
    assert [(i["unit_price"], i["previous_unit_price"], i["mrp"], i["status"]) for i in cart["items"]] == [
        (6_000, 5_000, 6_500, "price_changed"),
        (10_000, None, 10_000, "ok"),
    ]
    again = add(command, user, other)
    assert again["items"][0]["previous_unit_price"] == 5_000, "the flag stays until the cart is validated"
    owner.execute("UPDATE store.product_variants SET price = 5000 WHERE id = %s", (variant.id,))
    back = add(command, user, other)
    assert (back["items"][0]["unit_price"], back["items"][0]["status"]) == (5_000, "ok")


def test_no_user_of_that_id(owner: Connection, command: Connection) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        add(command, uuid4(), make_product(owner, stock=5))
