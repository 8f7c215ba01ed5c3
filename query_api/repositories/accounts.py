"""Reads of what belongs to one shopper and is in no view: cart, profile, addresses, wishlist. SELECT only, primary."""

from typing import NamedTuple
from uuid import UUID

from app.core.database import QueryPool


class Versioned(NamedTuple):
    """A document as JSON bytes, and its version."""

    body: bytes
    version: int


CART = """
SELECT convert_to((SELECT row_to_json(document) FROM (SELECT
    c.id, c.status, c.currency, c.version,
    COALESCE((SELECT json_agg((SELECT row_to_json(line) FROM (SELECT
        v.sku, i.variant_id, v.product_id, p.slug AS product_slug,
        CASE WHEN v.title IN ('', 'Default Title') THEN p.title ELSE p.title || ' – ' || v.title END AS title,
        (SELECT picture.url FROM store.product_images picture WHERE picture.product_id = p.id
            ORDER BY (picture.variant_id = v.id) IS TRUE DESC, picture.position LIMIT 1) AS image,
        i.quantity, i.unit_price, i.previous_unit_price, i.mrp, i.unit_price * i.quantity AS line_total,
        i.discount_amount, i.status, i.available_quantity, i.backordered_quantity,
        CASE WHEN i.status IN ('insufficient_stock', 'unavailable') THEN 'out_of_stock'
            WHEN i.backordered_quantity > 0 THEN sp.policy ELSE 'in_stock' END AS availability,
        CASE WHEN i.backordered_quantity > 0 THEN sp.available_from END AS available_from) AS line) ORDER BY i.id)
        FROM store.cart_items i
        JOIN store.product_variants v ON v.id = i.variant_id
        JOIN store.products p ON p.id = v.product_id
        LEFT JOIN store.stock_policies sp ON sp.variant_id = v.id
        WHERE i.cart_id = c.id), '[]'::json) AS items,
    COALESCE((SELECT json_agg((SELECT row_to_json(used) FROM (SELECT
        k.code, cc.status, cc.reason, cc.discount_amount, cc.free_shipping) AS used) ORDER BY cc.position)
        FROM store.cart_coupons cc JOIN store.coupons k ON k.id = cc.coupon_id
        WHERE cc.cart_id = c.id), '[]'::json) AS coupons,
    c.subtotal, c.discount_total, c.shipping_total, c.tax_total, c.grand_total, c.validated_at, c.updated_at
) AS document)::text, 'UTF8'), c.version
FROM store.carts c
WHERE c.status = 'open' AND {owner}
"""

PROFILE = """
SELECT convert_to((SELECT row_to_json(document) FROM (SELECT
    u.id, u.phone, u.email, u.full_name, u.marketing_opt_in, u.default_address_id, s.role AS staff_role, u.version,
    u.created_at, u.updated_at
) AS document)::text, 'UTF8'), u.version
FROM store.users u
LEFT JOIN store.staff_members s ON s.user_id = u.id AND s.is_active
WHERE u.id = %s AND u.status = 'active'
"""

ADDRESSES = """
SELECT convert_to((SELECT row_to_json(document) FROM (SELECT
    a.id, a.label, a.recipient_name, a.phone, a.line1, a.line2, a.landmark, a.city, a.state_code, a.pincode, a.country,
    a.id = u.default_address_id IS TRUE AS is_default, a.created_at, a.updated_at
) AS document)::text, 'UTF8')
FROM store.addresses a
JOIN store.users u ON u.id = a.user_id
WHERE a.user_id = %s AND a.is_active
ORDER BY a.created_at DESC, a.id DESC
LIMIT 200
"""

WISHLIST = """
SELECT w.product_id FROM store.wishlists w WHERE w.user_id = %s ORDER BY w.created_at DESC, w.id DESC LIMIT 500
"""


async def cart(primary: QueryPool, user_id: UUID | None, guest_token_hash: bytes | None) -> Versioned | None:
    """The open cart of a shopper or of a guest's token; None when there is none."""
    owner, value = ("c.user_id = %s", user_id) if user_id is not None else ("c.guest_token_hash = %s", guest_token_hash)
    async with primary.connection() as connection:
        cursor = await connection.execute(CART.replace("{owner}", owner), (value,), binary=True)
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)


async def profile(primary: QueryPool, user_id: UUID) -> Versioned | None:
    """The shopper's own profile."""
    async with primary.connection() as connection:
        cursor = await connection.execute(PROFILE, (user_id,), binary=True)
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)


async def addresses(primary: QueryPool, user_id: UUID) -> list[bytes]:
    """The shopper's addresses, newest first."""
    async with primary.connection() as connection:
        cursor = await connection.execute(ADDRESSES, (user_id,), binary=True)
        return [body for (body,) in await cursor.fetchall()]


async def wishlist(primary: QueryPool, user_id: UUID) -> list[UUID]:
    """The products the shopper wishes for, newest first."""
    async with primary.connection() as connection:
        cursor = await connection.execute(WISHLIST, (user_id,))
        return [product_id for (product_id,) in await cursor.fetchall()]


COUPONS = """
SELECT convert_to((SELECT row_to_json(document) FROM (SELECT
    c.code, c.name, c.description, c.kind, c.percent_bp, c.amount, c.buy_quantity, c.get_quantity, c.get_percent_bp,
    c.max_discount, c.min_subtotal, c.first_order_only, c.stackable, c.scope, c.starts_at, c.ends_at
) AS document)::text, 'UTF8')
FROM store.coupons c
WHERE c.is_public AND c.is_active AND c.starts_at <= now() AND (c.ends_at IS NULL OR c.ends_at > now())
  AND (c.usage_limit IS NULL OR c.used_count < c.usage_limit)
ORDER BY c.ends_at NULLS LAST, c.code
LIMIT 200
"""


async def public_coupons(primary: QueryPool) -> list[bytes]:
    """The coupons everybody may use now."""
    async with primary.connection() as connection:
        cursor = await connection.execute(COUPONS, binary=True)
        return [body for (body,) in await cursor.fetchall()]
