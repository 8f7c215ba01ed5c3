"""Reads for whoever looks after cash at the door: what couriers owe, what they paid out, and what differs."""

from typing import Any
from uuid import UUID

from app.core.database import QueryPool
from query_api.repositories.admin import Row, document, rows_of

OPEN_LINE = "l.status <> 'matched' AND l.resolution IS NULL"
OUTSTANDING = "c.remitted + c.fee + c.written_off < c.amount"
REST = "c.amount - c.remitted - c.fee - c.written_off"

REMITTANCE_COLUMNS = f"""
    r.id, r.courier, r.reference, r.amount, r.fee, r.currency, r.line_count, r.status, r.received_at, r.recorded_by,
    (SELECT COALESCE(jsonb_object_agg(t.status, t.number), '{{}}') FROM (SELECT l.status, count(*) AS number
        FROM store.cod_remittance_lines l WHERE l.remittance_id = r.id GROUP BY l.status) AS t) AS lines,
    (SELECT COALESCE(sum(l.applied_amount + l.applied_fee), 0)::bigint FROM store.cod_remittance_lines l
        WHERE l.remittance_id = r.id) AS applied,
    (SELECT count(*) FROM store.cod_remittance_lines l WHERE l.remittance_id = r.id AND {OPEN_LINE}) AS open_lines,
    r.created_at, r.settled_at
"""


async def remittances(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Remittances, newest first; ``filters`` may hold courier, reference, and ``open`` (with unexplained lines)."""
    where, values = _where(filters, {"courier": "r.courier", "reference": "r.reference"})
    if filters.get("open"):
        where.append(
            f"EXISTS (SELECT 1 FROM store.cod_remittance_lines l WHERE l.remittance_id = r.id AND {OPEN_LINE})"
        )
    if after is not None:
        where.append("r.id < %(id)s::uuid")  # ids are UUIDv7: they sort by creation
        values["id"] = after[1]
    return await rows_of(
        primary,
        f"SELECT {document(REMITTANCE_COLUMNS)}, r.created_at, r.id FROM store.cod_remittances r"
        f" WHERE {' AND '.join(where)} ORDER BY r.id DESC LIMIT %(limit)s",
        values | {"limit": limit},
    )


async def remittance(primary: QueryPool, remittance_id: UUID) -> Row | None:
    """One remittance; its verdicts as they are now."""
    found = await rows_of(
        primary,
        f"SELECT {document(REMITTANCE_COLUMNS)}, r.created_at, r.id FROM store.cod_remittances r WHERE r.id = %(id)s",
        {"id": remittance_id},
    )
    return found[0] if found else None


LINE_COLUMNS = f"""
    l.id, l.remittance_id, r.courier, r.reference, l.line_no, l.tracking_number, l.order_number, l.amount, l.fee,
    r.currency, l.status, l.order_id, o.number AS our_order_number, c.courier AS our_courier,
    c.amount AS collected, {REST} AS outstanding, l.due, l.applied_amount, l.applied_fee, l.resolution, l.note,
    l.resolved_by, l.resolved_at, l.created_at
"""


async def lines(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Lines, oldest first; ``filters`` may hold remittance_id, order_id, courier, status, ``open`` (unexplained)."""
    columns = {name: f"l.{name}" for name in ("remittance_id", "order_id", "status")} | {"courier": "r.courier"}
    where, values = _where(filters, columns)
    if filters.get("open"):
        where.append(OPEN_LINE)
    if after is not None:
        where.append("l.id > %(id)s::bigint")
        values["id"] = after[1]
    return await rows_of(
        primary,
        f"SELECT {document(LINE_COLUMNS)}, l.created_at, l.id FROM store.cod_remittance_lines l"
        " JOIN store.cod_remittances r ON r.id = l.remittance_id LEFT JOIN store.orders o ON o.id = l.order_id"
        " LEFT JOIN store.cod_collections c ON c.order_id = l.order_id"
        f" WHERE {' AND '.join(where)} ORDER BY l.id LIMIT %(limit)s",
        values | {"limit": limit},
    )


COLLECTION_COLUMNS = f"""
    c.order_id, o.number AS order_number, c.shipment_id, s.tracking_number, c.courier, c.amount, c.remitted, c.fee,
    c.written_off, {REST} AS outstanding, c.currency, (extract(epoch FROM now() - c.collected_at) / 86400)::int AS days,
    c.version, c.collected_at, c.updated_at
"""


async def collections(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Cash of orders, oldest first; ``filters`` may hold courier, order_id, ``outstanding``, ``unnamed``."""
    where, values = _where(filters, {"courier": "c.courier", "order_id": "c.order_id"})
    if filters.get("outstanding"):
        where.append(OUTSTANDING)
    if filters.get("unnamed"):
        where.append("c.courier IS NULL")
    if after is not None:
        where.append("(c.collected_at, c.order_id) > (%(at)s::timestamptz, %(id)s::uuid)")
        values |= {"at": after[0], "id": after[1]}
    return await rows_of(
        primary,
        f"SELECT {document(COLLECTION_COLUMNS)}, c.collected_at, c.order_id FROM store.cod_collections c"
        " JOIN store.orders o ON o.id = c.order_id LEFT JOIN store.shipments s ON s.id = c.shipment_id"
        f" WHERE {' AND '.join(where)} ORDER BY c.collected_at, c.order_id LIMIT %(limit)s",
        values | {"limit": limit},
    )


def _aged(name: str, condition: str) -> str:
    return f"COALESCE(sum({REST}) FILTER (WHERE {condition}), 0)::bigint AS {name}"


_DAYS = "now() - c.collected_at"
BY_COURIER = f"""
    SELECT c.courier, c.currency, count(*) AS orders, sum({REST})::bigint AS outstanding,
        min(c.collected_at) AS oldest_at,
        {_aged("up_to_7_days", f"{_DAYS} <= interval '7 days'")},
        {_aged("up_to_14_days", f"{_DAYS} > interval '7 days' AND {_DAYS} <= interval '14 days'")},
        {_aged("up_to_30_days", f"{_DAYS} > interval '14 days' AND {_DAYS} <= interval '30 days'")},
        {_aged("over_30_days", f"{_DAYS} > interval '30 days'")},
        COALESCE(c.courier, '') || ' ' || c.currency AS key
    FROM store.cod_collections c WHERE {OUTSTANDING} GROUP BY c.courier, c.currency
"""
COURIER_COLUMNS = """
    a.courier, a.currency, a.orders, a.outstanding, a.oldest_at, a.up_to_7_days, a.up_to_14_days, a.up_to_30_days,
    a.over_30_days
"""


async def outstanding(primary: QueryPool, limit: int, after: list[Any] | None) -> list[Row]:
    """What each courier still owes, by the age of the cash; who has owed longest comes first."""
    values: dict[str, Any] = {"limit": limit}
    further = ""
    if after is not None:
        further = "WHERE (a.oldest_at, a.key) > (%(at)s::timestamptz, %(id)s)"
        values |= {"at": after[0], "id": after[1]}
    return await rows_of(
        primary,
        f"SELECT {document(COURIER_COLUMNS)}, a.oldest_at, a.key FROM ({BY_COURIER}) AS a {further}"
        " ORDER BY a.oldest_at, a.key LIMIT %(limit)s",
        values,
    )


def _where(filters: dict[str, Any], columns: dict[str, str]) -> tuple[list[str], dict[str, Any]]:
    values = {name: filters[name] for name in columns if filters.get(name) is not None}
    return ["true", *(f"{columns[name]} = %({name})s" for name in values)], values
