"""Calls of every procedure that the API, the worker or the command line makes, each in a store where it has work to do.

A scenario prepares rows as the owner and gives back the CALL to make: a procedure's name and its arguments. What a
procedure does besides (replacing, merging, restocking …) has a scenario of its own, so that together they reach every
procedure of the folder; a test holds them to that.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.builders import (
    Connection,
    call,
    expire_hold,
    idempotent,
    make_address,
    make_cart,
    make_category,
    make_coupon,
    make_order,
    make_product,
    make_staff,
    make_user,
    make_warehouse,
)
from tests.support.paying import begin, deliver, discounted_order, give_back, paid_order
from tests.support.staff_catalog import SHIRT, save_shirt

Arguments = dict[str, Any]
Prepare = Callable[[Connection], Arguments]


@dataclass(frozen=True)
class Scenario:
    """One CALL: of ``procedure``, with what ``prepare`` gives."""

    procedure: str
    name: str
    prepare: Prepare


SCENARIOS: list[Scenario] = []


def scenario(procedure: str) -> Callable[[Prepare], Prepare]:
    """Add the function to the scenarios, as a CALL of this procedure."""

    def added(prepare: Prepare) -> Prepare:
        SCENARIOS.append(Scenario(procedure, prepare.__name__, prepare))
        return prepare

    return added


PHONE = "+919812345678"


def digest(text: str) -> bytes:
    """What stands for a token or a code in the database."""
    return hashlib.sha256(text.encode()).digest()


def send_code(connection: Connection, code: str = "123456") -> None:
    """A code on its way to PHONE."""
    call(connection, "send_otp", p_phone=PHONE, p_purpose="login", p_code_hash=digest(code), p_ip="203.0.113.9")


def proof(code: str = "123456", token: str = "first") -> Arguments:
    """What verify_otp takes."""
    return {
        "p_phone": PHONE,
        "p_purpose": "login",
        "p_code_hash": digest(code),
        "p_refresh_token_hash": digest(token),
        "p_user_agent": "test",
    }


# -- who somebody is


@scenario("send_otp")
def a_second_code(connection: Connection) -> Arguments:
    send_code(connection)
    connection.execute("UPDATE store.otp_verifications SET created_at = now() - interval '5 minutes'")
    return {"p_phone": PHONE, "p_purpose": "login", "p_code_hash": digest("654321"), "p_ip": "203.0.113.9"}


@scenario("verify_otp")
def a_guest_logs_in(connection: Connection) -> Arguments:
    user = make_user(connection, phone=PHONE)
    toy, book = make_product(connection, stock=5), make_product(connection, stock=5)
    make_cart(connection, user, (toy, 1))
    for variant in (toy, book):
        call(connection, "add_to_cart", p_guest_token_hash=digest("guest"), p_sku=variant.sku, p_quantity=2)
    send_code(connection)
    return proof() | {"p_guest_token_hash": digest("guest")}


@scenario("verify_otp")
def a_wrong_code(connection: Connection) -> Arguments:
    send_code(connection)
    return proof("000000")


@scenario("refresh_session")
def a_refresh(connection: Connection) -> Arguments:
    send_code(connection)
    call(connection, "verify_otp", **proof())
    return {"p_refresh_token_hash": digest("first"), "p_new_refresh_token_hash": digest("second")}


@scenario("refresh_session")
def a_token_used_twice(connection: Connection) -> Arguments:
    again = a_refresh(connection)
    call(connection, "refresh_session", **again)
    return again | {"p_new_refresh_token_hash": digest("third")}


@scenario("revoke_session")
def a_logout_everywhere(connection: Connection) -> Arguments:
    send_code(connection)
    return {"p_user_id": call(connection, "verify_otp", **proof())["user_id"]}


# -- carts and coupons


@scenario("add_to_cart")
def the_first_line(connection: Connection) -> Arguments:
    return {"p_user_id": make_user(connection), "p_sku": make_product(connection, stock=3).sku, "p_quantity": 2}


@scenario("update_cart_quantity")
def another_quantity(connection: Connection) -> Arguments:
    user, toy = make_user(connection), make_product(connection, stock=9)
    make_cart(connection, user, (toy, 1), (make_product(connection, stock=9), 1))
    return {"p_user_id": user, "p_sku": toy.sku, "p_quantity": 4}


@scenario("clear_cart")
def an_emptied_cart(connection: Connection) -> Arguments:
    user = make_user(connection)
    make_cart(connection, user, (make_product(connection, stock=9), 1))
    return {"p_user_id": user}


@scenario("apply_coupon")
def a_coupon(connection: Connection) -> Arguments:
    user = make_user(connection)
    make_cart(connection, user, (make_product(connection, stock=9), 2), (make_product(connection, stock=9), 1))
    make_coupon(connection, "TEN")
    return {"p_user_id": user, "p_code": "TEN"}


@scenario("remove_coupon")
def a_coupon_taken_off(connection: Connection) -> Arguments:
    applied = a_coupon(connection)
    call(connection, "apply_coupon", **applied)
    return applied


@scenario("validate_cart_before_checkout")
def a_cart_checked(connection: Connection) -> Arguments:
    user = make_user(connection)
    make_cart(connection, user, (make_product(connection, stock=9), 2))
    return {"p_user_id": user, "p_address_id": make_address(connection, user)}


# -- checkout and orders


def shopper_with_coupon(connection: Connection, buckets: int = 1) -> Arguments:
    """What create_order takes, of a cart of three lines with a limited coupon."""
    user = make_user(connection)
    lines = [(make_product(connection, stock=8, buckets=buckets), quantity) for quantity in (1, 2, 5)]
    make_cart(connection, user, *lines)
    make_coupon(connection, "TEN", usage_limit=5, per_user_limit=2)
    call(connection, "apply_coupon", p_user_id=user, p_code="TEN")
    address = make_address(connection, user)
    return {"p_user_id": user, **idempotent(user), "p_address_id": address, "p_payment_method": "prepaid"}


@scenario("create_order")
def a_checkout(connection: Connection) -> Arguments:
    return shopper_with_coupon(connection)


@scenario("create_order")
def a_checkout_from_many_buckets(connection: Connection) -> Arguments:
    return shopper_with_coupon(connection, buckets=4)


@scenario("create_order")
def a_cash_order(connection: Connection) -> Arguments:
    return shopper_with_coupon(connection) | {"p_payment_method": "cod"}


@scenario("create_order")
def a_second_checkout(connection: Connection) -> Arguments:
    first = shopper_with_coupon(connection)
    order = call(connection, "create_order", **first)
    begin(connection, order | {"user_id": str(first["p_user_id"])})
    call(
        connection,
        "add_to_cart",
        p_user_id=first["p_user_id"],
        p_sku=make_product(connection, stock=3).sku,
        p_quantity=1,
    )
    return first | idempotent("second")


@scenario("cancel_order")
def a_cancelled_checkout(connection: Connection) -> Arguments:
    order = discounted_order(connection, (make_product(connection, stock=3), 2))
    return {"p_actor_id": order["user_id"], "p_as_staff": False, "p_order_id": order["id"], "p_reason": "changed"} | (
        idempotent("cancel")
    )


@scenario("cancel_order")
def a_cancelled_paid_order(connection: Connection) -> Arguments:
    order = paid_order(connection)
    return {"p_actor_id": order["user_id"], "p_as_staff": False, "p_order_id": order["id"], "p_reason": "changed"} | (
        idempotent("cancel")
    )


def step(connection: Connection, order: Arguments, status: str, **detail: object) -> Arguments:
    """What update_order_status takes."""
    return {
        "p_staff_id": make_staff(connection, "orders"),
        **idempotent(status),
        "p_order_id": order["id"],
        "p_to_status": status,
        "p_detail": detail,
    }


@scenario("update_order_status")
def a_packed_order(connection: Connection) -> Arguments:
    return step(connection, paid_order(connection), "packed")


@scenario("update_order_status")
def a_cash_order_delivered(connection: Connection) -> Arguments:
    order = make_order(connection, (make_product(connection, stock=3), 2), method="cod")
    for status in ("packed", "shipped"):
        call(connection, "update_order_status", **step(connection, order, status))
    return step(connection, order, "delivered")


@scenario("update_order_status")
def a_paid_order_come_back(connection: Connection) -> Arguments:
    order = paid_order(connection)
    for status in ("packed", "shipped"):
        call(connection, "update_order_status", **step(connection, order, status))
    return step(connection, order, "returned_to_origin", restock=True)


@scenario("expire_orders")
def an_expired_order(connection: Connection) -> Arguments:
    order = discounted_order(connection, (make_product(connection, stock=3), 2))
    begin(connection, order)
    expire_hold(connection, order["id"])
    return {}


# -- payments


@scenario("register_payment_attempt")
def another_attempt(connection: Connection) -> Arguments:
    order = make_order(connection, (make_product(connection, stock=3), 2))
    begin(connection, order)
    return {"p_user_id": order["user_id"], "p_order_id": order["id"], "p_method": "card", "p_provider": "sandbox"} | (
        idempotent("second")
    )


def shown(payment: Arguments, order: Arguments) -> Arguments:
    """What verify_payment takes of an honest shopper."""
    return {
        "p_user_id": order["user_id"],
        **idempotent("shown"),
        "p_payment_id": payment["id"],
        "p_provider_payment_id": "pay_shown",
        "p_amount": payment["amount"],
        "p_currency": "INR",
        "p_signed_by": ["sandbox"],
    }


@scenario("verify_payment")
def a_payment_shown(connection: Connection) -> Arguments:
    order = discounted_order(connection, (make_product(connection, stock=3), 2))
    return shown(begin(connection, order), order)


@scenario("verify_payment")
def a_forged_payment(connection: Connection) -> Arguments:
    order = make_order(connection, (make_product(connection, stock=3), 2))
    return shown(begin(connection, order), order) | {"p_signed_by": []}


def told(payment: Arguments, event: str = "payment.captured", **more: object) -> Arguments:
    """What payment_webhook takes."""
    return {
        "p_provider": "sandbox",
        "p_event_id": "evt_1",
        "p_event_type": event,
        "p_payment_id": payment["id"],
        "p_refund_id": None,
        "p_provider_payment_id": "pay_told",
        "p_provider_refund_id": None,
        "p_amount": payment["amount"],
        "p_currency": "INR",
        "p_payload": {"body": "{}"},
    } | more


@scenario("payment_webhook")
def a_captured_payment(connection: Connection) -> Arguments:
    return told(begin(connection, make_order(connection, (make_product(connection, stock=3), 2))))


@scenario("payment_webhook")
def a_payment_of_another_amount(connection: Connection) -> Arguments:
    payment = begin(connection, make_order(connection, (make_product(connection, stock=3), 2)))
    return told(payment, p_amount=payment["amount"] - 1)


@scenario("payment_webhook")
def a_failed_payment(connection: Connection) -> Arguments:
    payment = begin(connection, make_order(connection, (make_product(connection, stock=3), 2)))
    return told(payment, "payment.failed")


@scenario("payment_webhook")
def a_late_payment(connection: Connection) -> Arguments:
    order = discounted_order(connection, (make_product(connection, stock=3), 2))
    payment = begin(connection, order)
    expire_hold(connection, order["id"])
    call(connection, "expire_orders")
    return told(payment)


@scenario("payment_webhook")
def a_late_payment_of_what_is_gone(connection: Connection) -> Arguments:
    toy = make_product(connection, stock=2)
    order = make_order(connection, (toy, 2))
    payment = begin(connection, order)
    expire_hold(connection, order["id"])
    call(connection, "expire_orders")
    make_order(connection, (toy, 2))
    return told(payment)


# -- refunds


def owed(connection: Connection) -> Arguments:
    """A refund of one of three delivered units."""
    order = paid_order(connection, delivered=True)
    line = {"order_item_id": order["items"][0]["id"], "quantity": 1, "restock": False}
    return give_back(connection, order, make_staff(connection, "support"), p_lines=[line], p_shipping_amount=0)


@scenario("initiate_refund")
def a_return_back_on_the_shelf(connection: Connection) -> Arguments:
    order = paid_order(connection, delivered=True)
    line = {"order_item_id": order["items"][0]["id"], "quantity": 2, "restock": True}
    wish = {"p_actor_id": make_staff(connection, "support"), "p_as_staff": True, "p_order_id": order["id"]}
    return wish | {"p_kind": "return", "p_reason": "torn", "p_lines": [line], "p_shipping_amount": 0} | idempotent("r")


@scenario("initiate_refund")
def a_goodwill_refund(connection: Connection) -> Arguments:
    order = paid_order(connection)
    wish = {"p_actor_id": make_staff(connection, "support"), "p_as_staff": True, "p_order_id": order["id"]}
    return wish | {"p_kind": "goodwill", "p_reason": "sorry", "p_amount": 100} | idempotent("g")


@scenario("submit_refunds")
def a_refund_to_send(connection: Connection) -> Arguments:
    owed(connection)
    return {}


@scenario("mark_refund_submitted")
def a_refund_sent(connection: Connection) -> Arguments:
    refund = owed(connection)
    call(connection, "submit_refunds")
    return {"p_refund_id": refund["id"], "p_provider_refund_id": "rfnd_1"}


def refund_told(connection: Connection, event: str) -> Arguments:
    """What payment_webhook takes of a refund."""
    refund = owed(connection)
    payment = {"id": refund["payment_id"], "amount": refund["amount"]}
    refund_ids = {"p_refund_id": refund["id"], "p_provider_payment_id": None, "p_provider_refund_id": "rfnd_1"}
    return told(payment, event, **refund_ids)


@scenario("payment_webhook")
def a_refund_that_arrived(connection: Connection) -> Arguments:
    return refund_told(connection, "refund.processed")


@scenario("payment_webhook")
def a_refund_that_failed(connection: Connection) -> Arguments:
    return refund_told(connection, "refund.failed")


@scenario("settle_refund")
def a_refund_settled(connection: Connection) -> Arguments:
    refund = owed(connection)
    return {
        "p_refund_id": refund["id"],
        "p_succeeded": True,
        "p_provider_refund_id": "rfnd_1",
        "p_amount": refund["amount"],
        "p_failure_code": None,
    }


@scenario("retry_refund")
def a_refund_tried_again(connection: Connection) -> Arguments:
    failed = refund_told(connection, "refund.failed")
    call(connection, "payment_webhook", **failed)
    staff = make_staff(connection, "finance")
    return {"p_staff_id": staff, "p_refund_id": failed["p_refund_id"], **idempotent("again")}


@scenario("settle_refund_by_staff")
def a_refund_paid_by_hand(connection: Connection) -> Arguments:
    order = make_order(connection, (make_product(connection, stock=3), 2), method="cod")
    deliver(connection, order)
    refund = give_back(connection, order, make_staff(connection, "support"), p_shipping_amount=0)
    staff = make_staff(connection, "finance")
    return {"p_staff_id": staff, "p_refund_id": refund["id"], "p_reference": "UTR1", **idempotent("paid")}


# -- stock


def stocked(connection: Connection, **more: object) -> Arguments:
    """What the stock procedures take of staff, for a SKU of ten units in BLR."""
    toy = make_product(connection, stock=10, buckets=2)
    place = {"p_sku": toy.sku, "p_warehouse_code": "BLR"}
    return {"p_staff_id": make_staff(connection, "inventory"), **idempotent("stock"), **place} | more


@scenario("increase_inventory")
def a_delivery(connection: Connection) -> Arguments:
    return stocked(connection, p_quantity=5, p_reference="PO-1")


@scenario("adjust_inventory")
def a_correction(connection: Connection) -> Arguments:
    return stocked(connection, p_quantity_delta=-3, p_reason="lost")


@scenario("adjust_inventory")
def a_count(connection: Connection) -> Arguments:
    return stocked(connection, p_counted_quantity=7, p_expected_quantity=10, p_kind="count", p_reason="counted")


@scenario("set_inventory_buckets")
def more_buckets(connection: Connection) -> Arguments:
    toy = make_product(connection, stock=10)
    return {"p_staff_id": make_staff(connection, "inventory"), "p_sku": toy.sku, "p_bucket_count": 4}


@scenario("receive_opening_stock")
def opening_stock(connection: Connection) -> Arguments:
    make_warehouse(connection)
    items = [{"sku": make_product(connection).sku, "quantity": 4} for _ in range(2)]
    return {"p_staff_id": make_staff(connection, "inventory"), "p_warehouse_code": "BLR", "p_items": items}


# -- catalog and settings


def by_staff(connection: Connection, role: str = "owner") -> Arguments:
    """The member of staff who makes the call."""
    return {"p_staff_id": make_staff(connection, role)}


@scenario("save_product")
def a_changed_product(connection: Connection) -> Arguments:
    staff = by_staff(connection)
    saved = save_shirt(connection, staff["p_staff_id"])
    first, second = SHIRT["variants"]
    third = second | {"sku": "SHIRT-S", "option_values": ["S"]}
    changed = SHIRT | {"title": "Shirt", "variants": [first | {"price": 69900}, second, third]}
    return staff | {"p_slug": "shirt", "p_definition": changed, "p_expected_version": saved["version"]}


@scenario("import_products")
def an_import(connection: Connection) -> Arguments:
    variant = SHIRT["variants"][0]
    products = [
        {"slug": f"shirt-{n}", "definition": SHIRT | {"images": [], "variants": [variant | {"sku": f"S{n}"}]}}
        for n in range(2)
    ]
    return by_staff(connection) | {"p_products": products}


@scenario("set_product_status")
def a_product_taken_off(connection: Connection) -> Arguments:
    staff = by_staff(connection)
    saved = save_shirt(connection, staff["p_staff_id"])
    return staff | {"p_slug": "shirt", "p_status": "archived", "p_expected_version": saved["version"]}


@scenario("set_price")
def a_price(connection: Connection) -> Arguments:
    toy = make_product(connection, stock=1)
    return by_staff(connection) | {"p_sku": toy.sku, "p_price": toy.price - 100, **idempotent("price")}


@scenario("apply_due_prices")
def a_price_come_due(connection: Connection) -> Arguments:
    toy = make_product(connection, stock=1)
    later = datetime.now(UTC) + timedelta(hours=1)
    wish = {"p_sku": toy.sku, "p_price": toy.price - 100, "p_effective_from": later}
    call(connection, "set_price", **by_staff(connection), **wish, **idempotent("price"))
    connection.execute("UPDATE store.price_changes SET effective_from = now() WHERE status = 'scheduled'")
    return {}


@scenario("save_category")
def a_moved_category(connection: Connection) -> Arguments:
    toys, old = make_category(connection, "toys"), make_category(connection, "old")
    blocks = make_category(connection, "blocks", parent_id=old)
    make_product(connection, stock=1, category_id=blocks)
    definition = {"name": "Blocks", "parent": "toys", "position": 1, "is_active": True}
    assert toys
    return by_staff(connection) | {"p_slug": "blocks", "p_definition": definition, "p_expected_version": 1}


@scenario("save_brand")
def a_brand(connection: Connection) -> Arguments:
    return by_staff(connection) | {"p_slug": "chalo", "p_definition": {"name": "Chalo", "is_active": True}}


@scenario("save_warehouse")
def a_warehouse(connection: Connection) -> Arguments:
    definition = {"name": "Delhi", "state_code": "DL", "pincode": "110001", "priority": 5, "is_active": True}
    return by_staff(connection) | {"p_code": "DEL", "p_definition": definition}


@scenario("save_shipping_rule")
def a_shipping_rule(connection: Connection) -> Arguments:
    return by_staff(connection) | {"p_name": "North", "p_definition": {"priority": 5, "charge": 9900}}


@scenario("save_coupon")
def a_coupon_for_some(connection: Connection) -> Arguments:
    toy = make_product(connection, stock=1)
    slug = connection.execute("SELECT slug FROM store.products WHERE id = %s", (toy.product_id,)).fetchone()
    assert slug
    starts = {"starts_at": "2026-01-01T00:00:00Z"}
    definition = {"name": "Some", "kind": "percent", "percent_bp": 500, "scope": "products", "products": [slug[0]]}
    return by_staff(connection) | {"p_code": "SOME", "p_definition": definition | starts}


@scenario("grant_staff_role")
def a_role(connection: Connection) -> Arguments:
    return {"p_granted_by": make_staff(connection), "p_phone": PHONE, "p_role": "support"}


@scenario("purge_expired_records")
def old_records(connection: Connection) -> Arguments:
    send_code(connection)
    call(connection, "verify_otp", **proof())
    checkout_once = shopper_with_coupon(connection)
    call(connection, "create_order", **checkout_once)
    connection.execute(
        "UPDATE store.otp_verifications SET created_at = now() - interval '9 days',"
        " expires_at = now() - interval '9 days'"
    )
    connection.execute("UPDATE store.sessions SET expires_at = now() - interval '1 day'")
    connection.execute("UPDATE store.idempotency_keys SET expires_at = now() - interval '1 day'")
    return {}
