"""From a CSV of invoices to what shoppers did: purchases and returns in time order, and the rows no shop could accept.

UCI Online Retail has columns InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country.
An invoice whose number starts with ``C`` takes goods back. Amounts become paise (UnitPrice × 100).
"""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from app.catalog_import.retail import is_goods, sku_of
from app.catalog_import.text import open_text

PAISE_PER_UNIT = 100


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one SKU at one price (paise each)."""

    sku: str
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """One invoice: a customer's cart, checked out and paid."""

    invoice: str
    customer: str
    lines: tuple[Line, ...]

    @property
    def amount(self) -> int:
        """Goods in paise."""
        return sum(line.quantity * line.unit_price for line in self.lines)


@dataclass(frozen=True, slots=True)
class Return:
    """Part of one credit invoice: units of one earlier purchase that go back, at the price they were bought for."""

    invoice: str
    customer: str
    purchase: str
    lines: tuple[Line, ...]
    everything: bool

    @property
    def amount(self) -> int:
        """Goods in paise."""
        return sum(line.quantity * line.unit_price for line in self.lines)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the file, its shape checked."""

    number: int
    invoice: str
    customer: str
    code: str
    quantity: int
    price: int
    moment: str


@dataclass
class Rejects:
    """Rows left out, by reason: how many, how many units, how many paise (absolute)."""

    rows: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    paise: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, row: Row, quantity: int | None = None) -> None:
        """Count one row, or ``quantity`` units of it."""
        units = abs(row.quantity) if quantity is None else quantity
        self.rows[reason] += 1
        self.units[reason] += units
        self.paise[reason] += units * abs(row.price)


@dataclass
class Plan:
    """What to replay, in time order, and what was left out."""

    steps: list[Purchase | Return] = field(default_factory=list)
    rejects: Rejects = field(default_factory=Rejects)
    rows: int = 0

    @property
    def purchases(self) -> list[Purchase]:
        """The purchases among the steps."""
        return [step for step in self.steps if isinstance(step, Purchase)]

    @property
    def returns(self) -> list[Return]:
        """The returns among the steps."""
        return [step for step in self.steps if isinstance(step, Return)]

    def units_sold(self) -> Counter[str]:
        """Units per SKU that the purchases need."""
        needed: Counter[str] = Counter()
        for purchase in self.purchases:
            for line in purchase.lines:
                needed[line.sku] += line.quantity
        return needed


class UnreadableRow(ValueError):
    """A row whose numbers are none; the message says which column."""


def read_rows(path: Path) -> Iterator[Row]:
    """Every row of a ``.csv`` or ``.csv.gz``. Raises ``UnreadableRow`` with the line's number."""
    with open_text(path) as stream:
        for raw in (reader := csv.DictReader(stream)):
            try:
                yield Row(
                    reader.line_num,
                    raw["InvoiceNo"].strip(),
                    raw["CustomerID"].strip(),
                    raw["StockCode"].strip(),
                    int(raw["Quantity"]),
                    int((Decimal(raw["UnitPrice"]) * PAISE_PER_UNIT).to_integral_value()),
                    raw["InvoiceDate"].strip(),
                )
            except (KeyError, ValueError, InvalidOperation, AttributeError, TypeError) as error:
                raise UnreadableRow(f"line {reader.line_num}: not a row of the retail file ({error!r})") from error


def plan_of(path: Path, limit: int | None = None) -> Plan:
    """The whole plan of a file; ``limit`` takes the first so many invoices (by time) only."""
    plan = Plan()
    invoices: dict[str, list[Row]] = {}
    for row in read_rows(path):
        invoices.setdefault(row.invoice, []).append(row)
    ordered = sorted(invoices.values(), key=lambda rows: (rows[0].moment, rows[0].number))
    left: dict[str, dict[str, Counter[tuple[str, int]]]] = {}
    for rows in ordered[:limit]:
        plan.rows += len(rows)
        if rows[0].invoice.startswith("C"):
            _plan_returns(plan, rows, left)
        else:
            _plan_purchase(plan, rows, left)
    return plan


def _plan_purchase(plan: Plan, rows: list[Row], left: dict[str, dict[str, Counter[tuple[str, int]]]]) -> None:
    prices: dict[str, int] = {}
    quantities: Counter[str] = Counter()
    for row in rows:
        reason = _why_not(row) or ("quantity_not_positive" if row.quantity <= 0 else None)
        sku = sku_of(row.code)
        if reason is None and prices.setdefault(sku, row.price) != row.price:
            reason = "second_price_in_invoice"
        if reason is not None:
            plan.rejects.add(reason, row)
            continue
        quantities[sku] += row.quantity
    if quantities:
        lines = tuple(Line(sku, quantity, prices[sku]) for sku, quantity in quantities.items())
        purchase = Purchase(rows[0].invoice, rows[0].customer, lines)
        plan.steps.append(purchase)
        bought = Counter({(line.sku, line.unit_price): line.quantity for line in lines})
        left.setdefault(purchase.customer, {})[purchase.invoice] = bought


def _plan_returns(plan: Plan, rows: list[Row], left: dict[str, dict[str, Counter[tuple[str, int]]]]) -> None:
    """Match each returned unit to the customer's latest purchase that still has it at that price."""
    taken: dict[str, Counter[tuple[str, int]]] = {}
    for row in rows:
        reason = _why_not(row) or ("quantity_not_negative" if row.quantity >= 0 else None)
        if reason is not None:
            plan.rejects.add(reason, row)
            continue
        wanted, key = -row.quantity, (sku_of(row.code), row.price)
        for invoice in reversed(list(left.get(row.customer, {}))):
            units = min(wanted, left[row.customer][invoice][key])
            if units:
                left[row.customer][invoice][key] -= units
                taken.setdefault(invoice, Counter())[key] += units
                wanted -= units
        if wanted:
            plan.rejects.add("never_bought_at_that_price", row, wanted)
    for invoice, units_of in taken.items():
        customer = rows[0].customer
        lines = tuple(Line(sku, units, price) for (sku, price), units in units_of.items())
        bought = next(p for p in plan.purchases if p.invoice == invoice)
        everything = Counter({(x.sku, x.unit_price): x.quantity for x in bought.lines}) == units_of
        plan.steps.append(Return(rows[0].invoice, customer, invoice, lines, everything))


def _why_not(row: Row) -> str | None:
    if not row.customer:
        return "no_customer"
    if row.price <= 0:
        return "price_not_positive"
    if not is_goods(row.code):
        return "not_a_product"
    return None
