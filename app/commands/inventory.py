"""``kirana inventory``: deliveries and counts that come as files."""

import csv
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.table import Table

from app.catalog_import.definition import NotThatFormat
from app.commands.console import CommandFailed, err, new_typer, out, say
from app.commands.progress import progress
from app.commands.staff import acting_staff
from app.core.config import Settings, get_settings
from app.core.errors import BY_SQLSTATE
from app.stock_files.applying import StockFile, known_skus
from app.stock_files.reading import BadLine, Kind, StockLine, read, unknown

app = new_typer("Receive deliveries and count shelves from files.")

SHOWN_BAD = 20

File = Annotated[Path, typer.Argument(help="A .csv or .csv.gz.", exists=True, dir_okay=False)]
Warehouse = Annotated[str, typer.Option(help="Code of the warehouse.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and check everything; change nothing.")]
Errors = Annotated[Path | None, typer.Option(help="Write the lines that are no good to this CSV.", dir_okay=False)]
As = Annotated[str | None, typer.Option("--as", help="Phone of the staff it is done as; the first owner's.")]


@app.command("receive")
def receive(
    file: File,
    warehouse: Warehouse,
    reference: Annotated[str | None, typer.Option(help="The supplier's delivery note.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it came, in a few words.")] = None,
    dry_run: DryRun = False,
    errors: Errors = None,
    by: As = None,
) -> None:
    """Receive a delivery: columns sku, quantity and, where it differs, reference.

    The same file and reference again changes nothing. A file with a line that is no good is not begun. Orders that
    wait for a SKU are served first.
    """
    settings = get_settings()
    staff_id = acting_staff(settings, by)
    lines = _checked(settings, file, "receive", warehouse, errors)
    units = sum(line.units for line in lines)
    if dry_run:
        say(f"{len(lines):,} SKUs, {units:,} units: all good; nothing was done (--dry-run)")
        return
    with psycopg.connect(settings.dsn("command"), autocommit=True) as connection, progress(file.name, len(lines)) as on:
        source = StockFile(connection, staff_id, file, warehouse, reference)
        totals = _told(lambda: source.receive(lines, reference, reason, on))
    table = Table("delivery", warehouse)
    for name, found in (
        ("SKUs", len(lines)),
        ("units", totals["units"]),
        ("units for waiting orders", totals["allocated"]),
        ("SKUs that were in already", totals["replayed"]),
    ):
        table.add_row(name, f"{found:,}")
    out.print(table)


@app.command("count")
def count(
    file: File,
    warehouse: Warehouse,
    note: Annotated[str | None, typer.Option(help="What was counted, for instance the aisle.")] = None,
    post: Annotated[bool, typer.Option("--post", help="Take the differences into the books at once.")] = False,
    dry_run: DryRun = False,
    errors: Errors = None,
    by: As = None,
) -> None:
    """Count from a file: columns sku, counted_quantity and, if it was noted, expected_quantity (what the books said).

    The count is left in review, to be looked over and posted by staff, unless --post says to.
    """
    settings = get_settings()
    staff_id = acting_staff(settings, by)
    lines = _checked(settings, file, "count", warehouse, errors)
    if dry_run:
        say(f"{len(lines):,} SKUs counted: all good; nothing was done (--dry-run)")
        return
    with psycopg.connect(settings.dsn("command"), autocommit=True) as connection, progress(file.name, len(lines)) as on:
        source = StockFile(connection, staff_id, file, warehouse, note)
        done = _told(lambda: source.count(lines, note, post=post, advance=on))
    table = Table("count", str(done["number"]))
    table.add_row("status", str(done["status"]))
    table.add_row("SKUs", f"{done['line_count']:,}")
    table.add_row("SKUs that differ", f"{done['differing_lines']:,}")
    table.add_row("units more or less", f"{done['difference']:+,}")
    out.print(table)


def _checked(settings: Settings, file: Path, kind: Kind, warehouse: str, errors: Path | None) -> list[StockLine]:
    """The file's lines, if every one of them is good. Raises CommandFailed, with the bad ones told."""
    try:
        lines, bad = read(file, kind)
    except NotThatFormat as error:
        raise CommandFailed(str(error)) from None
    total = len(lines) + len(bad)
    with psycopg.connect(settings.query_primary_dsn() or settings.dsn("query")) as reader:
        bad += unknown(lines, known_skus(reader, lines))
        found = reader.execute("SELECT is_active FROM store.warehouses WHERE code = %s", (warehouse,)).fetchone()
    if found is None or (kind == "receive" and not found[0]):
        raise CommandFailed(f"there is no warehouse {warehouse} at work")
    if bad:
        _tell(sorted(bad, key=lambda line: line.line), errors)
        raise CommandFailed(f"{len(bad)} of {total} lines are no good; nothing was done")
    if not lines:
        raise CommandFailed(f"{file} has no lines")
    return lines


def _tell(bad: list[BadLine], errors: Path | None) -> None:
    with ExitStack() as stack:
        if errors is not None:
            writer = csv.writer(stack.enter_context(errors.open("w", encoding="utf-8", newline="")))
            writer.writerow(("line", "sku", "reason"))
            writer.writerows((line.line, line.sku, line.reason) for line in bad)
    for line in bad[:SHOWN_BAD]:
        err.print(f"line {line.line}: {line.sku}: {line.reason}", markup=False, soft_wrap=True)
    if len(bad) > SHOWN_BAD:
        where = f"see {errors}" if errors is not None else "--errors FILE writes them all"
        err.print(f"… and {len(bad) - SHOWN_BAD} more: {where}", markup=False, soft_wrap=True)


def _told(work: Any) -> dict[str, Any]:
    """What ``work`` gives; a refusal of the store as one line."""
    try:
        return dict(work())
    except psycopg.Error as error:
        known = BY_SQLSTATE.get(error.sqlstate or "")
        if known is None:
            raise
        detail = error.diag.message_detail or ""
        raise CommandFailed(f"{error.diag.message_primary} {detail} {known.remedy}") from None
