"""``kirana cod``: what couriers paid out of the cash they took at the door."""

import asyncio
import csv
import re
from collections.abc import Iterator
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
from app.settlement_files.reader import BadLine, NotASettlementFile
from app.settlement_files.remittances import CashLine, read_remittance
from command_api.services.cash import Remittance, Settling, Summed, settle
from command_api.services.procedures import Outcome

app = new_typer("Cash that couriers took at the door, and what they paid out of it.")

SHOWN_BAD_LINES = 20
_REFERENCE = re.compile(r"[!-~]{1,100}")
REPORT = """
    SELECT l.status, l.line_no, l.tracking_number, l.order_number, l.amount, l.fee, l.due, l.order_id, o.number,
        c.courier, c.amount, c.amount - c.remitted - c.fee - c.written_off
    FROM store.cod_remittance_lines l
    LEFT JOIN store.orders o ON o.id = l.order_id
    LEFT JOIN store.cod_collections c ON c.order_id = l.order_id
    WHERE l.remittance_id = %s AND (%s OR l.status <> 'matched') ORDER BY l.line_no
"""
COLUMNS = (
    *("status", "line", "tracking_number", "order_number", "amount", "fee", "due", "order_id", "our_order_number"),
    *("our_courier", "collected", "outstanding", "reason"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    path: Path
    staff_id: UUID
    remittance: Remittance
    report: Path | None
    every_line: bool


@app.callback()
def _cod() -> None:
    """Cash that couriers took at the door, and what they paid out of it."""


@app.command("settle")
def settle_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The courier's CSV, or .csv.gz.")],
    courier: Annotated[str, typer.Option(help="Who paid, as the shipments name their carrier.")],
    reference: Annotated[str, typer.Option(help="The courier's own for this remittance, or the bank's UTR.")],
    amount: Annotated[
        int | None, typer.Option(help="Paise that arrived: refused when the lines add up to else.")
    ] = None,
    received: Annotated[datetime | None, typer.Option(help="UTC; when the money arrived. Now, by default.")] = None,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="Write what differs, or is bad, as CSV.")] = None,
    every_line: Annotated[bool, typer.Option("--all-lines", help="Write matched lines to the report, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be found, and keep nothing.")] = False,
    by: Annotated[str | None, typer.Option("--as", help="Phone of who does it; the first owner by default.")] = None,
) -> None:
    """Hold what a courier paid out against the cash he took; exit status 1 when something differs.

    A file with a line that can't be understood is refused whole: under its reference no second one would be taken.
    """
    settings = get_settings()
    if not courier.strip() or not _REFERENCE.fullmatch(reference):
        raise CommandFailed("a courier has a name, and a reference is up to 100 characters without a space")
    try:
        summed = _sum(file, report)
        if amount is not None and amount != summed.amount:
            raise CommandFailed(f"{file}: its lines add up to {summed.amount} paise, and {amount} arrived")
        at = None if received is None else received.replace(tzinfo=UTC)
        remittance = Remittance(courier.strip(), reference, summed, at)
        asked = Asked(file, acting_staff(settings, by), remittance, report, every_line)
        outcome = asyncio.run(_settled(settings, asked, dry_run=dry_run))
    except NotASettlementFile as error:
        raise CommandFailed(f"{file}: {error}") from error
    except PoolTimeout as error:
        raise CommandFailed("PostgreSQL does not answer: start it, or set KIRANA_DATABASE_URL") from error
    except psycopg.Error as error:
        refused = refusal_of(error)
        if refused is None:
            raise
        raise CommandFailed(refused.detail or refused.refusal.title) from error
    _show(file, outcome, dry_run=dry_run)
    if outcome.result["differing"]:
        raise typer.Exit(1)


def _sum(file: Path, report: Path | None) -> Summed:
    """The sums of a file that is good from end to end. Raises CommandFailed with what is bad about another."""
    summed, bad = Summed(), 0
    shown: list[BadLine] = []
    for item in read_remittance(file):
        if isinstance(item, CashLine):
            summed.add(item)
            continue
        bad += 1
        shown += [item] if len(shown) < SHOWN_BAD_LINES else []
    if bad:
        if report is not None:
            _write_bad(file, report)
        for line in shown:
            err.print(f"line {line.number}: {line.reason}", markup=False)
        raise CommandFailed(f"{file}: {bad:,} lines can't be understood; nothing was kept")
    if not summed.lines:
        raise CommandFailed(f"{file}: it has no lines")
    return summed


def _write_bad(file: Path, report: Path) -> None:
    with report.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for item in read_remittance(file):
            if isinstance(item, BadLine):
                writer.writerow({"status": "bad", "line": item.number, "reason": item.reason})


async def _settled(settings: Settings, asked: Asked, *, dry_run: bool) -> Outcome:
    async with patient_pool(settings, dry_run=dry_run) as pool:
        with progress(f"{asked.path.name} ({asked.remittance.courier})", asked.remittance.summed.lines) as advance:
            settling = Settling(pool, asked.staff_id, {}, not dry_run, advance)
            outcome = await settle(settling, asked.remittance, _good(asked.path))
        if asked.report is not None:
            await _write_report(pool, outcome.result["id"], asked.report, every_line=asked.every_line)
        return outcome


def _good(path: Path) -> Iterator[CashLine]:
    return (item for item in read_remittance(path) if isinstance(item, CashLine))


async def _write_report(pool: CommandPool, remittance_id: str, path: Path, *, every_line: bool) -> None:
    """The remittance's lines as CSV, streamed. Amounts in paise."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("SET LOCAL ROLE kirana_writer")
            async with connection.cursor(name="report") as cursor:
                await cursor.execute(REPORT, (remittance_id, every_line))
                async for row in cursor:
                    writer.writerow([*("" if value is None else value for value in row), ""])


def _show(file: Path, outcome: Outcome, *, dry_run: bool) -> None:
    result: dict[str, Any] = outcome.result
    table = Table("what", "lines")
    for status, number in sorted(result["lines"].items()):
        table.add_row(status.replace("_", " "), f"{number:,}")
    out.print(table)
    say(
        f"{file.name}: {result['line_count']:,} lines, {result['amount']:,} paise paid, {result['fee']:,} kept as fees;"
        f" {result['applied']:,} of it was owed"
    )
    if outcome.replayed:
        say("this remittance was settled before: nothing was changed")
    if dry_run:
        say("dry run: nothing was kept")
