"""apply_coupon and remove_coupon: what a coupon takes off, to whom it is given, and how several go together."""

import os
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import (
    call,
    make_bare_order,
    make_category,
    make_order,
    make_product,
    make_user,
    one,
    refused,
    rows,
)
from tests.support.carts import Offer, add, apply, assert_adds_up, make_offer

Connection = psycopg.Connection[Any]
TENTH = Offer("percent", percent_bp=1_000)
HUNDRED = Offer("fixed", amount=10_000)
TWO_PLUS_ONE = Offer("buy_x_get_y", buy_quantity=2, get_quantity=1, get_percent_bp=10_000)


@pytest.fixture
def user(owner: Connection, command: Connection) -> UUID:
    """A shopper with three lines: 2 × ₹100, 1 × ₹50, 3 × ₹10."""
    made = make_user(owner)
    for price, quantity in ((10_000, 2), (5_000, 1), (1_000, 3)):
        add(command, made, make_product(owner, price=price, stock=100), quantity)
    return made


def parts(cart: dict[str, Any]) -> list[int]:
    assert_adds_up(cart)
    return [item["discount_amount"] for item in cart["items"]]


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        (TENTH, [2_000, 500, 300]),
        (replace(TENTH, max_discount=1_000), [714, 179, 107]),
        (HUNDRED, [7_143, 1_786, 1_071]),
        (replace(HUNDRED, amount=99_999_999), [20_000, 5_000, 3_000]),
        (replace(HUNDRED, amount=1), [1, 0, 0]),
        (TWO_PLUS_ONE, [0, 0, 2_000]),
        (replace(TWO_PLUS_ONE, buy_quantity=1), [0, 0, 3_000]),
        (replace(TWO_PLUS_ONE, buy_quantity=1, get_percent_bp=5_000), [0, 0, 1_500]),
        (replace(TWO_PLUS_ONE, buy_quantity=1, get_quantity=5), [10_000, 5_000, 3_000]),
        (replace(TWO_PLUS_ONE, max_discount=700), [0, 0, 700]),
        (Offer("free_shipping"), [0, 0, 0]),
    ],
)
def test_what_it_takes_off_each_line(
    owner: Connection, command: Connection, user: UUID, offer: Offer, expected: list[int]
) -> None:
    make_offer(owner, "SAVE", offer)
    cart = apply(command, user, "SAVE")
    assert parts(cart) == expected
    assert cart["coupons"] == [
        {
            "code": "SAVE",
            "status": "applied",
            "reason": None,
            "discount_amount": sum(expected),
            "free_shipping": offer.kind == "free_shipping",
        }
    ]


@pytest.mark.parametrize("code", ["SAVE-1", "save-1", "  Save-1\t"])
def test_case_and_spaces_do_not_matter(owner: Connection, command: Connection, user: UUID, code: str) -> None:
    make_offer(owner, "SAVE-1", TENTH)
    assert apply(command, user, code)["coupons"][0]["code"] == "SAVE-1"


@pytest.mark.parametrize("code", ["", "SAVE", "SAVE-１", "ſave-1", "SAVE -1", "SAVE-1'", "%"])
def test_no_such_code(owner: Connection, command: Connection, user: UUID, code: str) -> None:
    make_offer(owner, "SAVE-1", TENTH)
    with refused("KI020"):
        apply(command, user, code)


def test_the_same_again_is_no_change(owner: Connection, command: Connection, user: UUID) -> None:
    make_offer(owner, "SAVE", TENTH)
    first, second = apply(command, user, "SAVE"), apply(command, user, "save")
    assert (first["version"], parts(first)) == (second["version"], parts(second))


def test_it_follows_the_cart(owner: Connection, command: Connection, user: UUID) -> None:
    make_offer(owner, "SAVE", TENTH)
    apply(command, user, "SAVE")
    cart = add(command, user, make_product(owner, price=30_000, stock=9))
    assert parts(cart) == [2_000, 500, 300, 3_000]


@pytest.mark.parametrize(
    ("offer", "columns", "sqlstate", "reason"),
    [
        (TENTH, "is_active = false", "KI021", "inactive"),
        (TENTH, "starts_at = now() + interval '1 hour'", "KI021", "not_started"),
        (TENTH, "ends_at = now()", "KI021", "ended"),
        (TENTH, "usage_limit = 7, used_count = 7", "KI022", "exhausted"),
        (replace(TENTH, min_subtotal=28_001), "is_public = true", "KI021", "min_subtotal"),
        (replace(TWO_PLUS_ONE, buy_quantity=6), "is_public = true", "KI021", "not_enough_items"),
        (replace(TENTH, percent_bp=1, max_discount=None), "scope = 'categories'", "KI021", "no_eligible_items"),
    ],
)
def test_why_it_does_not_fit(
    owner: Connection, command: Connection, user: UUID, offer: Offer, columns: str, sqlstate: str, reason: str
) -> None:
    make_offer(owner, "SAVE", offer)
    owner.execute(f"UPDATE store.coupons SET {columns}")
    with refused(sqlstate) as refusal:
        apply(command, user, "SAVE")
    assert refusal.detail == {
        "coupon": "SAVE",
        "reason": reason,
        "min_subtotal": offer.min_subtotal,
        "subtotal": 28_000,
    }
    assert rows(owner, "SELECT * FROM store.cart_coupons") == [], "a coupon that does not fit is not put on the cart"


def test_just_enough_is_enough(owner: Connection, command: Connection, user: UUID) -> None:
    make_offer(owner, "SAVE", replace(TENTH, min_subtotal=28_000))
    make_offer(owner, "GIFT", replace(TWO_PLUS_ONE, buy_quantity=5))
    assert [c["discount_amount"] for c in apply(command, user, "SAVE")["coupons"]] == [2_800]
    assert apply(command, user, "GIFT")["coupons"][1]["discount_amount"] == 900, "of what the tenth left"


def test_nothing_left_to_take_off(owner: Connection, command: Connection, user: UUID) -> None:
    make_offer(owner, "ALL", replace(TENTH, percent_bp=10_000))
    make_offer(owner, "MORE", HUNDRED)
    assert apply(command, user, "ALL")["grand_total"] == 4_900
    with refused("KI021") as refusal:
        apply(command, user, "MORE")
    assert refusal.detail["reason"] == "nothing_left"


def test_several_only_if_all_are_stackable(owner: Connection, command: Connection, user: UUID) -> None:
    make_offer(owner, "ONE", TENTH)
    make_offer(owner, "TWO", replace(HUNDRED, stackable=False))
    make_offer(owner, "THREE", HUNDRED)
    apply(command, user, "ONE")
    with refused("KI024") as refusal:
        apply(command, user, "TWO")
    assert refusal.detail == {"coupon": "TWO", "on_cart": ["ONE"]}
    cart = apply(command, user, "THREE")
    assert [(c["code"], c["discount_amount"]) for c in cart["coupons"]] == [("ONE", 2_800), ("THREE", 10_000)]
    call(command, "remove_coupon", p_user_id=user)
    apply(command, user, "TWO")
    with refused("KI024"):
        apply(command, user, "ONE")


def test_one_that_is_no_longer_stackable_gives_way_to_the_earlier(
    owner: Connection, command: Connection, user: UUID
) -> None:
    make_offer(owner, "ONE", TENTH)
    make_offer(owner, "TWO", HUNDRED)
    apply(command, user, "ONE")
    apply(command, user, "TWO")
    owner.execute("UPDATE store.coupons SET stackable = false WHERE code = 'TWO'")
    cart = add(command, user, make_product(owner, stock=5))
    assert [(c["code"], c["reason"]) for c in cart["coupons"]] == [("ONE", None), ("TWO", "not_stackable")]
    assert_adds_up(cart)


def test_no_more_coupons_than_a_cart_may_have(owner: Connection, command: Connection, user: UUID) -> None:
    owner.execute("UPDATE store.store_settings SET max_cart_coupons = 1")
    make_offer(owner, "ONE", TENTH)
    make_offer(owner, "TWO", HUNDRED)
    apply(command, user, "ONE")
    with refused("KI025") as refusal:
        apply(command, user, "TWO")
    assert refusal.detail == {"limit": 1, "on_cart": ["ONE"]}


def test_a_category_counts_with_its_descendants(owner: Connection, command: Connection) -> None:
    toys = make_category(owner, "toys")
    outdoor = make_category(owner, "outdoor", parent_id=toys)
    balls = make_category(owner, "balls", parent_id=outdoor)
    books = make_category(owner, "books")
    user = make_user(owner)
    for category in (toys, balls, books, None):
        add(command, user, make_product(owner, stock=5, category_id=category))
    coupon = make_offer(owner, "PLAY", TENTH, scope="categories")
    owner.execute("INSERT INTO store.coupon_targets (coupon_id, category_id) VALUES (%s, %s)", (coupon, outdoor))
    assert parts(apply(command, user, "PLAY")) == [0, 1_000, 0, 0]
    owner.execute("UPDATE store.coupon_targets SET category_id = %s", (toys,))
    assert parts(apply(command, user, "PLAY")) == [1_000, 1_000, 0, 0]


def test_a_product_scope(owner: Connection, command: Connection, user: UUID) -> None:
    variant = make_product(owner, stock=5)
    make_offer(owner, "ONLY", replace(HUNDRED, amount=99_999, products=(variant.product_id,)))
    with refused("KI021") as refusal:
        apply(command, user, "ONLY")
    assert refusal.detail["reason"] == "no_eligible_items"
    add(command, user, variant)
    assert parts(apply(command, user, "ONLY")) == [0, 0, 0, 10_000]


def test_what_is_unavailable_earns_nothing(owner: Connection, command: Connection, user: UUID) -> None:
    make_offer(owner, "SAVE", replace(TENTH, min_subtotal=20_000))
    apply(command, user, "SAVE")
    owner.execute("UPDATE store.product_variants SET is_active = false WHERE price = 10000")
    cart = add(command, user, make_product(owner, price=1_000, stock=5))
    assert [(c["status"], c["reason"]) for c in cart["coupons"]] == [("inapplicable", "min_subtotal")]
    assert parts(cart) == [0, 0, 0, 0]


def test_the_limit_per_user_does_not_count_the_unpaid_order_that_checkout_replaces(
    owner: Connection, command: Connection
) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    coupon = make_offer(owner, "ONCE", TENTH, per_user_limit=1, usage_limit=1)
    order = make_bare_order(owner, (variant, 1), user_id=user)
    call(owner, "validate_coupon_usage_limit", p_coupon_id=coupon, p_user_id=user, p_order_id=order)
    assert apply(command, user, "ONCE")["coupons"][0]["status"] == "applied"
    owner.execute("UPDATE store.orders SET status = 'confirmed'")
    with refused("KI022"):
        apply(command, user, "ONCE")
    owner.execute("UPDATE store.coupons SET usage_limit = 2")
    with refused("KI023"):
        apply(command, user, "ONCE")


def test_a_first_order_coupon(owner: Connection, command: Connection) -> None:
    user, variant = make_user(owner), make_product(owner, stock=50)
    make_offer(owner, "FIRST", TENTH, first_order_only=True)
    make_order(owner, (variant, 1), user_id=user)
    assert apply(command, user, "FIRST")["discount_total"] == 1_000, "an unpaid order is not the first one yet"
    owner.execute("UPDATE store.orders SET status = 'delivered'")
    with refused("KI021") as refusal:
        apply(command, user, "FIRST")
    assert refusal.detail["reason"] == "first_order_only"


def test_a_guest_may_have_one(owner: Connection, command: Connection) -> None:
    token, variant = os.urandom(32), make_product(owner, stock=5)
    make_offer(owner, "FIRST", TENTH, first_order_only=True, per_user_limit=1)
    call(command, "add_to_cart", p_guest_token_hash=token, p_sku=variant.sku, p_quantity=1)
    assert call(command, "apply_coupon", p_guest_token_hash=token, p_code="FIRST")["discount_total"] == 1_000


def test_cart_and_version(owner: Connection, command: Connection, user: UUID) -> None:
    make_offer(owner, "SAVE", TENTH)
    stranger = make_user(owner)
    for procedure in ("apply_coupon", "remove_coupon"):
        with refused("KI010"):
            call(command, procedure, p_user_id=stranger, p_code="SAVE")
        with refused("KI016"):
            call(command, procedure, p_user_id=user, p_code="SAVE", p_expected_version=99)
    variant = make_product(owner, stock=5)
    add(command, stranger, variant)
    call(command, "clear_cart", p_user_id=stranger)
    with refused("KI011"):
        apply(command, stranger, "SAVE")


def test_taking_one_off_or_all(owner: Connection, command: Connection, user: UUID) -> None:
    make_offer(owner, "ONE", TENTH)
    make_offer(owner, "TWO", HUNDRED)
    apply(command, user, "ONE")
    version = apply(command, user, "TWO")["version"]
    cart = call(command, "remove_coupon", p_user_id=user, p_code=" one ", p_expected_version=version)
    assert ([c["code"] for c in cart["coupons"]], cart["discount_total"]) == (["TWO"], 10_000)
    with refused("KI020"):
        call(command, "remove_coupon", p_user_id=user, p_code="ONE")
    apply(command, user, "ONE")
    bare = call(command, "remove_coupon", p_user_id=user)
    assert (bare["coupons"], bare["discount_total"]) == ([], 0)
    assert call(command, "remove_coupon", p_user_id=user)["version"] == bare["version"]
    assert one(owner, "SELECT sum(discount_amount) FROM store.cart_items") == 0
