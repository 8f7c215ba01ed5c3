"""Reads of shipments, for staff. SELECT only, primary."""

from typing import Any
from uuid import UUID

from app.core.database import QueryPool
from query_api.repositories.admin import Row, Versioned

MEMBERS = """
    s.id, o.number || '-' || s.shipment_no AS number, o.id AS order_id, o.number AS order_number,
    o.status AS order_status, w.code AS warehouse, s.status, s.carrier, s.tracking_number, s.tracking_url, s.packages,
    s.weight_grams,
    (SELECT json_agg((SELECT row_to_json(line) FROM (SELECT
        i.order_item_id, l.sku, l.title, i.quantity) AS line) ORDER BY l.line_no)
        FROM store.shipment_items i JOIN store.order_items l ON l.id = i.order_item_id
        WHERE i.shipment_id = s.id) AS items,
    s.version, s.created_at, s.updated_at, s.packed_at, s.shipped_at, s.closed_at
"""
DOCUMENT = f"convert_to((SELECT row_to_json(m) FROM (SELECT {MEMBERS}) AS m)::text, 'UTF8')"
FROM = (
    "FROM store.shipments s JOIN store.orders o ON o.id = s.order_id JOIN store.warehouses w ON w.id = s.warehouse_id"
)

PICK_LIST = """
SELECT convert_to((SELECT row_to_json(m) FROM (SELECT p.sku, p.title, p.quantity, p.shipments) AS m)::text, 'UTF8')
FROM (
    SELECT l.sku, min(l.title) AS title, sum(i.quantity)::bigint AS quantity, count(*) AS shipments
    FROM store.shipments s
    JOIN store.warehouses w ON w.id = s.warehouse_id
    JOIN store.shipment_items i ON i.shipment_id = s.id
    JOIN store.order_items l ON l.id = i.order_item_id
    WHERE w.code = %s AND s.status IN ('planned', 'picking')
    GROUP BY l.sku
) AS p
ORDER BY p.sku
"""


async def one(primary: QueryPool, shipment_id: UUID) -> Versioned | None:
    """A shipment, with its version for If-Match."""
    async with primary.connection() as connection:
        cursor = await connection.execute(
            f"SELECT {DOCUMENT}, s.version {FROM} WHERE s.id = %s", (shipment_id,), binary=True
        )
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)


async def listed(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Shipments, newest first; ``filters`` may hold status, warehouse, order_id, tracking_number."""
    where, values = ["true"], {"limit": limit} | filters
    columns = {
        "status": "s.status",
        "warehouse": "w.code",
        "order_id": "s.order_id",
        "tracking_number": "s.tracking_number",
    }
    where += [f"{column} = %({name})s" for name, column in columns.items() if filters.get(name) is not None]
    if after is not None:
        where.append("s.id < %(id)s::uuid")  # ids are UUIDv7: they sort by creation
        values["id"] = after[1]
    statement = (
        f"SELECT {DOCUMENT}, s.created_at, s.id {FROM} WHERE {' AND '.join(where)} ORDER BY s.id DESC LIMIT %(limit)s"
    )
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True, prepare=False)
        return [Row(*row) for row in await cursor.fetchall()]


async def pick_list(primary: QueryPool, warehouse: str) -> list[bytes] | None:
    """What is to be fetched in this warehouse, by SKU; None when there is no such warehouse."""
    async with primary.connection() as connection:
        known = await connection.execute("SELECT 1 FROM store.warehouses WHERE code = %s", (warehouse,))
        if await known.fetchone() is None:
            return None
        cursor = await connection.execute(PICK_LIST, (warehouse,), binary=True)
        return [row[0] for row in await cursor.fetchall()]
