"""Rows for tests, made by SQL or by CALL: users, staff, products, stock, carts, orders; and the books that must balance.

Every builder takes an autocommit connection as the owner. Amounts are paise.
"""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from psycopg.types.json import Jsonb

from app.core.http import request_hash

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
        "INSERT INTO store.product_variants (product_id, sku, title, price, mrp, tax_class_code, hsn_code, bucket_count,"
        " max_per_order) VALUES (%s, %s, 'One size', %s, %s, %s, '6109', %s, %s) RETURNING id",
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
            " ON CONFLICT (variant_id, warehouse_id, bucket) DO UPDATE SET on_hand = inventory.on_hand + excluded.on_hand",
            (variant.id, place, bucket, units),
        )
        if units:
            connection.execute(
                "INSERT INTO store.stock_movements (variant_id, warehouse_id, bucket, kind, quantity)"
                " VALUES (%s, %s, %s, 'receipt', %s)",
                (variant.id, place, bucket, units),
            )


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


BOOKS: Sequence[tuple[str, str]] = (
    (
        "on_hand is the sum of its movements",
        "SELECT i.variant_id, i.warehouse_id, i.bucket, i.on_hand, coalesce(sum(m.quantity), 0) FROM store.inventory AS i"
        " LEFT JOIN store.stock_movements AS m USING (variant_id, warehouse_id, bucket) GROUP BY 1, 2, 3"
        " HAVING i.on_hand <> coalesce(sum(m.quantity), 0)",
    ),
    (
        "reserved is the sum of its open holds",
        "SELECT i.variant_id, i.warehouse_id, i.bucket, i.reserved, coalesce(sum(r.quantity), 0) FROM store.inventory AS i"
        " LEFT JOIN store.inventory_reservations AS r ON r.variant_id = i.variant_id AND r.warehouse_id = i.warehouse_id"
        " AND r.bucket = i.bucket AND r.status = 'held' GROUP BY 1, 2, 3"
        " HAVING i.reserved <> coalesce(sum(r.quantity), 0)",
    ),
    (
        "only orders that await payment hold stock",
        "SELECT r.id, o.status FROM store.inventory_reservations AS r JOIN store.orders AS o ON o.id = r.order_id"
        " WHERE r.status = 'held' AND o.status <> 'pending_payment'",
    ),
    (
        "a coupon's used_count is the number of its live uses",
        "SELECT c.id, c.used_count FROM store.coupons AS c LEFT JOIN store.coupon_usage AS u ON u.coupon_id = c.id"
        " AND u.status <> 'released' GROUP BY c.id HAVING c.used_count <> count(u.id)",
    ),
    (
        "captured and refunded totals are the sums of the money that moved",
        "SELECT o.id, o.captured_total, o.refunded_total FROM store.orders AS o"
        " LEFT JOIN store.money_movements AS m ON m.order_id = o.id GROUP BY o.id"
        " HAVING o.captured_total <> coalesce(sum(m.amount) FILTER (WHERE m.kind = 'capture'), 0)"
        " OR o.refunded_total <> -coalesce(sum(m.amount) FILTER (WHERE m.kind = 'refund'), 0)",
    ),
    (
        "an order's lines add up to the order",
        "SELECT o.id FROM store.orders AS o JOIN store.order_items AS i ON i.order_id = o.id GROUP BY o.id"
        " HAVING o.subtotal <> sum(i.gross_amount) OR o.discount_total <> sum(i.discount_amount)"
        " OR o.tax_total <> sum(i.tax_amount) + o.shipping_tax",
    ),
    (
        "an order's status is where its events end",
        "SELECT o.id, o.status, e.to_status FROM store.orders AS o JOIN LATERAL (SELECT to_status FROM store.order_events"
        " WHERE order_id = o.id AND to_status IS NOT NULL ORDER BY id DESC LIMIT 1) AS e ON true"
        " WHERE o.status <> e.to_status",
    ),
)


def assert_books_balance(connection: Connection) -> None:
    """Every ledger equals its balance, whatever happened before."""
    for rule, query in BOOKS:
        found = rows(connection, query)
        assert found == [], f"{rule}: {found[:5]}"
