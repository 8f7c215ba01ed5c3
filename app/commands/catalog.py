"""``kirana catalog import FILE`` and ``kirana catalog export FILE``: a shop's products from a file, and as one."""

import csv
import shutil
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import psycopg
import typer
from rich.table import Table

from app.catalog_export.files import STDOUT, count, export, snapshot
from app.catalog_import.definition import NotThatFormat, Reject
from app.catalog_import.files import Format, format_of, opened
from app.catalog_import.loader import Counts, Loader, Stocking
from app.commands.console import CommandFailed, err, new_typer, out, say
from app.commands.progress import progress
from app.commands.staff import acting_staff
from app.core.config import Settings, get_settings

app = new_typer("Bring products in from files, and write them to one.")

SHOWN_REJECTS = 20
# What a warehouse that the store does not have yet is made with; PUT /v1/admin/warehouses/{code} corrects it.
NEW_WAREHOUSE = {"state_code": "KA", "pincode": "560001"}
FIRST_WAREHOUSE = "BLR"


class FileFormat(StrEnum):
    """The formats that can be asked for."""

    AUTO = "auto"
    SHOPIFY = "shopify"
    RETAIL = "retail"


FORMATS: dict[FileFormat, Format] = {FileFormat.SHOPIFY: "shopify", FileFormat.RETAIL: "retail"}


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A .csv or .csv.gz; - reads stdin.", dir_okay=False)],
    kind: Annotated[FileFormat, typer.Option("--format", help="By default the header tells.")] = FileFormat.AUTO,
    warehouse: Annotated[
        str, typer.Option(help="Code of the warehouse for opening stock; it is made if it is not there.")
    ] = FIRST_WAREHOUSE,
    stock: Annotated[int, typer.Option(min=0, help="Opening stock of SKUs that the file states none for.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything, and take it back.")] = False,
    errors: Annotated[Path | None, typer.Option(help="Write what was left out to this CSV.", dir_okay=False)] = None,
    by: Annotated[str | None, typer.Option("--as", help="Phone of the staff it is done as; the first owner's.")] = None,
) -> None:
    """Import a Shopify product CSV or the UCI Online Retail CSV. The same file again changes nothing.

    A row that is no good is left out and told with its line; the rest goes in. What a column says that the file does
    not have stays as it is. Opening stock is received once, where a SKU never had any. Ctrl-C ends it after whole
    batches: run it again to go on.
    """
    settings = get_settings()
    staff_id = acting_staff(settings, by)
    with ExitStack() as stack:
        told = _Rejects(stack, errors)
        connection = stack.enter_context(psycopg.connect(settings.dsn("command"), autocommit=True))
        reader = stack.enter_context(psycopg.connect(primary_for_reading(settings), autocommit=True))
        on_disk = _on_disk(stack, file)
        loader = Loader(connection, reader, staff_id, _stocking(settings, warehouse, stock), dry_run=dry_run)
        try:
            _load(loader, on_disk, kind, told)
        except NotThatFormat as error:
            raise CommandFailed(str(error)) from None
        except KeyboardInterrupt:
            _tell(loader.counts, dry_run=dry_run)
            say("stopped. What is counted is in; the same command again goes on from there.")
            raise
    _tell(loader.counts, dry_run=dry_run)
    told.tell(errors)


@app.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(help="A .csv or .csv.gz; - writes to stdout.", dir_okay=False)] = STDOUT,
    kind: Annotated[Literal["shopify"], typer.Option("--format", help="What the file is to be.")] = "shopify",
) -> None:
    """Write every product as a Shopify product CSV, which the import finds unchanged.

    It is one moment of the store, and what Shopify has no column for is in columns of our own: see
    docs/operations/catalog.md.
    """
    with snapshot(primary_for_reading(get_settings())) as connection:
        products = count(connection)
        with progress(f"export as {kind}", products) as tick:
            rows = export(connection, file, tick)
    err.print(f"{products:,} products in {rows:,} rows", markup=False, soft_wrap=True)


def primary_for_reading(settings: Settings) -> str:
    """Where kirana_query reads what has just been written."""
    return settings.query_primary_dsn() or settings.dsn("query")


def _on_disk(stack: ExitStack, file: Path) -> Path:
    """The file itself; what comes by stdin is kept first, for it is read twice."""
    if file != STDOUT:
        if not file.is_file():
            raise CommandFailed(f"there is no file {file}")
        return file
    kept = Path(stack.enter_context(TemporaryDirectory(prefix="kirana-"))) / "stdin.csv"
    with kept.open("wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    return kept


def _load(loader: Loader, file: Path, kind: FileFormat, told: "_Rejects") -> None:
    source = opened(file, format_of(file) if kind is FileFormat.AUTO else FORMATS[kind])
    with progress(file.name, source.total) as tick:
        loader.load(source.items, told.add, lambda item: tick(source.steps_of(item)))


def _stocking(settings: Settings, code: str, default: int) -> Stocking:
    """Opening stock goes to this warehouse, which is made with the first products if it is not there."""
    with psycopg.connect(primary_for_reading(settings)) as connection:
        found = connection.execute("SELECT is_active FROM store.warehouses WHERE code = %s", (code,)).fetchone()
    if found == (False,):
        raise CommandFailed(f"the warehouse {code} is not at work")
    return Stocking(code, default, None if found is not None else {"name": code} | NEW_WAREHOUSE)


class _Rejects:
    """What was left out: into the file if there is one, and the first of it on the terminal."""

    def __init__(self, stack: ExitStack, path: Path | None) -> None:
        self._first: list[Reject] = []
        self._writer = None
        self._count = 0
        if path is not None:
            self._writer = csv.writer(stack.enter_context(path.open("w", encoding="utf-8", newline="")))
            self._writer.writerow(("line", "key", "reason", "found"))

    def add(self, reject: Reject) -> None:
        self._count += 1
        if self._writer is not None:
            self._writer.writerow((reject.line, reject.key, reject.reason, reject.found))
        if len(self._first) < SHOWN_REJECTS:
            self._first.append(reject)

    def tell(self, path: Path | None) -> None:
        for reject in self._first:
            err.print(f"line {reject.line}: {reject.key}: {reject.reason} {reject.found}", markup=False, soft_wrap=True)
        left = self._count - len(self._first)
        if left > 0:
            where = f"see {path}" if path is not None else "--errors FILE writes them all"
            err.print(f"… and {left} more: {where}", markup=False, soft_wrap=True)


def _tell(counts: Counts, *, dry_run: bool) -> None:
    table = Table("products", "count")
    for name in ("created", "changed", "unchanged"):
        table.add_row(name, f"{getattr(counts, name):,}")
    table.add_row("rows left out", f"{counts.rejected:,}")
    table.add_row("SKUs with opening stock", f"{counts.stocked_skus:,} ({counts.stocked_units:,} units)")
    out.print(table)
    if dry_run:
        say("nothing of it was kept (--dry-run)")
