"""merge_carts: what a guest gathered comes along at login, and never keeps anybody out."""

import os
from typing import Any

import psycopg

from tests.support.builders import call, make_product, make_user, one, rows
from tests.support.carts import Offer, add, apply, assert_adds_up, make_offer

Connection = psycopg.Connection[Any]
TENTH = Offer("percent", percent_bp=1_000)


def guest_adds(connection: Connection, token: bytes, sku: str, quantity: int = 1) -> dict[str, Any]:
    return call(connection, "add_to_cart", p_guest_token_hash=token, p_sku=sku, p_quantity=quantity)


def merge(connection: Connection, user: object, token: bytes) -> dict[str, Any]:
    return call(connection, "merge_carts", p_user_id=user, p_guest_token_hash=token)


def test_lines_add_up_and_the_guests_cart_says_where_it_went(owner: Connection, command: Connection) -> None:
    user, token = make_user(owner), os.urandom(32)
    both, hers, his = (make_product(owner, stock=50) for _ in range(3))
    add(command, user, both, 2)
    add(command, user, hers, 1)
    guest_adds(command, token, his.sku, 4)
    guest = guest_adds(command, token, both.sku, 3)
    cart = merge(owner, user, token)
    assert [(i["sku"], i["quantity"]) for i in cart["items"]] == [(both.sku, 5), (hers.sku, 1), (his.sku, 4)]
    assert_adds_up(cart)
    assert cart["left_behind"] == []
    assert rows(
        owner, "SELECT status, merged_into_id::text, grand_total FROM store.carts WHERE id = %s", guest["id"]
    ) == [("merged", cart["id"], 0)]
    assert one(owner, "SELECT count(*) FROM store.cart_items WHERE cart_id = %s", guest["id"]) == 0


def test_a_shopper_without_a_cart_gets_one(owner: Connection, command: Connection) -> None:
    user, token, variant = make_user(owner), os.urandom(32), make_product(owner, stock=50)
    guest_adds(command, token, variant.sku, 4)
    cart = merge(owner, user, token)
    assert one(owner, "SELECT user_id FROM store.carts WHERE id = %s", cart["id"]) == user
    assert [i["quantity"] for i in cart["items"]] == [4]


def test_a_token_of_nothing_changes_nothing(owner: Connection, command: Connection) -> None:
    user = make_user(owner)
    assert merge(owner, user, os.urandom(32)) == {}
    mine = add(command, user, make_product(owner, stock=5))
    assert merge(owner, user, os.urandom(32)) == {"id": mine["id"]}
    assert one(owner, "SELECT version FROM store.carts") == mine["version"]


def test_the_same_merge_again_changes_nothing(owner: Connection, command: Connection) -> None:
    user, token, variant = make_user(owner), os.urandom(32), make_product(owner, stock=50)
    guest_adds(command, token, variant.sku, 4)
    cart = merge(owner, user, token)
    assert merge(owner, user, token) == {"id": cart["id"]}
    assert one(owner, "SELECT sum(quantity) FROM store.cart_items") == 4


def test_limits_hold_and_nothing_is_refused(owner: Connection, command: Connection) -> None:
    user, token = make_user(owner), os.urandom(32)
    few, mine, first, second = (make_product(owner, stock=50) for _ in range(4))
    add(command, user, few, 3)
    add(command, user, mine, 1)
    guest_adds(command, token, first.sku, 2)
    guest_adds(command, token, second.sku, 2)
    guest_adds(command, token, few.sku, 4)
    owner.execute("UPDATE store.product_variants SET max_per_order = 5 WHERE id = %s", (few.id,))
    owner.execute("UPDATE store.store_settings SET max_cart_lines = 3")
    cart = merge(owner, user, token)
    assert [(i["sku"], i["quantity"]) for i in cart["items"]] == [(few.sku, 5), (mine.sku, 1), (first.sku, 2)]
    assert cart["left_behind"] == [{"sku": second.sku, "quantity": 2}, {"sku": few.sku, "quantity": 2}]


def test_a_quantity_that_was_there_never_shrinks(owner: Connection, command: Connection) -> None:
    user, token, variant = make_user(owner), os.urandom(32), make_product(owner, stock=50)
    add(command, user, variant, 9)
    guest_adds(command, token, variant.sku, 1)
    owner.execute("UPDATE store.product_variants SET max_per_order = 5")
    assert [i["quantity"] for i in merge(owner, user, token)["items"]] == [9]


def test_the_guests_coupons_come_where_there_are_none(owner: Connection, command: Connection) -> None:
    variant = make_product(owner, stock=50)
    make_offer(owner, "GUEST", TENTH)
    make_offer(owner, "MINE", TENTH)
    with_none, with_one = make_user(owner), make_user(owner)
    add(command, with_one, variant)
    apply(command, with_one, "MINE")
    for user, expected in ((with_none, ["GUEST"]), (with_one, ["MINE"])):
        token = os.urandom(32)
        guest_adds(command, token, variant.sku, 4)
        call(command, "apply_coupon", p_guest_token_hash=token, p_code="GUEST")
        cart = merge(owner, user, token)
        assert [c["code"] for c in cart["coupons"]] == expected
        assert_adds_up(cart)


def test_a_coupon_that_the_shopper_may_not_have_comes_as_inapplicable(owner: Connection, command: Connection) -> None:
    user, token, variant = make_user(owner), os.urandom(32), make_product(owner, stock=50)
    make_offer(owner, "FIRST", TENTH, first_order_only=True)
    add(command, user, variant)
    owner.execute(
        "INSERT INTO store.orders (user_id, cart_id, cart_version, status, payment_method, subtotal, grand_total,"
        " shipping_address, place_of_supply) SELECT user_id, id, 0, 'delivered', 'cod', 0, 0, '{}', 'KA'"
        " FROM store.carts"
    )
    guest_adds(command, token, variant.sku)
    call(command, "apply_coupon", p_guest_token_hash=token, p_code="FIRST")
    cart = merge(owner, user, token)
    assert [(c["status"], c["reason"]) for c in cart["coupons"]] == [("inapplicable", "first_order_only")]


def test_prices_that_changed_since_the_guest_saw_them_are_told(owner: Connection, command: Connection) -> None:
    user, token, variant = make_user(owner), os.urandom(32), make_product(owner, price=5_000, stock=50)
    guest_adds(command, token, variant.sku)
    owner.execute("UPDATE store.product_variants SET price = 4000")
    [item] = merge(owner, user, token)["items"]
    assert (item["unit_price"], item["previous_unit_price"], item["status"]) == (4_000, 5_000, "price_changed")
