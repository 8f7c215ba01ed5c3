"""``kirana replay FILE``: a month of a real shop's invoices, through the HTTP API, with every rupee accounted for."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.commands.console import CommandFailed, err, out, say
from app.commands.progress import progress
from app.core.config import get_settings
from app.replay.driver import Done, Replay
from app.replay.journal import Journal
from app.replay.plan import Plan, UnreadableRow, plan_of
from app.replay.shop import Login, Shop

STAFF_IP = "10.255.255.1"
SHOWN_ERRORS = 20


def replay(
    file: Annotated[Path, typer.Argument(help="UCI Online Retail CSV (.csv or .csv.gz).", exists=True, dir_okay=False)],
    url: Annotated[str | None, typer.Option(help="The store; by default the one `kirana up` started.")] = None,
    staff: Annotated[str, typer.Option("--as", help="Phone of the staff who set prices and stock.")] = "+919000000001",
    warehouse: Annotated[str, typer.Option(help="Where the opening stock is received.")] = "BLR",
    limit: Annotated[int | None, typer.Option(help="Only the first so many invoices.", min=1)] = None,
) -> None:
    """Replay invoices as logins, carts, checkouts and payments, and credit invoices as cancellations and refunds.

    A price that differs from the current one is a staff price change first. An interrupted replay goes on where it
    was. The catalog must have been imported (`kirana catalog import FILE`), and the store must run with
    KIRANA_OTP_SENDER=file.
    """
    settings = get_settings()
    try:
        plan = plan_of(file, limit)
    except UnreadableRow as error:
        raise CommandFailed(str(error)) from None
    base = url or f"http://{settings.host}:{settings.port}"
    journal = Journal.of(settings.data_dir / "replay", file, base)
    shop = Shop(base, settings)
    driver = Replay(shop, Login(staff, STAFF_IP), plan, journal, warehouse)
    try:
        skus = plan.units_sold()
        with progress("opening stock", len(skus)) as tick:
            driver.receive_opening_stock(lambda: tick(1))
        with progress("invoices", len(plan.steps)) as tick:
            driver.run(lambda: tick(1))
    finally:
        shop.close()
    _tell(plan, driver.done, shop.requests)
    differences = disagreements(plan, driver.done)
    for line in [*driver.done.errors[:SHOWN_ERRORS], *differences]:
        err.print(line, markup=False, soft_wrap=True)
    if driver.done.errors or differences:
        raise CommandFailed(f"{len(driver.done.errors)} unexpected errors, {len(differences)} sums that differ")


def disagreements(plan: Plan, done: Done) -> list[str]:
    """Where what the store answered is not what the file says, less its rejects; empty when all agrees."""
    expected = {
        "orders": (len(plan.purchases), done.orders),
        "order lines": (sum(len(purchase.lines) for purchase in plan.purchases), done.lines),
        "units": (sum(line.quantity for p in plan.purchases for line in p.lines), done.units),
        "goods": (sum(purchase.amount for purchase in plan.purchases), done.goods),
        "money in": (done.goods + done.shipping, done.captured),
        "refunds": (len(plan.returns), done.refunds),
        "units returned": (sum(line.quantity for r in plan.returns for line in r.lines), done.units_returned),
        "goods refunded": (sum(credit.amount for credit in plan.returns), done.goods_refunded),
    }
    return [
        f"{name}: the file says {said}, the store {answered}"
        for name, (said, answered) in expected.items()
        if said != answered
    ]


def _tell(plan: Plan, done: Done, requests: int) -> None:
    table = Table("what", "count", "units", "amount")
    table.add_row("orders", f"{done.orders:,}", f"{done.units:,}", rupees(done.goods))
    table.add_row("  order lines", f"{done.lines:,}", "", "")
    table.add_row("  shipping", "", "", rupees(done.shipping))
    table.add_row("money in", "", "", rupees(done.captured))
    table.add_row("refunds", f"{done.refunds:,}", f"{done.units_returned:,}", rupees(done.goods_refunded))
    table.add_row("  of them cancellations", f"{done.cancellations:,}", "", "")
    table.add_row("money refunded", "", "", rupees(done.refunded))
    table.add_row("price changes by staff", f"{done.price_changes:,}", "", "")
    for reason in sorted(plan.rejects.rows):
        units, paise = plan.rejects.units[reason], plan.rejects.paise[reason]
        table.add_row(f"reject: {reason}", f"{plan.rejects.rows[reason]:,}", f"{units:,}", rupees(paise))
    table.add_row("unexpected errors", f"{len(done.errors):,}", "", "")
    out.print(table)
    say(f"{plan.rows:,} rows of the file, {requests:,} requests")


def rupees(paise: int) -> str:
    """Paise as rupees, two places."""
    return f"{paise // 100:,}.{paise % 100:02d}"
