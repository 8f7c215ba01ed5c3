"""Reads of invoices and credit notes, by their buyer and by staff. SELECT only, primary: they are the law's."""

from typing import Any
from uuid import UUID

from app.core.database import QueryPool
from query_api.repositories.admin import Row

# The buyer is the order's address, which is forgotten with the shopper; from 50,000 rupees on an invoice has its own.
DOCUMENT = """
    SELECT i.id, i.kind, i.number, i.financial_year, i.issued_on, i.order_id, o.number AS order_number,
        (SELECT c.number FROM store.invoices c WHERE c.id = i.corrects_id) AS corrects_number, i.refund_id, i.reason,
        i.seller, (o.shipping_address - '{id,phone}'::text[]) || i.buyer AS buyer, i.place_of_supply, i.currency,
        i.amount, i.taxable_amount, i.cgst_amount, i.sgst_amount, i.igst_amount,
        COALESCE((SELECT json_agg((SELECT row_to_json(line) FROM (SELECT
            l.line_no, l.kind, l.order_item_id, l.sku, l.description, l.hsn_code, l.quantity, l.unit_price,
            l.discount_amount, l.amount, l.tax_rate_bp, l.taxable_amount, l.cgst_amount, l.sgst_amount, l.igst_amount
            ) AS line) ORDER BY l.line_no) FROM store.invoice_lines l WHERE l.invoice_id = i.id), '[]'::json) AS lines,
        COALESCE((SELECT json_agg(row_to_json(hsn) ORDER BY hsn.hsn_code, hsn.tax_rate_bp) FROM (SELECT
            l.hsn_code, l.tax_rate_bp, sum(l.quantity)::bigint AS quantity, sum(l.amount)::bigint AS amount,
            sum(l.taxable_amount)::bigint AS taxable_amount, sum(l.cgst_amount)::bigint AS cgst_amount,
            sum(l.sgst_amount)::bigint AS sgst_amount, sum(l.igst_amount)::bigint AS igst_amount
            FROM store.invoice_lines l WHERE l.invoice_id = i.id AND l.kind <> 'goodwill'
            GROUP BY l.hsn_code, l.tax_rate_bp) AS hsn), '[]'::json) AS hsn_summary
    FROM store.invoices i JOIN store.orders o ON o.id = i.order_id
"""
DOCUMENT_ROW = """
    i.id, i.kind, i.number, i.financial_year, i.issued_on, i.order_id, o.number AS order_number,
    (SELECT c.number FROM store.invoices c WHERE c.id = i.corrects_id) AS corrects_number, i.refund_id, i.reason,
    i.seller ->> 'gstin' AS seller_gstin, i.seller_state_code, i.place_of_supply, i.currency, i.amount,
    i.taxable_amount, i.cgst_amount, i.sgst_amount, i.igst_amount
"""


async def of_order(primary: QueryPool, order_id: UUID, user_id: UUID) -> list[dict[str, Any]] | None:
    """The order's invoice and its credit notes in their order; None when it is nobody's order, or another's."""
    async with primary.connection() as connection:
        mine = await connection.execute(
            "SELECT 1 FROM store.orders WHERE id = %s AND user_id = %s", (order_id, user_id)
        )
        if await mine.fetchone() is None:
            return None
        cursor = await connection.execute(
            f"SELECT to_json(d) FROM ({DOCUMENT} WHERE i.order_id = %s ORDER BY i.kind DESC, i.id) AS d", (order_id,)
        )
        return [row[0] for row in await cursor.fetchall()]


async def one(primary: QueryPool, invoice_id: UUID) -> dict[str, Any] | None:
    """One document with its lines."""
    async with primary.connection() as connection:
        cursor = await connection.execute(f"SELECT to_json(d) FROM ({DOCUMENT} WHERE i.id = %s) AS d", (invoice_id,))
        row = await cursor.fetchone()
    return None if row is None else row[0]


async def listed(primary: QueryPool, filters: dict[str, Any], limit: int, after: list[Any] | None) -> list[Row]:
    """Documents of a period, newest first; ``filters`` may hold since, until (dates, both in), kind and number."""
    where = ["true"]
    values: dict[str, Any] = {"limit": limit}
    conditions = {
        "since": "i.issued_on >= %(since)s",
        "until": "i.issued_on <= %(until)s",
        "kind": "i.kind = %(kind)s",
        "number": "i.number = %(number)s",
    }
    for name, condition in conditions.items():
        if filters.get(name) is not None:
            where.append(condition)
            values[name] = filters[name]
    if after is not None:
        where.append("(i.issued_on, i.id) < (%(at)s::date, %(id)s::uuid)")
        values |= {"at": after[0], "id": after[1]}
    statement = (
        "SELECT convert_to((SELECT row_to_json(document) FROM"
        f" (SELECT {DOCUMENT_ROW}) AS document)::text, 'UTF8'), i.issued_on, i.id"
        " FROM store.invoices i JOIN store.orders o ON o.id = i.order_id"
        f" WHERE {' AND '.join(where)} ORDER BY i.issued_on DESC, i.id DESC LIMIT %(limit)s"
    )
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True, prepare=False)
        return [Row(*row) for row in await cursor.fetchall()]
