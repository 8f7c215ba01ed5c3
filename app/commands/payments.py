"""``kirana payments``: what gateways settled against what the ledger says."""

import asyncio
import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from psycopg_pool import PoolTimeout
from rich.table import Table

from app.commands.console import CommandFailed, err, new_typer, out, say
from app.commands.patience import patient_pool
from app.commands.progress import progress
from app.commands.staff import acting_staff
from app.core.config import Settings, get_settings
from app.core.database import CommandPool
from app.core.problems import refusal_of
from app.settlement_files.layouts import BY_NAME
from app.settlement_files.reader import NotASettlementFile, read_path, sha256_of
from command_api.services.settlements import Reading, Reconciled, SettlementSource, reconcile

app = new_typer("Money: what gateways settled against what the ledger says.")

SHOWN_BAD_LINES = 20
REPORT = """
    SELECT l.status, l.line_no, l.kind, l.provider_ref, l.amount, abs(m.amount), l.currency, m.currency, l.fee, l.tax,
        s.reference, s.utr, l.settled_at, m.order_id, o.number, m.payment_id, m.refund_id
    FROM store.settlement_lines l
    LEFT JOIN store.money_movements m ON m.id = l.movement_id
    LEFT JOIN store.orders o ON o.id = m.order_id
    LEFT JOIN store.settlements s ON s.id = l.settlement_id
    WHERE l.file_id = %s AND (%s OR l.status <> 'matched') ORDER BY l.id
"""
COLUMNS = (
    *("status", "line", "kind", "provider_ref", "amount", "ledger_amount", "currency", "ledger_currency", "fee", "tax"),
    *("settlement_id", "utr", "settled_at", "order_id", "order_number", "payment_id", "refund_id"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    path: Path
    provider: str | None
    layout: str | None
    staff_id: UUID
    period: tuple[datetime | None, datetime | None]
    report: Path | None
    every_line: bool


@app.callback()
def _payments() -> None:
    """Money: what gateways settled against what the ledger says."""


@app.command("reconcile")
def reconcile_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The gateway's CSV, or .csv.gz.")],
    provider: Annotated[str | None, typer.Option(help="Whose file it is, where it does not say so.")] = None,
    layout: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(BY_NAME)}; by default known by the header.")
    ] = None,
    period_from: Annotated[
        datetime | None, typer.Option("--from", help="UTC; what the ledger has from then and no file names is missing.")
    ] = None,
    period_to: Annotated[datetime | None, typer.Option("--to", help="UTC; the end of that time.")] = None,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="Write what differs to this CSV.")] = None,
    every_line: Annotated[bool, typer.Option("--all-lines", help="Write matched lines to the report, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be found, and keep nothing.")] = False,
    by: Annotated[str | None, typer.Option("--as", help="Phone of who does it; the first owner by default.")] = None,
) -> None:
    """Hold a gateway's settlement file against the ledger; exit status 1 when something differs."""
    settings = get_settings()
    period = (_utc(period_from), _utc(period_to))
    asked = Asked(file, provider, layout, acting_staff(settings, by), period, report, every_line)
    try:
        found = asyncio.run(_reconciled(settings, asked, dry_run=dry_run))
    except NotASettlementFile as error:
        raise CommandFailed(f"{file}: {error}") from error
    except PoolTimeout as error:
        raise CommandFailed("PostgreSQL does not answer: start it, or set KIRANA_DATABASE_URL") from error
    except psycopg.Error as error:
        refused = refusal_of(error)
        if refused is None:
            raise
        raise CommandFailed(refused.detail or refused.refusal.title) from error
    _show(file, found, dry_run=dry_run)
    if not found.clean:
        raise typer.Exit(1)


def _utc(given: datetime | None) -> datetime | None:
    return None if given is None else given.replace(tzinfo=UTC)


async def _reconciled(settings: Settings, asked: Asked, *, dry_run: bool) -> Reconciled:
    async with patient_pool(settings, dry_run=dry_run) as pool:
        return await _read(pool, asked, own_tx=not dry_run)


async def _read(pool: CommandPool, asked: Asked, *, own_tx: bool) -> Reconciled:
    sha256, lines = sha256_of(asked.path)
    layout, items = read_path(asked.path, asked.layout)
    provider = asked.provider or layout.provider
    with progress(f"{asked.path.name} ({layout.name})", lines) as advance:
        source = SettlementSource(asked.path.name, sha256, layout.name, items, provider)
        reading = Reading(pool, asked.staff_id, {}, own_tx, asked.period, advance)
        found = await reconcile(reading, source)
    if asked.report is not None:
        await _write_report(pool, found.result["id"], asked.report, every_line=asked.every_line)
    return found


async def _write_report(pool: CommandPool, file_id: str, path: Path, *, every_line: bool) -> None:
    """The file's lines as CSV, streamed. Amounts in the smallest unit."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("SET LOCAL ROLE kirana_writer")
            async with connection.cursor(name="report") as cursor:
                await cursor.execute(REPORT, (file_id, every_line))
                async for row in cursor:
                    writer.writerow(["" if value is None else value for value in row])


def _show(file: Path, found: Reconciled, *, dry_run: bool) -> None:
    result = found.result
    table = Table("what", "lines")
    for status, number in sorted(result["lines"].items()):
        table.add_row(status.replace("_", " "), f"{number:,}")
    out.print(table)
    for bad in found.bad[:SHOWN_BAD_LINES]:
        err.print(f"line {bad.number}: {bad.reason}", markup=False)
    read: dict[str, Any] = result["read"]
    left_out = ", ".join(f"{number:,} {kind}" for kind, number in sorted(read.get("others", {}).items()))
    say(
        f"{file.name}: {read.get('lines', 0):,} lines read, {read.get('bad', 0):,} bad, {read.get('known', 0):,} known"
        + (f", left out: {left_out}" if left_out else "")
    )
    if result["period_from"]:
        say(f"ledger from {result['period_from']} to {result['period_to']}")
    if found.replayed:
        say("this file was read before: nothing was changed")
    if dry_run:
        say("dry run: nothing was kept")
