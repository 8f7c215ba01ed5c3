"""Reads of customers, for staff and for the customers themselves. SELECT only, primary."""

from typing import Any
from uuid import UUID

from app.core.database import QueryPool
from app.utils.customer_data import PAGE as PAGE_ROWS
from app.utils.customer_data import Section
from query_api.repositories.admin import Row, Versioned

CARD = """
    u.id, u.phone, u.email, u.full_name, u.status, u.marketing_opt_in, m.role AS staff_role, u.version, u.created_at,
    u.updated_at
"""
PAGE = f"""
    {CARD},
    COALESCE((SELECT json_agg((SELECT row_to_json(a) FROM (SELECT
        t.id, t.label, t.recipient_name, t.phone, t.line1, t.line2, t.landmark, t.city, t.state_code, t.pincode,
        t.country, t.id = u.default_address_id IS TRUE AS is_default, t.created_at, t.updated_at) AS a) ORDER BY t.id)
        FROM store.addresses t WHERE t.user_id = u.id AND t.is_active), '[]'::json) AS addresses,
    (SELECT row_to_json(s) FROM (SELECT
        count(*) AS orders, count(*) FILTER (WHERE o.status IN ('cancelled', 'expired')) AS fallen_through,
        count(*) FILTER (WHERE o.status IN ('returned', 'returned_to_origin')) AS returned,
        COALESCE(sum(o.captured_total), 0)::bigint AS paid, COALESCE(sum(o.refunded_total), 0)::bigint AS refunded,
        COALESCE(sum(o.refund_pending_total), 0)::bigint AS refund_pending, min(o.created_at) AS first_order_at,
        max(o.created_at) AS last_order_at FROM store.orders o WHERE o.user_id = u.id) AS s) AS summary,
    COALESCE((SELECT json_agg((SELECT row_to_json(r) FROM (SELECT
        l.id, l.number, l.status, l.payment_status, l.payment_method, l.currency, l.grand_total, l.refunded_total,
        l.attention, l.created_at) AS r) ORDER BY l.created_at DESC, l.id DESC)
        FROM (SELECT * FROM store.orders o WHERE o.user_id = u.id ORDER BY o.created_at DESC, o.id DESC LIMIT 20) AS l),
        '[]'::json) AS latest_orders
"""
SOURCE = "store.users u LEFT JOIN store.staff_members m ON m.user_id = u.id AND m.is_active"
PREFIXES = {"phone": "u.phone", "email": "lower(u.email)", "name": "lower(u.full_name)"}


def _document(columns: str) -> str:
    return f"convert_to((SELECT row_to_json(document) FROM (SELECT {columns}) AS document)::text, 'UTF8')"


def _like(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return text + "%"


async def customers(
    primary: QueryPool, prefixes: dict[str, str], status: str | None, limit: int, after: list[Any] | None
) -> list[Row]:
    """Customers, newest first; ``prefixes`` may hold how phone, email and name begin (email and name in any case)."""
    where = ["true"] if status is not None else ["u.status <> 'erased'"]
    values: dict[str, Any] = {"limit": limit, "status": status}
    if status is not None:
        where.append("u.status = %(status)s")
    for name, text in prefixes.items():
        where.append(f"{PREFIXES[name]} LIKE %({name})s")
        values[name] = _like(text if name == "phone" else text.lower())
    if after is not None:
        where.append("u.id < %(id)s::uuid")
        values["id"] = after[1]
    async with primary.connection() as connection:
        cursor = await connection.execute(
            f"SELECT {_document(CARD)}, u.created_at, u.id FROM {SOURCE} WHERE {' AND '.join(where)}"
            " ORDER BY u.id DESC LIMIT %(limit)s",
            values,
            binary=True,
            prepare=False,
        )
        return [Row(*row) for row in await cursor.fetchall()]


async def customer(primary: QueryPool, user_id: UUID) -> Versioned | None:
    """One customer, with addresses and orders."""
    async with primary.connection() as connection:
        cursor = await connection.execute(
            f"SELECT {_document(PAGE)}, u.version FROM {SOURCE} WHERE u.id = %s", (user_id,), binary=True
        )
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)


async def section(primary: QueryPool, user_id: UUID, part: Section, after: str) -> list[tuple[bytes, object]]:
    """A page of one section of what is kept of a customer."""
    values = {"user_id": user_id, "after": after, "page": PAGE_ROWS}
    async with primary.connection() as connection:
        cursor = await connection.execute(part.select, values, binary=True, prepare=False)
        return [(row[0], row[1]) for row in await cursor.fetchall()]
