"""Reads of merchandising for the store's people: a SKU's prices. SELECT only, primary."""

from typing import Any

from app.core.database import QueryPool
from query_api.repositories.admin import Row, document, rows_of

PRICE_COLUMNS = """
    c.id, c.price, c.mrp, v.currency, c.status, c.id = latest.id AS is_current, c.effective_from, c.changed_by,
    u.full_name AS changed_by_name, c.reason, c.created_at
"""


async def variant(primary: QueryPool, sku: str) -> Any:
    """The id of the variant with that SKU; None for none."""
    async with primary.connection() as connection:
        cursor = await connection.execute("SELECT id FROM store.product_variants WHERE sku = %s", (sku,))
        row = await cursor.fetchone()
    return None if row is None else row[0]


async def prices(primary: QueryPool, variant_id: Any, limit: int, after: list[Any] | None) -> list[Row]:
    """What a variant costs, cost, will cost or would have cost: the latest to take effect first."""
    values: dict[str, Any] = {"variant": variant_id, "limit": limit}
    where = "true"
    if after is not None:
        where = "(c.effective_from, c.id) < (%(at)s::timestamptz, %(id)s::bigint)"
        values |= {"at": after[0], "id": after[1]}
    return await rows_of(
        primary,
        f"SELECT {document(PRICE_COLUMNS)}, c.effective_from, c.id FROM store.price_changes c"
        " JOIN store.product_variants v ON v.id = c.variant_id LEFT JOIN store.users u ON u.id = c.changed_by"
        " LEFT JOIN LATERAL (SELECT a.id FROM store.price_changes a WHERE a.variant_id = v.id AND a.status = 'applied'"
        " ORDER BY a.effective_from DESC, a.id DESC LIMIT 1) AS latest ON true"
        f" WHERE c.variant_id = %(variant)s AND {where} ORDER BY c.effective_from DESC, c.id DESC LIMIT %(limit)s",
        values,
    )
