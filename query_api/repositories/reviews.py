"""Reads of reviews: a product's for everybody, a shopper's own, all of them for staff. SELECT only."""

from typing import Any, Literal
from uuid import UUID

from app.core.database import QueryPool
from query_api.repositories.admin import Row, Versioned, document

Order = Literal["newest", "highest", "lowest"]

# made when it is read: a name that is changed or erased is so everywhere at once
AUTHOR = """
    CASE WHEN btrim(u.full_name) <> '' THEN split_part(btrim(u.full_name), ' ', 1) || COALESCE(
        ' ' || upper(left(substring(btrim(u.full_name) FROM ' ([^ ]+)$'), 1)) || '.', '') ELSE 'Customer' END AS author
"""
SHOWN = f"r.id, r.rating, r.title, r.body, {AUTHOR}, r.created_at, r.updated_at"
MINE = (
    "r.id, p.slug AS product, p.title AS product_title, r.rating, r.title, r.body, r.status, r.reason, r.version,"
    " r.created_at, r.updated_at"
)
STAFF = f"{MINE}, r.user_id, {AUTHOR}, r.moderated_by, r.moderated_at"
FROM = (
    "FROM store.product_reviews r JOIN store.users u ON u.id = r.user_id JOIN store.products p ON p.id = r.product_id"
)
# per order: its sort value, what follows the cursor, and the order itself (each an index, read forth or back)
ORDERS: dict[Order, tuple[str, str, str]] = {
    "newest": ("0", "r.id < %(id)s::uuid", "r.id DESC"),
    "highest": ("r.rating", "(r.rating, r.id) < (%(rating)s::smallint, %(id)s::uuid)", "r.rating DESC, r.id DESC"),
    "lowest": ("r.rating", "(r.rating, r.id) > (%(rating)s::smallint, %(id)s::uuid)", "r.rating, r.id"),
}
SUMMARY = """
    SELECT p.id, convert_to((SELECT row_to_json(d) FROM (SELECT
        (CASE WHEN p.rating_count > 0 THEN (p.rating_sum * 100 + p.rating_count / 2) / p.rating_count ELSE 0 END
            / 100.0)::numeric(3, 2) AS rating,
        p.rating_count,
        (SELECT json_object_agg(stars, (SELECT count(*) FROM store.product_reviews r
            WHERE r.product_id = p.id AND r.status = 'published' AND r.rating = stars))
         FROM generate_series(1, 5) AS stars) AS histogram
    ) AS d)::text, 'UTF8')
    FROM store.products p WHERE p.slug = %s AND p.status = 'active' AND p.published_at <= now()
"""


async def summary(pool: QueryPool, slug: str) -> tuple[UUID, bytes] | None:
    """The id of a product that is shown, and what its reviews come to; None for another."""
    async with pool.connection() as connection:
        cursor = await connection.execute(SUMMARY, (slug,), binary=True)
        row = await cursor.fetchone()
    return None if row is None else (row[0], row[1])


async def shown(pool: QueryPool, product_id: UUID, order: Order, limit: int, after: list[Any] | None) -> list[Row]:
    """Published reviews of a product in an order, after the cursor's stars and id."""
    value, following, by = ORDERS[order]
    values: dict[str, Any] = {"product_id": product_id, "limit": limit}
    if after is not None:
        values |= {"rating": int(after[0]), "id": after[1]}
    return await _rows(
        pool,
        f"SELECT {document(SHOWN)}, {value}, r.id {FROM} WHERE r.product_id = %(product_id)s"
        f" AND r.status = 'published' AND {following if after else 'true'} ORDER BY {by} LIMIT %(limit)s",
        values,
    )


async def mine(primary: QueryPool, user_id: UUID, limit: int, after: list[Any] | None) -> list[Row]:
    """A shopper's own, newest first."""
    values: dict[str, Any] = {"user_id": user_id, "limit": limit, "id": after[1] if after else None}
    return await _rows(
        primary,
        f"SELECT {document(MINE)}, 0, r.id {FROM} WHERE r.user_id = %(user_id)s"
        f" AND {'r.id < %(id)s::uuid' if after else 'true'} ORDER BY r.id DESC LIMIT %(limit)s",
        values,
    )


async def listed(primary: QueryPool, status: str | None, limit: int, after: list[Any] | None) -> list[Row]:
    """Everybody's, newest first; those that wait for a moderator oldest first."""
    oldest = status == "pending"
    where = ["true"]
    if status is not None:
        where.append("r.status = %(status)s")
    if after is not None:
        where.append(f"r.id {'>' if oldest else '<'} %(id)s::uuid")
    return await _rows(
        primary,
        f"SELECT {document(STAFF)}, 0, r.id {FROM} WHERE {' AND '.join(where)}"
        f" ORDER BY r.id {'ASC' if oldest else 'DESC'} LIMIT %(limit)s",
        {"status": status, "limit": limit, "id": after[1] if after else None},
    )


async def one(primary: QueryPool, review_id: UUID) -> Versioned | None:
    """A review as staff see it, with its version for If-Match."""
    async with primary.connection() as connection:
        cursor = await connection.execute(
            f"SELECT {document(STAFF)}, r.version {FROM} WHERE r.id = %s", (review_id,), binary=True
        )
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)


async def _rows(pool: QueryPool, statement: str, values: dict[str, Any]) -> list[Row]:
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True, prepare=False)
        return [Row(*row) for row in await cursor.fetchall()]
