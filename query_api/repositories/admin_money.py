"""Reads for whoever looks after the store's money: payments, settlements, and all that a person must look at."""

from typing import Any, NamedTuple
from uuid import UUID

from app.core.database import QueryPool
from app.utils.stuck import STUCK_PAYMENT, STUCK_REFUND
from query_api.repositories.admin import Row, Versioned, document, rows_of
from query_api.repositories.admin_cash import OPEN_LINE as OPEN_CASH_LINE

OPEN_LINE = "l.status <> 'matched' AND NOT EXISTS (SELECT 1 FROM store.settlement_resolutions z WHERE z.line_id = l.id)"

PAYMENT_COLUMNS = f"""
    p.id, p.order_id, o.number AS order_number, p.attempt_no, p.method, p.provider, p.provider_payment_id, p.amount,
    p.captured_amount, p.currency, p.status, p.failure_code, p.expires_at, {STUCK_PAYMENT} AS stuck, p.check_at,
    p.check_attempts, p.check_answer, p.checked_at, p.version, p.created_at, p.updated_at
"""


async def payments(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Attempts to pay, newest first; ``filters`` may hold status, provider, order_id, and ``stuck``."""
    where, values = _where(filters, {"status": "p.status", "provider": "p.provider", "order_id": "p.order_id"})
    if filters.get("stuck"):
        where.append(STUCK_PAYMENT)
    if after is not None:
        where.append("p.id < %(id)s::uuid")  # ids are UUIDv7: they sort by creation
        values["id"] = after[1]
    return await rows_of(
        primary,
        f"SELECT {document(PAYMENT_COLUMNS)}, p.created_at, p.id FROM store.payments p"
        f" JOIN store.orders o ON o.id = p.order_id WHERE {' AND '.join(where)}"
        " ORDER BY p.id DESC LIMIT %(limit)s",
        values | {"limit": limit},
    )


async def payment(primary: QueryPool, payment_id: UUID) -> Versioned | None:
    """One attempt."""
    found = await rows_of(
        primary,
        f"SELECT {document(PAYMENT_COLUMNS)}, p.created_at, p.version FROM store.payments p"
        " JOIN store.orders o ON o.id = p.order_id WHERE p.id = %(id)s",
        {"id": payment_id},
    )
    return Versioned(found[0].body, found[0].id) if found else None


SETTLEMENT_COLUMNS = """
    s.id, s.provider, s.reference, s.utr, s.currency, s.settled_at, s.line_count, s.matched_count, s.payment_total,
    s.refund_total, s.fee_total, s.tax_total,
    s.payment_total - s.refund_total - s.fee_total - s.tax_total AS net_total, s.created_at, s.updated_at
"""


async def settlements(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Payouts of gateways, newest first; ``filters`` may hold provider, reference, utr."""
    where, values = _where(filters, {name: f"s.{name}" for name in ("provider", "reference", "utr")})
    if after is not None:
        where.append("s.id < %(id)s::uuid")
        values["id"] = after[1]
    return await rows_of(
        primary,
        f"SELECT {document(SETTLEMENT_COLUMNS)}, s.created_at, s.id FROM store.settlements s"
        f" WHERE {' AND '.join(where)} ORDER BY s.id DESC LIMIT %(limit)s",
        values | {"limit": limit},
    )


FILE_COLUMNS = """
    f.id, f.provider, f.name, f.layout, f.status, encode(f.sha256, 'hex') AS sha256, f.period_from, f.period_to,
    f.result -> 'read' AS read, f.result -> 'lines' AS lines, (f.result ->> 'differing')::bigint AS differing,
    f.imported_by, f.created_at, f.closed_at
"""


async def files(primary: QueryPool, provider: str | None, limit: int, after: list[Any] | None) -> list[Row]:
    """Settlement files, newest first."""
    where, values = _where({"provider": provider}, {"provider": "f.provider"})
    if after is not None:
        where.append("f.id < %(id)s::uuid")
        values["id"] = after[1]
    return await rows_of(
        primary,
        f"SELECT {document(FILE_COLUMNS)}, f.created_at, f.id FROM store.settlement_files f"
        f" WHERE {' AND '.join(where)} ORDER BY f.id DESC LIMIT %(limit)s",
        values | {"limit": limit},
    )


LINE_COLUMNS = """
    l.id, l.file_id, l.line_no, l.settlement_id, s.reference AS settlement, l.provider, l.kind, l.provider_ref,
    l.our_id, l.amount, l.fee, l.tax, l.currency, l.occurred_at, l.settled_at, l.status, l.movement_id,
    abs(m.amount) AS ledger_amount, m.currency AS ledger_currency, m.order_id, m.payment_id, m.refund_id,
    z.kind AS resolution, z.note, z.staff_id AS closed_by, z.created_at AS resolved_at, l.created_at
"""


async def lines(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Lines, oldest first; ``filters`` may hold file_id, settlement_id, status, ``open`` (unexplained)."""
    where, values = _where(filters, {name: f"l.{name}" for name in ("file_id", "settlement_id", "status")})
    if filters.get("open"):
        where.append(OPEN_LINE)
    if after is not None:
        where.append("l.id > %(id)s::bigint")
        values["id"] = after[1]
    return await rows_of(
        primary,
        f"SELECT {document(LINE_COLUMNS)}, l.created_at, l.id FROM store.settlement_lines l"
        " LEFT JOIN store.settlements s ON s.id = l.settlement_id"
        " LEFT JOIN store.money_movements m ON m.id = l.movement_id"
        " LEFT JOIN store.settlement_resolutions z ON z.line_id = l.id"
        f" WHERE {' AND '.join(where)} ORDER BY l.id LIMIT %(limit)s",
        values | {"limit": limit},
    )


class Waiting(NamedTuple):
    """SQL of one kind of thing that waits for a person; read in the order of (since, key)."""

    since: str
    key: str
    reason: str
    source: str
    order_id: str = "NULL::uuid"
    amount: str = "NULL::bigint"
    currency: str = "NULL::text"


def _refund(reason: str, condition: str) -> Waiting:
    source = f"store.refunds r WHERE r.status NOT IN ('succeeded', 'waived') AND {condition}"
    return Waiting("r.updated_at", "r.id::text", reason, source, "r.order_id", "r.amount", "r.currency")


ATTENTION = {
    "order": Waiting(
        *("o.updated_at", "o.id::text", "o.attention", "store.orders o WHERE o.attention IS NOT NULL"),
        *("o.id", "o.captured_total", "o.currency"),
    ),
    "refund_failed": _refund("r.failure_code", "r.status = 'failed'"),
    "refund_stuck": _refund("COALESCE(r.check_answer, r.status)", STUCK_REFUND),
    "refund_by_hand": _refund("r.kind", "r.status = 'initiated' AND r.next_submit_at = 'infinity'"),
    "refund_approval": Waiting(
        *("a.created_at", "a.id::text", "a.reason"),
        "store.refund_approvals a WHERE a.status = 'pending' AND a.expires_at > now()",
        *("a.order_id", "a.amount", "a.currency"),
    ),
    "payment_stuck": Waiting(
        *("p.created_at", "p.id::text", "p.check_answer", f"store.payments p WHERE {STUCK_PAYMENT}"),
        *("p.order_id", "p.amount", "p.currency"),
    ),
    "settlement_line": Waiting(
        *("l.created_at", "l.id::text", "l.status", f"store.settlement_lines l WHERE {OPEN_LINE}"),
        amount="l.amount",
        currency="l.currency",
    ),
    "cod_line": Waiting(
        *("l.created_at", "l.id::text", "l.status", f"store.cod_remittance_lines l WHERE {OPEN_CASH_LINE}"),
        order_id="l.order_id",
        amount="l.amount",
    ),
    "dead_letter": Waiting(
        "d.first_at", "d.projection || '/' || d.view_key", "d.sqlstate", "read.dead_letters d WHERE true"
    ),
    "webhook_disabled": Waiting(
        *("w.updated_at", "w.id::text", "w.disabled_reason"),
        "store.webhook_subscribers w WHERE w.status = 'disabled'",
    ),
}


async def attention(primary: QueryPool, kind: str | None, limit: int, after: list[Any] | None) -> list[Row]:
    """All that a person must look at, what waits longest first."""
    values: dict[str, Any] = {"limit": limit}
    parts = []
    if after is not None:
        values |= {"since": after[0], "id": after[1]}
    for name, one in ATTENTION.items():
        if kind not in {None, name}:
            continue
        ident = f"'{name}/' || {one.key}"
        further = "" if after is None else f" AND ({one.since}, {ident}) > (%(since)s::timestamptz, %(id)s::text)"
        parts.append(
            f"(SELECT '{name}' AS kind, {one.key} AS id, {one.since} AS since, {one.order_id} AS order_id,"
            f" {one.reason} AS reason, {one.amount} AS amount, {one.currency} AS currency, {ident} AS ident"
            f" FROM {one.source}{further} ORDER BY {one.since}, {ident} LIMIT %(limit)s)"
        )
    columns = "a.kind, a.id, a.since, a.order_id, o.number AS order_number, a.reason, a.amount, a.currency"
    return await rows_of(
        primary,
        f"SELECT {document(columns)}, a.since, a.ident FROM ({' UNION ALL '.join(parts)}) AS a"
        " LEFT JOIN store.orders o ON o.id = a.order_id ORDER BY a.since, a.ident LIMIT %(limit)s",
        values,
    )


def _where(filters: dict[str, Any], columns: dict[str, str]) -> tuple[list[str], dict[str, Any]]:
    values = {name: filters[name] for name in columns if filters.get(name) is not None}
    return ["true", *(f"{columns[name]} = %({name})s" for name in values)], values
