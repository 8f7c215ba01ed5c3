"""Reads of the orders view, and of one order as the store has it where the view is not there yet. SELECT only."""

from typing import Any, NamedTuple
from uuid import UUID

from app.core.database import QueryPool
from app.utils.order_view import ORDER_SELECT


class OrderPage(NamedTuple):
    """An order's page as bytes, its version, whose it is, and the position it was computed at (0: now)."""

    body: bytes
    version: int
    user_id: UUID
    position: int


class OrderCard(NamedTuple):
    """An order in a list, and where it stands in it."""

    body: bytes
    created_at: Any
    order_id: UUID


async def from_view(pool: QueryPool, order_id: UUID) -> OrderPage | None:
    """The order's page from the view; None when the view has none."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT detail, version, user_id, position FROM read.orders WHERE order_id = %s", (order_id,), binary=True
        )
        row = await cursor.fetchone()
    return None if row is None else OrderPage(*row)


async def from_store(primary: QueryPool, order_id: UUID) -> OrderPage | None:
    """The same page computed from the store on the primary, by the projection's own SELECT."""
    statement = (
        f"SELECT detail, version, user_id, 0::bigint FROM ({ORDER_SELECT.replace('{wanted}', 'o.id = %s')}) AS page"
    )
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, (order_id,), binary=True)
        row = await cursor.fetchone()
    return None if row is None else OrderPage(*row)


async def cards(
    pool: QueryPool, user_id: UUID, limit: int, after: list[Any] | None, status: str | None
) -> list[OrderCard]:
    """A shopper's orders, newest first, after the cursor's values."""
    values: dict[str, Any] = {"user_id": user_id, "limit": limit}
    where = "user_id = %(user_id)s"
    if status is not None:
        where += " AND status = %(status)s"
        values["status"] = status
    if after is not None:
        where += " AND (created_at, order_id) < (%(at)s::timestamptz, %(id)s::uuid)"
        values |= {"at": after[0], "id": after[1]}
    async with pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT card, created_at, order_id FROM read.orders WHERE {where}"
            " ORDER BY created_at DESC, order_id DESC LIMIT %(limit)s",
            values,
            binary=True,
        )
        return [OrderCard(*row) for row in await cursor.fetchall()]


async def cards_from_store(primary: QueryPool, user_id: UUID, limit: int, status: str | None) -> list[OrderCard]:
    """A shopper's newest orders as the store has them: where the view did not come up to a token in time."""
    wanted = (
        "o.id IN (SELECT mine.id FROM store.orders mine WHERE mine.user_id = %(user_id)s"
        " AND (%(status)s::text IS NULL OR mine.status = %(status)s)"
        " ORDER BY mine.created_at DESC, mine.id DESC LIMIT %(limit)s)"
    )
    statement = (
        f"SELECT card, created_at, order_id FROM ({ORDER_SELECT.replace('{wanted}', wanted)}) AS page"
        " ORDER BY created_at DESC, order_id DESC"
    )
    async with primary.connection() as connection:
        values = {"user_id": user_id, "limit": limit, "status": status}
        cursor = await connection.execute(statement, values, binary=True)
        return [OrderCard(*row) for row in await cursor.fetchall()]
