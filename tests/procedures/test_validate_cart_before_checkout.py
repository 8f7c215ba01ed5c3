"""validate_cart_before_checkout: what is told, how often, what is stamped; and where the store delivers."""

import os
from typing import Any

import psycopg
import pytest

from tests.support.builders import call, make_address, make_order, make_product, make_user, one, refused, rows
from tests.support.carts import Offer, add, apply, assert_adds_up, make_offer, validate

Connection = psycopg.Connection[Any]


def test_a_cart_in_order_is_stamped_and_keeps_its_version(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    version = add(command, user, variant, 5)["version"]
    cart = validate(command, user, make_address(owner, user))
    assert (cart["valid"], cart["problems"], cart["version"]) == (True, [], version)
    assert "dropped_coupons" not in cart
    assert rows(owner, "SELECT validated_version, validated_at IS NOT NULL FROM store.carts") == [(version, True)]
    assert_adds_up(cart)


def test_a_changed_price_is_told_once_and_makes_a_new_version(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, price=5_000, stock=50)
    version = add(command, user, variant, 2)["version"]
    owner.execute("UPDATE store.product_variants SET price = 4000 WHERE id = %s", (variant.id,))
    cart = validate(command, user)
    assert cart["problems"] == [
        {"kind": "price_changed", "sku": variant.sku, "previous_unit_price": 5_000, "unit_price": 4_000}
    ]
    assert (cart["valid"], cart["version"], cart["subtotal"]) == (False, version + 1, 8_000)
    assert one(owner, "SELECT validated_version FROM store.carts") == version + 1
    again = validate(command, user)
    assert (again["valid"], again["version"], again["items"][0]["previous_unit_price"]) == (True, version + 1, None)


def test_a_price_told_by_another_change_of_the_cart_is_not_told_twice(owner: Connection, command: Connection) -> None:
    user, variant, other = make_user(owner), make_product(owner, price=5_000, stock=9), make_product(owner, stock=9)
    add(command, user, variant)
    owner.execute("UPDATE store.product_variants SET price = 4000 WHERE id = %s", (variant.id,))
    assert add(command, user, other)["items"][0]["status"] == "price_changed"
    assert validate(command, user)["valid"] is True


def test_stock_and_sale_are_told_until_the_line_changes(owner: Connection, command: Connection) -> None:
    user, short, gone = make_user(owner), make_product(owner, stock=5), make_product(owner, stock=5)
    version = add(command, user, short, 5)["version"]
    add(command, user, gone, 1)
    make_order(owner, (short, 3))
    owner.execute("UPDATE store.product_variants SET is_active = false WHERE id = %s", (gone.id,))
    for _ in range(2):
        cart = validate(command, user)
        assert cart["valid"] is False
        assert cart["problems"] == [
            {"kind": "insufficient_stock", "sku": short.sku, "quantity": 5, "available_quantity": 2},
            {"kind": "unavailable", "sku": gone.sku, "quantity": 1, "available_quantity": 5},
        ]
    assert cart["version"] == version + 2, "a line that left the total makes a new version, once"
    call(command, "update_cart_quantity", p_user_id=user, p_sku=short.sku, p_quantity=2)
    call(command, "update_cart_quantity", p_user_id=user, p_sku=gone.sku, p_quantity=0)
    assert validate(command, user)["valid"] is True


def test_both_a_price_and_stock(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, price=5_000, stock=5)
    add(command, user, variant, 5)
    make_order(owner, (variant, 1))
    owner.execute("UPDATE store.product_variants SET price = 4000 WHERE id = %s", (variant.id,))
    cart = validate(command, user)
    assert [problem["kind"] for problem in cart["problems"]] == ["insufficient_stock", "price_changed"]
    assert (cart["items"][0]["status"], cart["items"][0]["previous_unit_price"]) == ("insufficient_stock", 5_000)


def test_what_ones_own_unpaid_order_holds_is_there_to_buy(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=5)
    make_order(owner, (variant, 5), user_id=user)
    cart = validate(command, user)
    assert (cart["valid"], cart["items"][0]["available_quantity"]) == (True, 5)


def test_a_limit_that_was_lowered(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    add(command, user, variant, 5)
    owner.execute("UPDATE store.product_variants SET max_per_order = 4 WHERE id = %s", (variant.id,))
    cart = validate(command, user)
    assert cart["problems"] == [{"kind": "quantity_limit", "sku": variant.sku, "quantity": 5, "limit": 4}]


def test_a_coupon_that_stopped_fitting_stays_and_is_told_once(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, price=10_000, stock=50)
    make_offer(owner, "TENTH", Offer("percent", percent_bp=1_000))
    add(command, user, variant)
    before = apply(command, user, "TENTH")
    owner.execute("UPDATE store.coupons SET ends_at = now()")
    cart = validate(command, user)
    assert cart["problems"] == [{"kind": "coupon_inapplicable", "coupon": "TENTH", "reason": "ended"}]
    assert [(c["status"], c["reason"], c["discount_amount"]) for c in cart["coupons"]] == [("inapplicable", "ended", 0)]
    assert (cart["discount_total"], cart["version"]) == (0, before["version"] + 1)
    assert validate(command, user)["valid"] is True
    owner.execute("UPDATE store.coupons SET ends_at = NULL")
    back = validate(command, user)
    assert (back["coupons"][0]["status"], back["discount_total"]) == ("applied", 1_000)


def test_there_must_be_a_cart_with_something_in_it(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=5)
    with refused("KI010"):
        validate(command, user)
    add(command, user, variant)
    call(command, "clear_cart", p_user_id=user)
    with refused("KI011"):
        validate(command, user)


def test_the_address_must_be_ones_own(owner: Connection, command: Connection) -> None:
    user = make_user(owner)
    add(command, user, make_product(owner, stock=5))
    other, gone = make_address(owner, make_user(owner)), make_address(owner, user)
    owner.execute("UPDATE store.addresses SET is_active = false WHERE id = %s", (gone,))
    for address in (other, gone):
        with refused("KI033"):
            validate(command, user, address)


def test_a_guest_may_validate_without_an_address(owner: Connection, command: Connection) -> None:
    token, variant = os.urandom(32), make_product(owner, stock=5)
    call(command, "add_to_cart", p_guest_token_hash=token, p_sku=variant.sku, p_quantity=1)
    assert call(command, "validate_cart_before_checkout", p_guest_token_hash=token)["valid"] is True
    with refused("KI033"):
        call(
            command,
            "validate_cart_before_checkout",
            p_guest_token_hash=token,
            p_address_id=make_address(owner, make_user(owner)),
        )


RULES = """
    INSERT INTO store.shipping_rules (name, priority, pincode_prefix, state_code, min_subtotal, is_serviceable, charge)
    VALUES ('nowhere', 1, '79', NULL, 0, false, 0), ('hills', 5, '17', 'HP', 0, true, 9900),
        ('Kerala', 6, NULL, 'KL', 20000, true, 100)
"""


@pytest.mark.parametrize(
    ("state", "pincode", "charge"),
    [("KA", "560001", 4_900), ("HP", "171001", 9_900), ("KL", "682001", 4_900), ("PB", "171001", 4_900)],
)
def test_the_first_rule_that_fits_sets_the_charge(
    owner: Connection, command: Connection, state: str, pincode: str, charge: int
) -> None:
    owner.execute(RULES)
    user, variant = make_user(owner), make_product(owner, price=10_000, stock=50)
    version = add(command, user, variant)["version"]
    cart = validate(command, user, make_address(owner, user, state_code=state, pincode=pincode))
    assert (cart["shipping_total"], cart["version"]) == (charge, version), "delivery is the address's, not the cart's"


def test_what_a_rule_asks_for_is_counted_after_the_discount(owner: Connection, command: Connection) -> None:
    owner.execute(RULES)
    user, variant = make_user(owner), make_product(owner, price=10_000, stock=50)
    address = make_address(owner, user, state_code="KL", pincode="682001")
    make_offer(owner, "LESS", Offer("fixed", amount=1))
    add(command, user, variant, 2)
    assert validate(command, user, address)["shipping_total"] == 100
    apply(command, user, "LESS")
    assert validate(command, user, address)["shipping_total"] == 4_900


def test_where_the_store_does_not_deliver(owner: Connection, command: Connection) -> None:
    owner.execute(RULES)
    user = make_user(owner)
    add(command, user, make_product(owner, stock=5))
    address = make_address(owner, user, state_code="MN", pincode="795001")
    with refused("KI034") as refusal:
        validate(command, user, address)
    assert refusal.detail == {"address_id": str(address), "pincode": "795001", "state_code": "MN"}
    assert validate(command, user)["valid"] is True
    owner.execute("DELETE FROM store.shipping_rules")
    with refused("KI034"):
        validate(command, user, make_address(owner, user))


def test_free_shipping_zeroes_the_charge_and_its_tax(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, price=11_800, stock=50)
    make_offer(owner, "SHIP", Offer("free_shipping"))
    add(command, user, variant)
    cart = apply(command, user, "SHIP")
    assert (cart["shipping_total"], cart["tax_total"], cart["grand_total"]) == (0, 1_800, 11_800)
    assert cart["coupons"] == [
        {"code": "SHIP", "status": "applied", "reason": None, "discount_amount": 0, "free_shipping": True}
    ]
