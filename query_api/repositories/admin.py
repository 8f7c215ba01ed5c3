"""Reads for the store's people: orders, stock, coupons, refunds, catalog, what staff did. SELECT only, primary."""

from typing import Any, NamedTuple
from uuid import UUID

from app.core.database import QueryPool
from app.utils.order_view import ORDER_SELECT


class Row(NamedTuple):
    """An item as JSON bytes, and the values its list is ordered by."""

    body: bytes
    at: Any
    id: Any


class Versioned(NamedTuple):
    """A document as JSON bytes, and its version."""

    body: bytes
    version: int


def document(columns: str) -> str:
    """A SELECT's columns as one JSON document in bytes."""
    return f"convert_to((SELECT row_to_json(document) FROM (SELECT {columns}) AS document)::text, 'UTF8')"


async def may(primary: QueryPool, user_id: UUID, permissions: tuple[str, ...]) -> bool:
    """Whether the user is staff, active, in a role that has one of the permissions."""
    async with primary.connection() as connection:
        cursor = await connection.execute(
            "SELECT 1 FROM store.staff_members m JOIN store.users u ON u.id = m.user_id AND u.status = 'active'"
            " JOIN store.staff_role_permissions p ON p.role = m.role"
            " WHERE m.user_id = %s AND m.is_active AND p.permission = ANY(%s) LIMIT 1",
            (user_id, list(permissions)),
        )
        return await cursor.fetchone() is not None


async def rows_of(primary: QueryPool, statement: str, values: dict[str, Any]) -> list[Row]:
    """The rows of a list: a document each, and what the list is ordered by."""
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True, prepare=False)
        return [Row(*row) for row in await cursor.fetchall()]


async def _one(primary: QueryPool, statement: str, *values: Any) -> Versioned | None:
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True)
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)


ORDER_COLUMNS = """
    o.id, o.number, o.user_id, u.phone, o.status, o.payment_status, o.payment_method, o.currency, o.grand_total,
    o.captured_total, o.refund_pending_total, o.refunded_total, o.attention, o.hold_expires_at,
    o.shipping_address ->> 'city' AS city, o.shipping_address ->> 'pincode' AS pincode, o.version, o.created_at,
    o.updated_at
"""


async def orders(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Orders, newest first; ``filters`` may hold status, attention, number, phone."""
    where = ["true"]
    values: dict[str, Any] = {"limit": limit}
    for name, column in (("status", "o.status"), ("number", "o.number"), ("phone", "u.phone")):
        if filters.get(name) is not None:
            where.append(f"{column} = %({name})s")
            values[name] = filters[name]
    if filters.get("attention"):
        where.append("o.attention IS NOT NULL")
    if after is not None:
        where.append("o.id < %(id)s::uuid")  # ids are UUIDv7: they sort by creation
        values["id"] = after[1]
    return await rows_of(
        primary,
        f"SELECT {document(ORDER_COLUMNS)}, o.created_at, o.id FROM store.orders o"
        " JOIN store.users u ON u.id = o.user_id"
        f" WHERE {' AND '.join(where)} ORDER BY o.id DESC LIMIT %(limit)s",
        values,
    )


async def order(primary: QueryPool, order_id: UUID) -> Versioned | None:
    """An order's page as its shopper sees it, with what only the store's people see."""
    staff = document(
        'page."order", extra.user_id, extra.phone, extra.attention, extra.cart_id,'
        " COALESCE((SELECT json_agg((SELECT row_to_json(m) FROM (SELECT mm.id, mm.kind, mm.provider, mm.provider_ref,"
        " mm.amount, mm.created_at) AS m) ORDER BY mm.id) FROM store.money_movements mm WHERE mm.order_id = extra.id),"
        " '[]'::json) AS money_movements,"
        " COALESCE((SELECT json_agg((SELECT row_to_json(e) FROM (SELECT oe.type, oe.from_status, oe.to_status,"
        " oe.actor_kind, oe.actor_id, oe.detail, oe.created_at) AS e) ORDER BY oe.id)"
        " FROM store.order_events oe WHERE oe.order_id = extra.id), '[]'::json) AS history"
    )
    statement = (
        f"SELECT {staff}, found.version FROM ({ORDER_SELECT.replace('{wanted}', 'o.id = %s')}) AS found"
        " JOIN (SELECT o.id, o.user_id, u.phone, o.attention, o.cart_id FROM store.orders o"
        " JOIN store.users u ON u.id = o.user_id) AS extra ON extra.id = found.order_id"
        " CROSS JOIN LATERAL (SELECT convert_from(found.detail, 'UTF8')::json AS \"order\") AS page"
    )
    return await _one(primary, statement, order_id)


STOCK_COLUMNS = """
    v.sku, v.id AS variant_id, p.slug AS product_slug, p.title, v.title AS variant_title, v.bucket_count,
    COALESCE(sum(i.on_hand), 0)::bigint AS on_hand, COALESCE(sum(i.reserved), 0)::bigint AS reserved,
    COALESCE(sum(i.on_hand - i.reserved), 0)::bigint AS available,
    COALESCE(json_agg((SELECT row_to_json(place) FROM (SELECT
        w.code AS warehouse, w.is_active, i.bucket, i.on_hand, i.reserved, i.version, i.updated_at) AS place)
        ORDER BY w.priority, w.code, i.bucket) FILTER (WHERE i.variant_id IS NOT NULL), '[]'::json) AS rows,
    COALESCE((SELECT json_agg((SELECT row_to_json(moved) FROM (SELECT
        m.id, mw.code AS warehouse, m.bucket, m.kind, m.quantity, m.order_id, m.refund_id, m.actor_id, m.reason_code,
        m.reason, m.reference, m.created_at) AS moved) ORDER BY m.id DESC)
        FROM (SELECT * FROM store.stock_movements latest WHERE latest.variant_id = v.id
            ORDER BY latest.id DESC LIMIT 50) AS m
        JOIN store.warehouses mw ON mw.id = m.warehouse_id), '[]'::json) AS movements
"""


async def stock(primary: QueryPool, sku: str) -> Versioned | None:
    """A SKU's stock by warehouse and bucket, with its last fifty movements."""
    statement = (
        f"SELECT convert_to(row_to_json(document)::text, 'UTF8'), document.bucket_count FROM (SELECT {STOCK_COLUMNS}"
        " FROM store.product_variants v JOIN store.products p ON p.id = v.product_id"
        " LEFT JOIN store.inventory i ON i.variant_id = v.id LEFT JOIN store.warehouses w ON w.id = i.warehouse_id"
        " WHERE v.sku = %s GROUP BY v.id, p.id) AS document"
    )
    return await _one(primary, statement, sku)


COUPON_COLUMNS = """
    c.id, c.code, c.name, c.description, c.kind, c.percent_bp, c.amount, c.buy_quantity, c.get_quantity,
    c.get_percent_bp, c.max_discount, c.min_subtotal, c.starts_at, c.ends_at, c.usage_limit, c.per_user_limit,
    c.used_count, c.scope, c.first_order_only, c.stackable, c.is_public, c.is_active,
    COALESCE((SELECT json_agg(k.slug ORDER BY k.slug) FROM store.coupon_targets t
        JOIN store.categories k ON k.id = t.category_id WHERE t.coupon_id = c.id), '[]'::json) AS categories,
    COALESCE((SELECT json_agg(p.slug ORDER BY p.slug) FROM store.coupon_targets t
        JOIN store.products p ON p.id = t.product_id WHERE t.coupon_id = c.id), '[]'::json) AS products,
    c.version, c.created_at
"""


async def coupons(primary: QueryPool, limit: int, after: list[Any] | None) -> list[Row]:
    """All coupons by code."""
    return await rows_of(
        primary,
        f"SELECT {document(COUPON_COLUMNS)}, c.code, c.id FROM store.coupons c"
        " WHERE c.code > %(code)s ORDER BY c.code LIMIT %(limit)s",
        {"limit": limit, "code": after[0] if after else ""},
    )


async def coupon(primary: QueryPool, code: str) -> Versioned | None:
    """One coupon, with its version for If-Match."""
    return await _one(
        primary, f"SELECT {document(COUPON_COLUMNS)}, c.version FROM store.coupons c WHERE c.code = %s", code
    )


REFUND_COLUMNS = """
    r.id, r.order_id, o.number AS order_number, r.payment_id, p.method, p.provider, r.kind, r.status, r.amount,
    r.shipping_amount, r.currency, r.reason, r.provider_refund_id, r.failure_code, r.requested_by, r.submit_attempts,
    r.next_submit_at, r.version, r.created_at, r.updated_at
"""


async def refunds(primary: QueryPool, status: str | None, limit: int, after: list[Any] | None) -> list[Row]:
    """Refunds, newest first."""
    where = "true"
    values: dict[str, Any] = {"limit": limit}
    if status is not None:
        where += " AND r.status = %(status)s"
        values["status"] = status
    if after is not None:
        where += " AND r.id < %(id)s::uuid"
        values["id"] = after[1]
    return await rows_of(
        primary,
        f"SELECT {document(REFUND_COLUMNS)}, r.created_at, r.id FROM store.refunds r"
        " JOIN store.orders o ON o.id = r.order_id JOIN store.payments p ON p.id = r.payment_id"
        f" WHERE {where} ORDER BY r.id DESC LIMIT %(limit)s",
        values,
    )


ACTION_COLUMNS = """
    a.id, a.staff_id, u.full_name AS staff_name, a.permission, a.action, a.subject_type, a.subject_id, a.before,
    a.after, a.ip, a.request_id, a.created_at
"""


async def audit_log(
    primary: QueryPool, subject: tuple[str, str] | None, limit: int, after: list[Any] | None
) -> list[Row]:
    """What staff did, newest first; of one subject when it is named."""
    where = "true"
    values: dict[str, Any] = {"limit": limit}
    if subject is not None:
        where += " AND a.subject_type = %(type)s AND a.subject_id = %(subject)s"
        values |= {"type": subject[0], "subject": subject[1]}
    if after is not None:
        where += " AND a.id < %(id)s::bigint"
        values["id"] = after[1]
    return await rows_of(
        primary,
        f"SELECT {document(ACTION_COLUMNS)}, a.created_at, a.id FROM store.staff_actions a"
        f" JOIN store.users u ON u.id = a.staff_id WHERE {where} ORDER BY a.id DESC LIMIT %(limit)s",
        values,
    )


PRODUCT_COLUMNS = """
    p.id, p.slug, p.title, p.description_html, b.slug AS brand, c.slug AS category, p.product_type, p.tags,
    p.attributes, p.options, p.seo_title, p.seo_description, p.status, p.published_at, p.version,
    COALESCE((SELECT json_agg((SELECT row_to_json(i) FROM (SELECT
        pi.url, pi.alt_text, pi.position, iv.sku AS variant_sku) AS i) ORDER BY pi.position)
        FROM store.product_images pi LEFT JOIN store.product_variants iv ON iv.id = pi.variant_id
        WHERE pi.product_id = p.id), '[]'::json) AS images,
    COALESCE((SELECT json_agg((SELECT row_to_json(x) FROM (SELECT
        v.sku, v.title, v.option_values, v.price, v.mrp, v.tax_class_code AS tax_class, v.hsn_code, v.barcode,
        v.weight_grams, v.position, v.max_per_order, v.is_active) AS x) ORDER BY v.position, v.sku)
        FROM store.product_variants v WHERE v.product_id = p.id), '[]'::json) AS variants,
    p.created_at, p.updated_at
"""


async def product(primary: QueryPool, slug: str) -> Versioned | None:
    """A product as staff write it, drafts too, with its version for If-Match."""
    return await _one(
        primary,
        f"SELECT {document(PRODUCT_COLUMNS)}, p.version FROM store.products p"
        " LEFT JOIN store.brands b ON b.id = p.brand_id LEFT JOIN store.categories c ON c.id = p.category_id"
        " WHERE p.slug = %s",
        slug,
    )


async def products(primary: QueryPool, status: str | None, limit: int, after: list[Any] | None) -> list[Row]:
    """Products by slug, drafts and archived ones too."""
    where = "p.slug > %(slug)s"
    values: dict[str, Any] = {"limit": limit, "slug": after[0] if after else ""}
    if status is not None:
        where += " AND p.status = %(status)s"
        values["status"] = status
    columns = (
        "p.id, p.slug, p.title, p.status, p.published_at, p.version, p.updated_at, (SELECT count(*) FROM"
        " store.product_variants v WHERE v.product_id = p.id) AS variant_count"
    )
    return await rows_of(
        primary,
        f"SELECT {document(columns)}, p.slug, p.id FROM store.products p WHERE {where} ORDER BY p.slug LIMIT %(limit)s",
        values,
    )
