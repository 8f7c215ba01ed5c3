"""Checkout (create_order, with prepare_checkout, place_order and replace_pending_order)."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import (
    assert_books_balance,
    call,
    checkout,
    expire_hold,
    idempotent,
    make_address,
    make_cart,
    make_coupon,
    make_order,
    make_product,
    make_user,
    one,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]


@pytest.fixture
def user(owner: Connection) -> UUID:
    return make_user(owner)


@pytest.fixture
def address(owner: Connection, user: UUID) -> UUID:
    return make_address(owner, user)


def orders(owner: Connection) -> list[tuple[Any, ...]]:
    return rows(owner, "SELECT status, cancel_reason FROM store.orders ORDER BY id")


def outbox(owner: Connection) -> list[str]:
    return [name for (name,) in rows(owner, "SELECT type FROM store.outbox ORDER BY position")]


def test_a_prepaid_checkout_holds_stock_price_and_coupon_on_one_expiry(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    variant = make_product(owner, price=10_000, stock=5)
    make_coupon(owner, "TEN", usage_limit=3)
    cart = make_cart(owner, user, (variant, 3))
    call(owner, "apply_coupon", p_user_id=user, p_code="TEN")
    order = checkout(command, user, address, p_note="ring twice")
    assert (order["status"], order["payment_status"], order["created"]) == ("pending_payment", "unpaid", True)
    assert (order["subtotal"], order["discount_total"], order["shipping_total"]) == (30_000, 3_000, 4_900)
    assert order["grand_total"] == 31_900
    assert order["note"] == "ring twice"
    assert order["shipping_address"]["id"] == str(address)
    assert [(item["sku"], item["quantity"], item["net_amount"]) for item in order["items"]] == [
        (variant.sku, 3, 27_000)
    ]
    held = rows(owner, "SELECT quantity, status, expires_at FROM store.inventory_reservations")
    expires = one(owner, "SELECT hold_expires_at FROM store.orders")
    assert held == [(3, "held", expires)]
    assert one(owner, "SELECT extract(epoch FROM hold_expires_at - created_at)::int FROM store.orders") == 900
    assert rows(owner, "SELECT status, discount_amount FROM store.coupon_usage") == [("claimed", 3_000)]
    assert rows(owner, "SELECT id, status FROM store.carts") == [(cart, "open")], "the cart stays open until it is paid"
    assert outbox(owner) == ["inventory.locked", "order.created"]
    assert order["position"] == one(owner, "SELECT max(position) FROM store.outbox")
    assert rows(owner, "SELECT type, from_status, to_status, actor_kind, actor_id FROM store.order_events") == [
        ("order.created", None, "pending_payment", "customer", user)
    ]
    assert_books_balance(owner)


def test_cash_on_delivery_is_confirmed_at_once(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    variant = make_product(owner, stock=5)
    make_coupon(owner, "TEN")
    make_cart(owner, user, (variant, 2))
    call(owner, "apply_coupon", p_user_id=user, p_code="TEN")
    order = checkout(command, user, address, method="cod")
    assert (order["status"], order["payment_status"]) == ("confirmed", "unpaid")
    assert rows(owner, "SELECT on_hand, reserved FROM store.inventory") == [(3, 0)]
    assert rows(owner, "SELECT method, provider, status, amount FROM store.payments") == [
        ("cod", "cod", "pending_collection", order["grand_total"])
    ]
    assert one(owner, "SELECT status FROM store.coupon_usage") == "used"
    assert one(owner, "SELECT status FROM store.carts") == "ordered"
    assert outbox(owner) == ["inventory.locked", "order.created", "inventory.decreased", "order.confirmed"]
    assert_books_balance(owner)


@pytest.mark.parametrize("method", ["prepaid", "cod"])
def test_an_order_that_costs_nothing_is_paid_already(
    owner: Connection, command: Connection, user: UUID, address: UUID, method: str
) -> None:
    variant = make_product(owner, price=60_000, stock=5)
    make_coupon(owner, "ALL", percent_bp=10_000)
    owner.execute("UPDATE store.shipping_rules SET charge = 0")
    make_cart(owner, user, (variant, 1))
    call(owner, "apply_coupon", p_user_id=user, p_code="ALL")
    order = checkout(command, user, address, method=method)
    assert (order["grand_total"], order["status"], order["payment_status"]) == (0, "confirmed", "paid")
    assert one(owner, "SELECT count(*) FROM store.payments") == 0
    assert_books_balance(owner)


def test_the_same_cart_has_one_unpaid_order(owner: Connection, command: Connection, user: UUID, address: UUID) -> None:
    """Also when the first checkout took the last units: one's own hold is no reason to be refused."""
    make_cart(owner, user, (make_product(owner, stock=3), 3))
    first = checkout(command, user, address)
    again = checkout(command, user, address, p_expected_total=first["grand_total"])
    assert (again["id"], again["created"]) == (first["id"], False)
    assert orders(owner) == [("pending_payment", None)]
    assert_books_balance(owner)


def test_a_changed_cart_address_or_method_replaces_the_unpaid_order(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    variant = make_product(owner, stock=3)
    make_coupon(owner, "ONCE", usage_limit=1, per_user_limit=1)
    make_cart(owner, user, (variant, 3))
    call(owner, "apply_coupon", p_user_id=user, p_code="ONCE")
    numbers = [checkout(command, user, address)["number"]]
    numbers.append(checkout(command, user, make_address(owner, user, state_code="MH"))["number"])
    make_cart(owner, user, (variant, 2))
    numbers.append(checkout(command, user, address)["number"])
    numbers.append(checkout(command, user, address, method="cod")["number"])
    assert len(set(numbers)) == 4
    assert orders(owner) == [("cancelled", "replaced")] * 3 + [("confirmed", None)]
    assert rows(owner, "SELECT status FROM store.coupon_usage ORDER BY id")[0] == ("released",)
    assert_books_balance(owner)


def test_open_attempts_of_a_replaced_order_are_cancelled(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    variant = make_product(owner, stock=9)
    make_cart(owner, user, (variant, 3))
    first = checkout(command, user, address)
    call(
        command,
        "register_payment_attempt",
        p_user_id=user,
        p_order_id=first["id"],
        p_method="upi",
        p_provider="sandbox",
        **idempotent(),
    )
    make_cart(owner, user, (variant, 1))
    checkout(command, user, address)
    assert rows(owner, "SELECT status FROM store.payments") == [("cancelled",)]


def test_an_unswept_expired_order_gives_way_as_expired(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    make_cart(owner, user, (make_product(owner, stock=3), 3))
    first = checkout(command, user, address)
    expire_hold(owner, first["id"])
    second = checkout(command, user, address)
    assert second["id"] != first["id"]
    assert orders(owner) == [("expired", None), ("pending_payment", None)]
    assert_books_balance(owner)


def test_the_same_key_is_one_order_and_another_body_is_refused(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    make_cart(owner, user, (make_product(owner, stock=9), 1))
    key = idempotent("body")
    first = checkout(command, user, address, **key)
    events = one(owner, "SELECT count(*) FROM store.order_events")
    assert checkout(command, user, address, **key) == first | {"replayed": True}
    assert one(owner, "SELECT count(*) FROM store.order_events") == events
    with refused("KI080"):
        checkout(command, user, address, **idempotent("other", key=key["p_idempotency_key"]))


def test_sold_out_names_each_short_sku_and_changes_nothing(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    plenty, short, gone = make_product(owner, stock=9), make_product(owner, stock=2), make_product(owner)
    make_cart(owner, user, (plenty, 1), (short, 3), (gone, 1))
    with refused("KI001") as refusal:
        checkout(command, user, address)
    assert sorted(refusal.detail["lines"], key=str) == sorted(
        [
            {"sku": short.sku, "wanted": 3, "available": 2},
            {"sku": gone.sku, "wanted": 1, "available": 0},
        ],
        key=str,
    )
    assert orders(owner) == []
    assert outbox(owner) == []


def test_a_refused_checkout_leaves_the_old_hold_as_it_was(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    variant = make_product(owner, stock=3)
    make_cart(owner, user, (variant, 2))
    checkout(command, user, address)
    make_cart(owner, user, (variant, 4))
    with refused("KI001"):
        checkout(command, user, address)
    assert orders(owner) == [("pending_payment", None)]
    assert one(owner, "SELECT reserved FROM store.inventory") == 2
    assert_books_balance(owner)


def test_a_price_that_changed_is_shown_before_it_is_charged(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    variant = make_product(owner, price=10_000, mrp=20_000, stock=3)
    make_cart(owner, user, (variant, 1))
    owner.execute("UPDATE store.product_variants SET price = 12000")
    with refused("KI012") as refusal:
        checkout(command, user, address)
    assert refusal.detail["problems"][0]["kind"] == "price_changed"
    shown = call(command, "validate_cart_before_checkout", p_user_id=user, p_address_id=address)
    order = checkout(command, user, address, p_expected_total=shown["grand_total"], p_cart_version=shown["version"])
    assert order["subtotal"] == 12_000


def test_another_total_or_version_than_the_shopper_saw(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    make_cart(owner, user, (make_product(owner, price=10_000, stock=3), 1))
    with refused("KI012") as refusal:
        checkout(command, user, address, p_expected_total=14_899)
    assert (refusal.detail["expected_total"], refusal.detail["grand_total"]) == (14_899, 14_900)
    with refused("KI012") as refusal:
        checkout(command, user, address, p_cart_version=7)
    assert refusal.detail == {"version": 1}
    assert checkout(command, user, address, p_expected_total=14_900, p_cart_version=1)["grand_total"] == 14_900


def test_who_may_not_check_out(owner: Connection, command: Connection) -> None:
    with refused("KI066"):
        checkout(command, UUID(int=0), UUID(int=0))
    blocked = make_user(owner, status="blocked")
    with refused("KI065"):
        checkout(command, blocked, make_address(owner, blocked))


def test_what_a_checkout_needs(owner: Connection, command: Connection, user: UUID, address: UUID) -> None:
    with refused("KI010"):
        checkout(command, user, address)
    make_cart(owner, user)
    with refused("KI011"):
        checkout(command, user, address)
    variant = make_product(owner, stock=3)
    make_cart(owner, user, (variant, 1))
    with refused("KI033"):
        checkout(command, user, make_address(owner, make_user(owner)))
    gone = make_address(owner, user)
    owner.execute("UPDATE store.addresses SET is_active = false WHERE id = %s", (gone,))
    with refused("KI033"):
        checkout(command, user, gone)
    with refused("KI035"):
        checkout(command, user, address, method="barter")
    owner.execute("UPDATE store.shipping_rules SET is_serviceable = false")
    with refused("KI034"):
        checkout(command, user, address)
    owner.execute("UPDATE store.shipping_rules SET is_serviceable = true")
    owner.execute("UPDATE store.products SET status = 'archived' WHERE id = %s", (variant.product_id,))
    with refused("KI012"):
        checkout(command, user, address)
    assert orders(owner) == []


def test_where_cash_is_taken(owner: Connection, command: Connection, user: UUID, address: UUID) -> None:
    make_cart(owner, user, (make_product(owner, price=60_000, stock=3), 1))
    owner.execute("UPDATE store.store_settings SET cod_max_total = 59999")
    with refused("KI035") as refusal:
        checkout(command, user, address, method="cod")
    assert refusal.detail["limit"] == 59_999
    owner.execute("UPDATE store.store_settings SET cod_max_total = 60000")
    owner.execute(
        "INSERT INTO store.shipping_rules (name, priority, pincode_prefix, charge, cod_allowed)"
        " VALUES ('Far away', 1, '5600', 0, false)"
    )
    with refused("KI035"):
        checkout(command, user, address, method="cod")
    assert checkout(command, user, make_address(owner, user, pincode="110001"), method="cod")["status"] == "confirmed"


def test_the_last_use_of_a_coupon_goes_to_one(
    owner: Connection, command: Connection, user: UUID, address: UUID
) -> None:
    variant = make_product(owner, stock=9)
    make_coupon(owner, "ONE", usage_limit=1)
    other = make_user(owner)
    for shopper in (user, other):
        make_cart(owner, shopper, (variant, 1))
        call(owner, "apply_coupon", p_user_id=shopper, p_code="ONE")
    checkout(command, user, address)
    with refused("KI012") as refusal:
        checkout(command, other)
    assert refusal.detail["problems"][0]["kind"] == "coupon_inapplicable"
    assert one(owner, "SELECT used_count FROM store.coupons") == 1
    assert_books_balance(owner)


def test_twenty_lines_in_one_order(owner: Connection, command: Connection, user: UUID, address: UUID) -> None:
    variants = [make_product(owner, stock=10, buckets=2) for _ in range(20)]
    make_cart(owner, user, *((variant, 6) for variant in variants))
    order = checkout(command, user, address)
    assert len(order["items"]) == 20
    assert one(owner, "SELECT sum(quantity) FROM store.inventory_reservations WHERE status = 'held'") == 120
    assert outbox(owner).count("inventory.locked") == 20
    assert_books_balance(owner)


def test_the_trace_goes_through_to_the_outbox(owner: Connection, command: Connection) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    shopper = make_user(owner)
    make_cart(owner, shopper, (make_product(owner, stock=1), 1))
    checkout(command, shopper, method="cod", p_context={"traceparent": trace})
    assert rows(owner, "SELECT DISTINCT traceparent FROM store.outbox") == [(trace,)]


def test_orders_are_numbered(owner: Connection, command: Connection) -> None:
    variant = make_product(owner, stock=9)
    first, second = make_order(owner, (variant, 1)), make_order(owner, (variant, 1))
    assert int(second["number"].removeprefix("KR")) == int(first["number"].removeprefix("KR")) + 1
