"""Rows for tests, made by SQL or by CALL: users, staff, products, stock, carts, orders.

Every builder takes an autocommit connection as the owner. Amounts are paise.
"""

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from psycopg.types.json import Jsonb

from app.core.http import request_hash
from tests.support.books import assert_books_balance

__all__ = [
    "Refusal",
    "Variant",
    "assert_books_balance",
    "call",
    "checkout",
    "expire_hold",
    "idempotent",
    "make_address",
    "make_bare_order",
    "make_cart",
    "make_category",
    "make_coupon",
    "make_order",
    "make_product",
    "make_staff",
    "make_stock",
    "make_user",
    "make_warehouse",
    "one",
    "pay_order",
    "refused",
    "rows",
]

Connection = psycopg.Connection[Any]
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Variant:
    """A SKU on sale."""

    id: UUID
    product_id: UUID
    sku: str
    price: int
    mrp: int


@dataclass
class Refusal:
    """What a procedure refused with, filled in when the block of ``refused`` ends."""

    message: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def one(connection: Connection, query: str, *parameters: object) -> Any:
    """The first column of the first row; None when there is no row."""
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def rows(connection: Connection, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """All rows."""
    return connection.execute(query, parameters).fetchall()


def call(connection: Connection, name: str, **parameters: object) -> dict[str, Any]:
    """CALL ``store.<name>`` by named arguments; its o_result. Dicts and lists of dicts go as jsonb."""
    values = {key: Jsonb(value) if _is_json(value) else value for key, value in parameters.items()}
    named = "".join(f"{key} => %({key})s, " for key in values)
    result = one_of(connection, f"CALL store.{name}({named}o_result => NULL)", values)
    return result or {}


def one_of(connection: Connection, query: str, parameters: dict[str, Any]) -> Any:
    """Like ``one``, with named parameters."""
    row = connection.execute(query, parameters).fetchone()  # type: ignore[call-overload]
    return None if row is None else row[0]


def _is_json(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


@contextmanager
def refused(sqlstate: str) -> Iterator[Refusal]:
    """The block must be refused with this SQLSTATE; gives its message and DETAIL."""
    refusal = Refusal()
    with pytest.raises(psycopg.Error) as caught:
        yield refusal
    assert caught.value.sqlstate == sqlstate, f"refused with {caught.value.sqlstate}: {caught.value}"
    refusal.message = caught.value.diag.message_primary or ""
    refusal.detail = orjson.loads(caught.value.diag.message_detail or "{}")


def idempotent(*parts: object, key: str | None = None) -> dict[str, Any]:
    """``p_idempotency_key`` and ``p_request_hash``; a fresh key unless one is given."""
    return {"p_idempotency_key": key or uuid.uuid4().hex, "p_request_hash": request_hash(*parts)}


def make_user(connection: Connection, *, phone: str | None = None, status: str = "active") -> UUID:
    """A shopper with a phone of their own."""
    number = phone or f"+9198{uuid.uuid4().int % 10**8:08d}"
    made: UUID = one(connection, "INSERT INTO store.users (phone, status) VALUES (%s, %s) RETURNING id", number, status)
    return made


def make_staff(connection: Connection, role: str = "owner") -> UUID:
    """A member of staff in this role."""
    user = make_user(connection)
    connection.execute("INSERT INTO store.staff_members (user_id, role) VALUES (%s, %s)", (user, role))
    return user


def make_address(connection: Connection, user_id: UUID, *, state_code: str = "KA", pincode: str = "560001") -> UUID:
    """An address of the shopper, by default in the seller's own state."""
    made: UUID = one(
        connection,
        "INSERT INTO store.addresses (user_id, recipient_name, phone, line1, city, state_code, pincode)"
        " VALUES (%s, 'Asha Rao', '+919812345678', '1 MG Road', 'Bengaluru', %s, %s) RETURNING id",
        user_id,
        state_code,
        pincode,
    )
    return made


def make_warehouse(
    connection: Connection, code: str = "BLR", *, state_code: str = "KA", priority: int = 100, is_active: bool = True
) -> UUID:
    """A warehouse; the one with this code if it is there already."""
    made: UUID = one(
        connection,
        "INSERT INTO store.warehouses (code, name, state_code, pincode, priority, is_active)"
        " VALUES (%s, %s, %s, '560001', %s, %s) ON CONFLICT (code) DO UPDATE SET code = excluded.code RETURNING id",
        code,
        code,
        state_code,
        priority,
        is_active,
    )
    return made


def make_category(connection: Connection, slug: str, *, parent_id: UUID | None = None) -> UUID:
    """A category below its parent."""
    made: UUID = one(
        connection,
        "WITH fresh AS (SELECT uuidv7() AS id) INSERT INTO store.categories (id, parent_id, slug, name, ancestor_ids)"
        " SELECT f.id, %s::uuid, %s, %s, coalesce((SELECT c.ancestor_ids FROM store.categories AS c WHERE c.id = %s),"
        " '{}') || f.id FROM fresh AS f RETURNING id",
        parent_id,
        slug,
        slug,
        parent_id,
    )
    return made


def make_product(
    connection: Connection,
    sku: str | None = None,
    *,
    price: int = 10_000,
    mrp: int | None = None,
    stock: int = 0,
    buckets: int = 1,
    tax_class: str = "gst-18",
    category_id: UUID | None = None,
    status: str = "active",
    max_per_order: int | None = None,
) -> Variant:
    """A product with one variant, with ``stock`` units in warehouse BLR over ``buckets`` buckets."""
    name = sku or f"SKU-{next(_numbers)}-{uuid.uuid4().hex[:8].upper()}"
    slug = "p-" + "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-").replace("--", "-")
    product: UUID = one(
        connection,
        "INSERT INTO store.products (slug, title, category_id, status, published_at)"
        " VALUES (%s, %s, %s, %s, now() - interval '1 day') RETURNING id",
        slug,
        f"Product {name}",
        category_id,
        status,
    )
    variant: UUID = one(
        connection,
        "INSERT INTO store.product_variants (product_id, sku, title, price, mrp, tax_class_code, hsn_code,"
        " bucket_count, max_per_order) VALUES (%s, %s, 'One size', %s, %s, %s, '6109', %s, %s) RETURNING id",
        product,
        name,
        price,
        mrp or price,
        tax_class,
        buckets,
        max_per_order,
    )
    made = Variant(variant, product, name, price, mrp or price)
    if stock:
        make_stock(connection, made, stock, buckets=buckets)
    return made


def make_stock(
    connection: Connection, variant: Variant, quantity: int, *, warehouse: UUID | None = None, buckets: int = 1
) -> None:
    """Receive units into a warehouse (BLR unless given), spread over buckets, with their movements."""
    place = warehouse or make_warehouse(connection)
    for bucket in range(buckets):
        units = quantity // buckets + (1 if bucket < quantity % buckets else 0)
        connection.execute(
            "INSERT INTO store.inventory (variant_id, warehouse_id, bucket, on_hand) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (variant_id, warehouse_id, bucket)"
            " DO UPDATE SET on_hand = inventory.on_hand + excluded.on_hand",
            (variant.id, place, bucket, units),
        )
        if units:
            connection.execute(
                "INSERT INTO store.stock_movements (variant_id, warehouse_id, bucket, kind, quantity)"
                " VALUES (%s, %s, %s, 'receipt', %s)",
                (variant.id, place, bucket, units),
            )


def make_coupon(
    connection: Connection,
    code: str = "TEN",
    *,
    percent_bp: int = 1000,
    usage_limit: int | None = None,
    per_user_limit: int | None = None,
) -> UUID:
    """A percentage off everything, good now."""
    made: UUID = one(
        connection,
        "INSERT INTO store.coupons (code, name, kind, percent_bp, usage_limit, per_user_limit, starts_at, stackable)"
        " VALUES (%s, %s, 'percent', %s, %s, %s, now() - interval '1 day', true) RETURNING id",
        code,
        code,
        percent_bp,
        usage_limit,
        per_user_limit,
    )
    return made


def make_cart(connection: Connection, user_id: UUID, *lines: tuple[Variant, int]) -> UUID:
    """The shopper's open cart holding exactly these lines, at their prices; a cart that is there gets a new version."""
    subtotal = sum(variant.price * quantity for variant, quantity in lines)
    cart: UUID = one(
        connection,
        "INSERT INTO store.carts (user_id, subtotal, grand_total) VALUES (%s, %s, %s)"
        " ON CONFLICT (user_id) WHERE status = 'open' DO UPDATE SET version = carts.version + 1,"
        " subtotal = excluded.subtotal, discount_total = 0, shipping_total = 0, grand_total = excluded.grand_total"
        " RETURNING id",
        user_id,
        subtotal,
        subtotal,
    )
    connection.execute("DELETE FROM store.cart_items WHERE cart_id = %s", (cart,))
    for variant, quantity in lines:
        connection.execute(
            "INSERT INTO store.cart_items (cart_id, variant_id, quantity, unit_price, mrp) VALUES (%s, %s, %s, %s, %s)",
            (cart, variant.id, quantity, variant.price, variant.mrp),
        )
    return cart


def checkout(
    connection: Connection, user_id: UUID, address_id: UUID | None = None, *, method: str = "prepaid", **more: object
) -> dict[str, Any]:
    """CALL create_order for the shopper's cart; the order document (with ``position``)."""
    address = address_id or make_address(connection, user_id)
    return call(
        connection,
        "create_order",
        p_user_id=user_id,
        **({**idempotent(user_id), "p_address_id": address, "p_payment_method": method} | more),
    )


def make_order(
    connection: Connection, *lines: tuple[Variant, int], user_id: UUID | None = None, method: str = "prepaid"
) -> dict[str, Any]:
    """A fresh shopper's checkout of these lines: pending_payment (prepaid) or confirmed (cod). The order document."""
    user = user_id or make_user(connection)
    make_cart(connection, user, *lines)
    return checkout(connection, user, method=method) | {"user_id": str(user)}


def pay_order(connection: Connection, order: dict[str, Any]) -> UUID:
    """The gateway took what a pending order (of ``make_order``) costs; the payment."""
    attempt = call(
        connection,
        "register_payment_attempt",
        p_user_id=order["user_id"],
        p_order_id=order["id"],
        p_method="upi",
        p_provider="sandbox",
        **idempotent(order["id"]),
    )
    call(
        connection,
        "settle_capture",
        p_payment_id=attempt["id"],
        p_provider_payment_id=f"pay_{attempt['id']}",
        p_amount=order["grand_total"],
        p_currency="INR",
    )
    return UUID(attempt["id"])


def make_bare_order(
    connection: Connection, *lines: tuple[Variant, int], user_id: UUID | None = None, state_code: str = "KA"
) -> UUID:
    """A pending order of these lines, by plain SQL: untaxed, unshipped, and holding no stock yet."""
    user = user_id or make_user(connection)
    cart = make_cart(connection, user, *lines)
    total = sum(variant.price * quantity for variant, quantity in lines)
    order: UUID = one(
        connection,
        "INSERT INTO store.orders (user_id, cart_id, cart_version, status, payment_method, subtotal, taxable_total,"
        " grand_total, hold_expires_at, shipping_address, place_of_supply)"
        " SELECT %s, c.id, c.version, 'pending_payment', 'prepaid', %s, %s, %s, now() + interval '15 minutes',"
        " jsonb_build_object('state_code', %s::text), %s FROM store.carts AS c WHERE c.id = %s RETURNING id",
        *(user, total, total, total, state_code, state_code, cart),
    )
    for number, (variant, quantity) in enumerate(lines, 1):
        amount = variant.price * quantity
        connection.execute(
            "INSERT INTO store.order_items (order_id, line_no, variant_id, product_id, sku, title, quantity,"
            " unit_price, mrp, gross_amount, net_amount, tax_rate_bp, taxable_amount, tax_amount)"
            " SELECT %s, %s, v.id, v.product_id, v.sku, v.title, %s, %s, %s, %s, %s, 0, %s, 0"
            " FROM store.product_variants AS v WHERE v.id = %s",
            (order, number, quantity, variant.price, variant.mrp, amount, amount, amount, variant.id),
        )
    return order


def expire_hold(connection: Connection, order_id: object) -> None:
    """Let the hold of a pending order be over, as if its time had passed."""
    connection.execute(
        "UPDATE store.orders SET hold_expires_at = now() - interval '1 second' WHERE id = %s", (order_id,)
    )
    connection.execute(
        "UPDATE store.inventory_reservations SET expires_at = now() - interval '1 second'"
        " WHERE order_id = %s AND status = 'held'",
        (order_id,),
    )
