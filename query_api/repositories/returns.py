"""Reads of returns, by their shopper and by staff. SELECT only, primary."""

from typing import Any
from uuid import UUID

from app.core.database import QueryPool
from app.utils.order_view import RETURN_MEMBERS
from query_api.repositories.admin import Row, Versioned

# what only the store's people see: whose it is, and what an inspection found
STAFF = (
    "r.order_id, o.number AS order_number, o.user_id, u.phone, o.status AS order_status,"
    " COALESCE((SELECT json_agg((SELECT row_to_json(l) FROM (SELECT i.sku, ri.inspection_note) AS l)"
    " ORDER BY i.line_no) FROM store.return_items ri JOIN store.order_items i ON i.id = ri.order_item_id"
    " WHERE ri.return_id = r.id AND ri.inspection_note IS NOT NULL), '[]'::json) AS inspection"
)
FROM = "FROM store.returns r JOIN store.orders o ON o.id = r.order_id JOIN store.users u ON u.id = o.user_id"


async def of_order(primary: QueryPool, order_id: UUID, user_id: UUID) -> list[bytes] | None:
    """The order's returns, oldest first; None when it is nobody's order, or another's."""
    async with primary.connection() as connection:
        mine = await connection.execute(
            "SELECT 1 FROM store.orders WHERE id = %s AND user_id = %s", (order_id, user_id)
        )
        if await mine.fetchone() is None:
            return None
        cursor = await connection.execute(
            f"SELECT convert_to((SELECT row_to_json(m) FROM (SELECT {RETURN_MEMBERS}) AS m)::text, 'UTF8')"
            " FROM store.returns r WHERE r.order_id = %s ORDER BY r.id",
            (order_id,),
            binary=True,
        )
        return [row[0] for row in await cursor.fetchall()]


async def one(primary: QueryPool, return_id: UUID) -> Versioned | None:
    """A return as staff see it, with its version for If-Match."""
    statement = (
        f"SELECT convert_to((SELECT row_to_json(m) FROM (SELECT {RETURN_MEMBERS}, {STAFF}) AS m)::text, 'UTF8'),"
        f" r.version {FROM} WHERE r.id = %s"
    )
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, (return_id,), binary=True)
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)


async def listed(primary: QueryPool, status: str | None, limit: int, after: list[Any] | None) -> list[Row]:
    """Returns, newest first; of one status when it is given."""
    where = ["true"]
    values: dict[str, Any] = {"limit": limit}
    if status is not None:
        where.append("r.status = %(status)s")
        values["status"] = status
    if after is not None:
        where.append("r.id < %(id)s::uuid")  # ids are UUIDv7: they sort by creation
        values["id"] = after[1]
    statement = (
        f"SELECT convert_to((SELECT row_to_json(m) FROM (SELECT {RETURN_MEMBERS}, {STAFF}) AS m)::text, 'UTF8'),"
        f" r.created_at, r.id {FROM} WHERE {' AND '.join(where)} ORDER BY r.id DESC LIMIT %(limit)s"
    )
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True, prepare=False)
        return [Row(*row) for row in await cursor.fetchall()]
