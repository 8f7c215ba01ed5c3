"""Reads of stock, holds, backorders, transfers and counts, for staff. SELECT only, primary."""

from typing import Any
from uuid import UUID

from app.core.database import QueryPool
from query_api.repositories.admin import Row, Versioned

LEVELS = """
    v.sku, p.slug AS product_slug, p.title, v.title AS variant_title, s.on_hand, s.reserved, s.available,
    COALESCE(n.low_stock_threshold, t.low_stock_threshold) AS low_stock_threshold, n.low_stock_threshold IS NOT NULL
        AS has_own_threshold,
    CASE WHEN s.available <= 0 THEN 'out'
        WHEN s.available <= COALESCE(n.low_stock_threshold, t.low_stock_threshold) THEN 'low' ELSE 'ok' END AS level,
    COALESCE(k.policy, 'deny') AS policy, COALESCE(k.backorder_limit, 0) AS backorder_limit,
    COALESCE(k.backordered, 0) AS backordered, k.available_from, s.warehouses
"""
LEVELS_FROM = """
    store.product_variants v
    JOIN store.products p ON p.id = v.product_id
    CROSS JOIN store.store_settings t
    LEFT JOIN store.stock_levels n ON n.variant_id = v.id
    LEFT JOIN store.stock_policies k ON k.variant_id = v.id
    CROSS JOIN LATERAL (
        SELECT COALESCE(sum(places.on_hand), 0)::bigint AS on_hand,
            COALESCE(sum(places.reserved), 0)::bigint AS reserved,
            COALESCE(sum(places.on_hand - places.reserved) FILTER (WHERE places.is_active), 0)::bigint AS available,
            COALESCE(json_agg((SELECT row_to_json(place) FROM (SELECT
                places.code AS warehouse, places.is_active, places.on_hand, places.reserved,
                places.on_hand - places.reserved AS available) AS place) ORDER BY places.code), '[]'::json)
                AS warehouses
        FROM (
            SELECT w.code, w.is_active, sum(i.on_hand)::bigint AS on_hand, sum(i.reserved)::bigint AS reserved
            FROM store.inventory i JOIN store.warehouses w ON w.id = i.warehouse_id
            WHERE i.variant_id = v.id AND {place}
            GROUP BY w.id
        ) AS places
    ) AS s
"""
RESERVATION = """
    t.id, t.order_id, o.number AS order_number, o.status AS order_status, l.sku, w.code AS warehouse, t.bucket,
    t.quantity, t.restored_quantity,
    CASE WHEN t.status = 'held' THEN CASE WHEN t.expires_at > now() THEN 'open' ELSE 'expired' END ELSE t.status END
        AS state,
    t.expires_at, t.created_at, t.closed_at
"""
RESERVATION_FROM = """
    store.inventory_reservations t
    JOIN store.orders o ON o.id = t.order_id
    JOIN store.order_items l ON l.id = t.order_item_id
    JOIN store.warehouses w ON w.id = t.warehouse_id
"""
RESERVATION_STATES = {
    "open": "t.status = 'held' AND t.expires_at > now()",
    "expired": "t.status = 'held' AND t.expires_at <= now()",
    "consumed": "t.status = 'consumed'",
    "released": "t.status = 'released'",
}
BACKORDER = """
    t.id, t.order_id, o.number AS order_number, o.status AS order_status, l.sku, t.status, t.quantity,
    t.allocated_quantity, t.cancelled_quantity, t.quantity - t.allocated_quantity - t.cancelled_quantity
        AS waiting_quantity,
    t.expected_at, t.created_at, t.confirmed_at, t.closed_at
"""
BACKORDER_FROM = """
    store.backorders t
    JOIN store.orders o ON o.id = t.order_id
    JOIN store.order_items l ON l.id = t.order_item_id
"""
TRANSFER_HEAD = """
    t.id, t.number, t.status, f.code AS from_warehouse, d.code AS to_warehouse, t.reference, t.note, t.created_by,
    (SELECT count(*) FROM store.stock_transfer_lines l WHERE l.transfer_id = t.id) AS line_count,
    (SELECT COALESCE(sum(l.quantity), 0)::bigint FROM store.stock_transfer_lines l WHERE l.transfer_id = t.id) AS units,
    (SELECT COALESCE(sum(l.lost_quantity), 0)::bigint FROM store.stock_transfer_lines l WHERE l.transfer_id = t.id)
        AS lost_units,
    t.version, t.created_at, t.dispatched_at, t.closed_at
"""
TRANSFER_LINES = """
    COALESCE((SELECT json_agg((SELECT row_to_json(line) FROM (SELECT
        v.sku, l.quantity, l.received_quantity, l.returned_quantity, l.lost_quantity, l.loss_reason) AS line)
        ORDER BY v.sku) FROM store.stock_transfer_lines l JOIN store.product_variants v ON v.id = l.variant_id
        WHERE l.transfer_id = t.id), '[]'::json) AS lines
"""
TRANSFER_FROM = """
    store.stock_transfers t
    JOIN store.warehouses f ON f.id = t.from_warehouse_id
    JOIN store.warehouses d ON d.id = t.to_warehouse_id
"""
COUNT = """
    t.id, t.number, t.status, w.code AS warehouse, t.note, t.created_by, found.line_count, found.differing_lines,
    found.difference, t.version, t.created_at, t.closed_at
"""
COUNT_FROM = """
    store.stock_counts t
    JOIN store.warehouses w ON w.id = t.warehouse_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS line_count, count(*) FILTER (WHERE l.difference <> 0) AS differing_lines,
            COALESCE(sum(l.difference), 0)::bigint AS difference
        FROM store.stock_count_lines l WHERE l.count_id = t.id
    ) AS found
"""
COUNT_LINE = """
    v.sku, p.title, v.title AS variant_title, l.expected_quantity, l.counted_quantity, l.difference,
    (SELECT COALESCE(sum(i.on_hand), 0)::bigint FROM store.inventory i
        WHERE i.variant_id = l.variant_id AND i.warehouse_id = l.warehouse_id) AS on_hand,
    l.counted_by, l.counted_at
"""


def _document(columns: str) -> str:
    return f"convert_to((SELECT row_to_json(document) FROM (SELECT {columns}) AS document)::text, 'UTF8')"


async def _rows(primary: QueryPool, statement: str, values: dict[str, Any]) -> list[Row]:
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True, prepare=False)
        return [Row(*row) for row in await cursor.fetchall()]


async def _one(primary: QueryPool, statement: str, *values: Any) -> Versioned | None:
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True)
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)


def _beginning(prefix: str) -> str:
    """A LIKE pattern for what begins so."""
    return "".join(f"\\{char}" if char in "\\%_" else char for char in prefix) + "%"


async def levels(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """SKUs by name with their stock per warehouse; ``filters`` may hold low, warehouse, sku (how it begins)."""
    where, values = ["v.sku > %(after)s"], {"limit": limit, "after": after[0] if after else ""} | filters
    place = "true"
    if filters.get("sku") is not None:
        where.append("v.sku LIKE %(sku)s")
        values["sku"] = _beginning(filters["sku"])
    if filters.get("warehouse") is not None:
        place = "w.code = %(warehouse)s"
        where.append("s.warehouses::text <> '[]'")
    if filters.get("low"):
        # what is short in a warehouse need not be short in all of them
        where.append(
            "n.level <> 'ok'"
            if place == "true"
            else "s.available <= COALESCE(n.low_stock_threshold, t.low_stock_threshold)"
        )
    return await _rows(
        primary,
        f"SELECT {_document(LEVELS)}, v.sku, v.id FROM {LEVELS_FROM.format(place=place)}"
        f" WHERE {' AND '.join(where)} ORDER BY v.sku LIMIT %(limit)s",
        values,
    )


async def _newest_first(
    primary: QueryPool, columns: str, source: str, where: list[str], values: dict[str, Any], after: list[Any] | None
) -> list[Row]:
    if after is not None:
        where = [*where, "t.id < %(id)s::uuid"]  # ids are UUIDv7: they sort by creation
        values = values | {"id": after[1]}
    return await _rows(
        primary,
        f"SELECT {_document(columns)}, t.created_at, t.id FROM {source} WHERE {' AND '.join(['true', *where])}"
        " ORDER BY t.id DESC LIMIT %(limit)s",
        values,
    )


def _of_order_and_sku(filters: dict[str, Any]) -> list[str]:
    where = []
    if filters.get("sku") is not None:
        where.append("t.variant_id = (SELECT v.id FROM store.product_variants v WHERE v.sku = %(sku)s)")
    if filters.get("order_id") is not None:
        where.append("t.order_id = %(order_id)s")
    return where


async def reservations(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Holds, newest first; ``filters`` may hold sku, order_id, state (open, expired, consumed, released)."""
    where = _of_order_and_sku(filters)
    if filters.get("state") is not None:
        where.append(RESERVATION_STATES[filters["state"]])
    return await _newest_first(primary, RESERVATION, RESERVATION_FROM, where, filters | {"limit": limit}, after)


async def backorders(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Units sold beyond the stock, newest first; ``filters`` may hold sku, order_id, status."""
    where = _of_order_and_sku(filters)
    if filters.get("status") is not None:
        where.append("t.status = %(status)s")
    return await _newest_first(primary, BACKORDER, BACKORDER_FROM, where, filters | {"limit": limit}, after)


async def transfers(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Transfers, newest first; ``filters`` may hold status, warehouse (either end)."""
    where = []
    if filters.get("status") is not None:
        where.append("t.status = %(status)s")
    if filters.get("warehouse") is not None:
        where.append("%(warehouse)s IN (f.code, d.code)")
    return await _newest_first(primary, TRANSFER_HEAD, TRANSFER_FROM, where, filters | {"limit": limit}, after)


async def transfer(primary: QueryPool, transfer_id: UUID) -> Versioned | None:
    """A transfer with its lines."""
    columns = f"{TRANSFER_HEAD}, {TRANSFER_LINES}"
    return await _one(
        primary, f"SELECT {_document(columns)}, t.version FROM {TRANSFER_FROM} WHERE t.id = %s", transfer_id
    )


async def counts(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Stock counts, newest first; ``filters`` may hold status, warehouse."""
    where = []
    if filters.get("status") is not None:
        where.append("t.status = %(status)s")
    if filters.get("warehouse") is not None:
        where.append("w.code = %(warehouse)s")
    return await _newest_first(primary, COUNT, COUNT_FROM, where, filters | {"limit": limit}, after)


async def count(primary: QueryPool, count_id: UUID) -> Versioned | None:
    """A stock count, without its lines."""
    return await _one(primary, f"SELECT {_document(COUNT)}, t.version FROM {COUNT_FROM} WHERE t.id = %s", count_id)


async def count_lines(
    primary: QueryPool, count_id: UUID, differing: bool, limit: int, after: list[Any] | None
) -> list[Row]:
    """What was counted, by SKU; only what differs when asked for."""
    more = " AND l.difference <> 0" if differing else ""
    return await _rows(
        primary,
        f"SELECT {_document(COUNT_LINE)}, v.sku, v.id FROM store.stock_count_lines l"
        " JOIN store.product_variants v ON v.id = l.variant_id JOIN store.products p ON p.id = v.product_id"
        f" WHERE l.count_id = %(count)s AND v.sku > %(after)s{more} ORDER BY v.sku LIMIT %(limit)s",
        {"count": count_id, "after": after[0] if after else "", "limit": limit},
    )
