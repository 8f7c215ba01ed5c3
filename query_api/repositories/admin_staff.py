"""Reads of invitations, roles, settings and refund requests, for staff. SELECT only, primary."""

from typing import Any
from uuid import UUID

from app.core.database import QueryPool
from query_api.repositories.admin import Row, Versioned

INVITATION = """
    t.id, t.phone, t.role,
    CASE WHEN t.status = 'open' AND t.expires_at <= now() THEN 'expired' ELSE t.status END AS status,
    t.invited_by, t.accepted_by, t.expires_at, t.closed_at, t.created_at
"""
APPROVAL = """
    t.id, t.order_id, o.number AS order_number, t.kind, t.reason, t.lines, t.shipping_amount, t.amount, t.currency,
    CASE WHEN t.status = 'pending' AND t.expires_at <= now() THEN 'expired' ELSE t.status END AS status,
    t.requested_by, t.decided_by, t.decided_at, t.note, t.refund_id, t.expires_at, t.version, t.created_at
"""
ROLES = """
    SELECT convert_to(row_to_json(found)::text, 'UTF8') FROM (
        SELECT p.role, json_agg(p.permission ORDER BY p.permission) AS permissions,
            (SELECT count(*) FROM store.staff_members m WHERE m.role = p.role AND m.is_active) AS members
        FROM store.staff_role_permissions p GROUP BY p.role ORDER BY p.role <> 'owner', p.role
    ) AS found
"""
# whether an open one is still open is decided by its time, tidied or not
STATE = {
    "open": "t.status = 'open' AND t.expires_at > now()",
    "pending": "t.status = 'pending' AND t.expires_at > now()",
    "expired": "(t.status = 'expired' OR t.status IN ('open', 'pending') AND t.expires_at <= now())",
}


def _document(columns: str) -> str:
    return f"convert_to((SELECT row_to_json(document) FROM (SELECT {columns}) AS document)::text, 'UTF8')"


async def _newest_first(
    primary: QueryPool, columns: str, source: str, status: str | None, limit: int, after: list[Any] | None
) -> list[Row]:
    where = ["true"] if status is None else [STATE.get(status, "t.status = %(status)s")]
    values: dict[str, Any] = {"limit": limit, "status": status}
    if after is not None:
        where.append("t.id < %(id)s::uuid")
        values["id"] = after[1]
    async with primary.connection() as connection:
        cursor = await connection.execute(
            f"SELECT {_document(columns)}, t.created_at, t.id FROM {source} WHERE {' AND '.join(where)}"
            " ORDER BY t.id DESC LIMIT %(limit)s",
            values,
            binary=True,
            prepare=False,
        )
        return [Row(*row) for row in await cursor.fetchall()]


async def invitations(primary: QueryPool, status: str | None, limit: int, after: list[Any] | None) -> list[Row]:
    """Invitations, newest first."""
    return await _newest_first(primary, INVITATION, "store.staff_invitations t", status, limit, after)


async def refund_approvals(primary: QueryPool, status: str | None, limit: int, after: list[Any] | None) -> list[Row]:
    """Refunds that waited for a second person, newest first."""
    source = "store.refund_approvals t JOIN store.orders o ON o.id = t.order_id"
    return await _newest_first(primary, APPROVAL, source, status, limit, after)


async def refund_approval(primary: QueryPool, approval_id: UUID) -> Versioned | None:
    """One of them."""
    return await _one(
        primary,
        f"SELECT {_document(APPROVAL)}, t.version FROM store.refund_approvals t"
        " JOIN store.orders o ON o.id = t.order_id WHERE t.id = %s",
        approval_id,
    )


async def roles(primary: QueryPool) -> list[bytes]:
    """Each role with what it may do; the owner first."""
    async with primary.connection() as connection:
        cursor = await connection.execute(ROLES, binary=True)
        return [body for (body,) in await cursor.fetchall()]


async def settings(primary: QueryPool) -> Versioned | None:
    """The store's rules."""
    return await _one(
        primary,
        "SELECT convert_to((to_jsonb(s) - 'id')::text, 'UTF8'), s.version FROM store.store_settings s",
    )


async def _one(primary: QueryPool, statement: str, *values: Any) -> Versioned | None:
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True)
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)
