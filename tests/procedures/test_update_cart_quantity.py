"""update_cart_quantity and clear_cart: absolute quantities, and no change that is none."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import Variant, call, make_product, make_user, one, refused, rows
from tests.support.carts import Offer, add, apply, assert_adds_up, make_offer

Connection = psycopg.Connection[Any]


def put(connection: Connection, user: UUID, variant: Variant, quantity: int, **more: object) -> dict[str, Any]:
    return call(connection, "update_cart_quantity", p_user_id=user, p_sku=variant.sku, p_quantity=quantity, **more)


def test_it_sets_and_does_not_add(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    add(command, user, variant, 5)
    cart = put(command, user, variant, 2)
    assert [i["quantity"] for i in cart["items"]] == [2]
    assert_adds_up(cart)


def test_the_same_quantity_again_leaves_the_version(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    version = add(command, user, variant, 5)["version"]
    assert put(command, user, variant, 5)["version"] == version, "an order made of this version keeps its cart"


def test_nothing_takes_the_line_out(owner: Connection, command: Connection) -> None:
    user, variant, other = make_user(owner), make_product(owner, stock=50), make_product(owner, stock=50)
    add(command, user, variant)
    add(command, user, other)
    assert [i["sku"] for i in put(command, user, variant, 0)["items"]] == [other.sku]
    empty = put(command, user, other, 0)
    assert (empty["items"], empty["grand_total"], empty["shipping_total"]) == ([], 0, 0)
    with refused("KI014") as refusal:
        put(command, user, other, 0)
    assert refusal.detail == {"sku": other.sku}


def test_it_opens_line_and_cart_only_when_told_so(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    with refused("KI010"):
        put(command, user, variant, 3)
    assert put(command, user, variant, 3, p_create=True)["items"][0]["quantity"] == 3
    with refused("KI014"):
        put(command, user, make_product(owner, stock=50), 3)


def test_less_is_always_welcome(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    add(command, user, variant, 20)
    owner.execute("UPDATE store.product_variants SET max_per_order = 5 WHERE id = %s", (variant.id,))
    owner.execute("UPDATE store.inventory SET on_hand = 0")
    cart = put(command, user, variant, 10)
    assert [(i["quantity"], i["status"], i["available_quantity"]) for i in cart["items"]] == [
        (10, "insufficient_stock", 0)
    ]
    with refused("KI015"):
        put(command, user, variant, 11)
    owner.execute("UPDATE store.product_variants SET max_per_order = NULL WHERE id = %s", (variant.id,))
    with refused("KI001"):
        put(command, user, variant, 11)


def test_what_is_off_sale_can_only_be_taken_out(owner: Connection, command: Connection) -> None:
    user, variant, other = make_user(owner), make_product(owner, stock=50), make_product(owner, stock=50)
    add(command, user, variant, 2)
    owner.execute("UPDATE store.products SET status = 'archived' WHERE id = %s", (variant.product_id,))
    cart = add(command, user, other)
    assert [i["status"] for i in cart["items"]] == ["unavailable", "ok"]
    assert cart["subtotal"] == other.price, "what can't be bought costs nothing"
    with refused("KI013"):
        put(command, user, variant, 1)
    assert [i["sku"] for i in put(command, user, variant, 0)["items"]] == [other.sku]


@pytest.mark.parametrize("quantity", [-1, -100])
def test_no_negative_quantity(owner: Connection, command: Connection, quantity: int) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    add(command, user, variant)
    with refused("KI073"):
        put(command, user, variant, quantity)


def test_a_stale_version(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    version = add(command, user, variant)["version"]
    with refused("KI016"):
        put(command, user, variant, 4, p_expected_version=version + 1)
    assert put(command, user, variant, 4, p_expected_version=version)["version"] == version + 1


def test_fewer_units_under_a_discount(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, price=100, stock=50)
    make_offer(owner, "ALL", Offer("percent", percent_bp=10_000))
    add(command, user, variant, 20)
    apply(command, user, "ALL")
    cart = put(command, user, variant, 1)
    assert (cart["subtotal"], cart["discount_total"]) == (100, 100)


def test_clearing_takes_lines_and_coupons(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    make_offer(owner, "TENTH", Offer("percent", percent_bp=1_000))
    add(command, user, variant, 20)
    version = apply(command, user, "TENTH")["version"]
    with refused("KI016"):
        call(command, "clear_cart", p_user_id=user, p_expected_version=version - 1)
    cart = call(command, "clear_cart", p_user_id=user, p_expected_version=version)
    assert (cart["items"], cart["coupons"], cart["grand_total"], cart["version"]) == ([], [], 0, version + 1)
    assert call(command, "clear_cart", p_user_id=user)["version"] == version + 1
    assert rows(owner, "SELECT * FROM store.cart_coupons") == []
    with refused("KI010"):
        call(command, "clear_cart", p_user_id=make_user(owner))
    assert one(owner, "SELECT count(*) FROM store.carts") == 1
