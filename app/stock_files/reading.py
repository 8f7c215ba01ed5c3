"""Lines of a stock file: a SKU and its units. What is no good is told with its line, and nothing is guessed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.catalog_import.text import open_text, rows_of

MAX_UNITS = 1_000_000
LONGEST_REFERENCE = 200

Kind = Literal["receive", "count"]
FIELDS: dict[Kind, str] = {"receive": "quantity", "count": "counted_quantity"}
OPTIONAL: dict[Kind, str] = {"receive": "reference", "count": "expected_quantity"}


@dataclass(frozen=True, slots=True)
class StockLine:
    """A good line: what the procedure takes, and where it stands in the file."""

    line: int
    sku: str
    units: int
    more: str | int | None = None

    def as_parameter(self, kind: Kind) -> dict[str, object]:
        """The line as the procedures take it."""
        found: dict[str, object] = {"sku": self.sku, FIELDS[kind]: self.units}
        return found if self.more is None else found | {OPTIONAL[kind]: self.more}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be taken, and why."""

    line: int
    sku: str
    reason: str


def read(path: Path, kind: Kind) -> tuple[list[StockLine], list[BadLine]]:
    """All lines of a ``.csv`` or ``.csv.gz`` with the columns ``sku`` and ``quantity`` (``counted_quantity``).

    Raises ``NotThatFormat`` for a file that is no such CSV. A SKU that stands there twice is bad both times but for
    the first.
    """
    good: list[StockLine] = []
    bad: list[BadLine] = []
    seen: set[str] = set()
    with open_text(path) as stream:
        for row in rows_of(stream, frozenset({"sku", FIELDS[kind]})):
            sku = row.cells.get("sku", "").strip()
            reason = row.ragged or ("no SKU" if not sku else "" if sku not in seen else "the SKU stands above already")
            seen.add(sku)
            line = None if reason else _line(row.line, sku, row.cells, kind)
            if isinstance(line, StockLine):
                good.append(line)
            else:
                bad.append(BadLine(row.line, sku, reason or str(line)))
    return good, bad


def unknown(lines: Iterable[StockLine], known: set[str]) -> list[BadLine]:
    """Those whose SKU the store does not have."""
    return [BadLine(line.line, line.sku, "no such SKU") for line in lines if line.sku not in known]


def _line(number: int, sku: str, cells: dict[str, str], kind: Kind) -> StockLine | str:
    least = 1 if kind == "receive" else 0
    units = _units(cells.get(FIELDS[kind], ""), least)
    if units is None:
        return f"{FIELDS[kind]} is no whole number from {least} to {MAX_UNITS}: {cells.get(FIELDS[kind], '')!r}"
    more = cells.get(OPTIONAL[kind], "").strip()
    if not more:
        return StockLine(number, sku, units)
    if kind == "receive":
        return StockLine(number, sku, units, more) if len(more) <= LONGEST_REFERENCE else "the reference is too long"
    expected = _units(more, 0)
    if expected is None:
        return f"expected_quantity is no whole number from 0 to {MAX_UNITS}: {more!r}"
    return StockLine(number, sku, units, expected)


def _units(text: str, least: int) -> int | None:
    cell = text.strip()
    if not cell.isascii() or not cell.isdigit() or len(cell) > len(str(MAX_UNITS)):
        return None
    return int(cell) if least <= int(cell) <= MAX_UNITS else None
