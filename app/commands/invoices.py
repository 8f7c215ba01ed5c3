"""``kirana invoices``: what the tax return asks for, month by month, and documents that wait to be issued."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TextIO

import psycopg
import typer
from psycopg.rows import dict_row
from rich.table import Table

from app.commands.console import CommandFailed, new_typer, out, say
from app.commands.progress import progress
from app.core.config import get_settings
from app.utils.states import GST_CODES

app = new_typer("Invoices and credit notes: for the tax return, and those that wait.")

FETCHED_AT_ONCE = 2000
# Above a lakh of rupees an invoice into another state is reported by itself; the others are summed by state and rate.
LARGE = 100_000_00
COLUMNS = (
    *("section", "document", "number", "date", "original_number", "original_date", "order", "seller_gstin"),
    *("place_of_supply", "supply", "rate", "hsn", "description", "quantity", "unit", "taxable", "igst", "cgst"),
    *("sgst", "total"),
)
LINES = """
    SELECT i.kind, i.number, i.issued_on, i.amount AS document_amount, c.number AS original_number,
        c.issued_on AS original_on, COALESCE(c.amount, i.amount) AS invoice_amount, o.number AS order_number,
        i.seller ->> 'gstin' AS seller_gstin, i.seller_state_code, i.place_of_supply, l.kind AS line_kind,
        l.tax_rate_bp, l.hsn_code, l.description, l.quantity, l.taxable_amount, l.igst_amount, l.cgst_amount,
        l.sgst_amount, l.amount
    FROM store.invoices AS i
    JOIN store.invoice_lines AS l ON l.invoice_id = i.id
    JOIN store.orders AS o ON o.id = i.order_id
    LEFT JOIN store.invoices AS c ON c.id = i.corrects_id
    WHERE i.issued_on >= %(first)s AND i.issued_on < %(after)s
    ORDER BY i.kind DESC, i.seller_state_code, i.serial, l.line_no
"""
COUNT = (
    "SELECT count(*) FROM store.invoices AS i JOIN store.invoice_lines AS l ON l.invoice_id = i.id"
    " WHERE i.issued_on >= %(first)s AND i.issued_on < %(after)s"
)
DUE = """
    SELECT o.number, d.kind, d.created_at, d.last_error FROM store.invoices_due AS d
    JOIN store.orders AS o ON o.id = d.order_id ORDER BY d.last_error IS NULL, d.id LIMIT %s
"""


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The CSV to write.", dir_okay=False)],
    month: Annotated[str, typer.Option(help="Such as 2026-11: documents by their date of issue, in India.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a month's invoices and credit notes, a row a line, with what GSTR-1 asks for.

    Amounts are rupees; those of credit notes are negative, so that a column sums to what is due. `section` is the
    table of GSTR-1 the row belongs to: B2CL, CDNUR, B2CS; FINANCIAL is goodwill, which is not reported.
    """
    if file.exists() and not force:
        raise CommandFailed(f"{file} is there already: --force replaces it")
    settings = get_settings()
    period = _period(month)
    with psycopg.connect(settings.query_primary_dsn() or settings.dsn("query")) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SET statement_timeout = 0; SET transaction_timeout = 0")
        connection.commit()
        found = connection.execute(COUNT, period).fetchone()
        total = int(found[0]) if found else 0
        with _whole(file) as handle, progress(file.name, total) as tick:
            writer = csv.writer(handle)
            writer.writerow(COLUMNS)
            for row in _lines(connection, period):
                writer.writerow(_cells(row))
                tick(1)
    say(f"{total:,} lines of {month} in {file}")


@app.command()
def due(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, those in trouble first.")] = 50,
) -> None:
    """Show the documents that are due and not issued yet, and why not. The worker issues them."""
    settings = get_settings()
    table = Table("order", "document", "due since", "trouble")
    with psycopg.connect(settings.query_primary_dsn() or settings.dsn("query")) as connection:
        for number, kind, since, error in connection.execute(DUE, (limit,)):
            table.add_row(number, kind, f"{since:%Y-%m-%d %H:%M:%S}", error or "")
    out.print(table)


def _period(month: str) -> dict[str, date]:
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise CommandFailed(f"{month} is no month: write it like 2026-11") from None
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return {"first": first, "after": after}


def _lines(connection: psycopg.Connection[Any], period: dict[str, date]) -> Iterator[dict[str, Any]]:
    """The lines of the month, streamed: the month of a large store does not fit into memory."""
    with connection.cursor(name="export", row_factory=dict_row) as cursor:
        cursor.itersize = FETCHED_AT_ONCE
        yield from cursor.execute(LINES, period)


@contextmanager
def _whole(file: Path) -> Iterator[TextIO]:
    """The file appears when it is complete, or not at all."""
    partial = file.with_name(f"{file.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as handle:
            yield handle
        partial.replace(file)
    except OSError as error:
        raise CommandFailed(f"{file} can't be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    sign = -1 if row["kind"] == "credit_note" else 1
    inter_state = row["seller_state_code"] != row["place_of_supply"]
    service = row["line_kind"] == "delivery"
    amounts = ("taxable_amount", "igst_amount", "cgst_amount", "sgst_amount", "amount")
    return (
        _section(row, inter_state),
        "credit note" if sign < 0 else "invoice",
        row["number"],
        row["issued_on"].isoformat(),
        row["original_number"] or "",
        row["original_on"].isoformat() if row["original_on"] else "",
        row["order_number"],
        row["seller_gstin"] or "",
        f"{GST_CODES[row['place_of_supply']]}-{row['place_of_supply']}",
        "inter-state" if inter_state else "intra-state",
        f"{row['tax_rate_bp'] / 100:g}",
        row["hsn_code"] or "",
        row["description"],
        str(0 if service else sign * row["quantity"]),
        "NA" if service else "NOS",
        *(_rupees(sign * row[name]) for name in amounts),
    )


def _section(row: dict[str, Any], inter_state: bool) -> str:
    if row["line_kind"] == "goodwill":
        return "FINANCIAL"
    if not inter_state or row["invoice_amount"] <= LARGE:
        return "B2CS"
    return "CDNUR" if row["kind"] == "credit_note" else "B2CL"


def _rupees(paise: int) -> str:
    return f"{'-' if paise < 0 else ''}{abs(paise) // 100}.{abs(paise) % 100:02d}"
