"""Reading what a courier paid out, order by order: a CSV with a line for each parcel or order.

The columns go by any of the names that couriers give them. Amounts are rupees with up to two decimals (``amount``,
``fee``), or paise where the column says so (``amount_paise``, ``fee_paise``).
"""

import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.settlement_files.reader import LONGEST_CELL, BadLine, NotASettlementFile, opened

TRACKING = ("tracking_number", "awb", "awb_number", "awb number", "awb no", "waybill", "waybill_number")
ORDER = ("order_number", "order number", "order_no", "order no", "order id", "order_id", "reference_number")
AMOUNT, AMOUNT_PAISE = ("amount", "remitted_amount", "remitted amount", "net_amount", "net amount"), "amount_paise"
FEE, FEE_PAISE = ("fee", "fees", "charges", "cod_charges", "cod charges", "deduction"), "fee_paise"
MOST_PAISE = 10**12
_RUPEES = re.compile(r"(?:[0-9]{1,10}|[0-9]{1,3}(?:,[0-9]{2,3}){1,4})(?:\.[0-9]{1,2})?")
_PAISE = re.compile(r"[0-9]{1,13}")
_NAME = re.compile(r"[!-~][ -~]{0,199}")


@dataclass(frozen=True, slots=True)
class CashLine:
    """What was paid for one order, in paise; ``number`` is the line of the file."""

    number: int
    tracking_number: str | None
    order_number: str | None
    amount: int
    fee: int


def read_remittance(path: Path) -> Iterator[CashLine | BadLine]:
    """The lines of a ``.csv`` or ``.csv.gz``. Raises NotASettlementFile for one that can't be read as a whole."""
    csv.field_size_limit(LONGEST_CELL)
    with opened(path) as stream:
        rows = csv.reader(line.replace("\0", "") for line in stream)
        try:
            header = [name.strip().strip("\ufeff").lower() for name in next(rows, [])]
        except (csv.Error, EOFError, gzip.BadGzipFile) as error:
            raise NotASettlementFile(f"the file is not CSV in UTF-8: {error}") from None
        if not set(header) & {*TRACKING, *ORDER} or not set(header) & {*AMOUNT, AMOUNT_PAISE}:
            raise NotASettlementFile(
                "the header names no tracking_number or order_number, or no amount (rupees) or amount_paise"
            )
        yield from _lines(rows, header)


def _lines(rows: Any, header: list[str]) -> Iterator[CashLine | BadLine]:
    number = rows.line_num + 1
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            yield BadLine(number, str(error))
            number = rows.line_num + 1
            continue
        except (EOFError, OSError) as error:
            raise NotASettlementFile(f"the file breaks off at line {number}: {error}") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
            try:
                yield _line(number, row)
            except ValueError as error:
                yield BadLine(number, str(error))
        number = rows.line_num + 1


def _line(number: int, row: dict[str, str]) -> CashLine:
    tracking, order = _first(row, TRACKING), _first(row, ORDER)
    if not tracking and not order:
        raise ValueError("it names neither a tracking number nor an order")
    for name in (tracking, order):
        if name and not _NAME.fullmatch(name):
            raise ValueError(f"nothing is called {name[:50]!r}")
    amount, fee = _paise(row, AMOUNT, AMOUNT_PAISE), _paise(row, FEE, FEE_PAISE)
    if amount + fee == 0:
        raise ValueError("nothing was paid")
    return CashLine(number, tracking or None, order or None, amount, fee)


def _first(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if row.get(name)), "")


def _paise(row: dict[str, str], rupees: tuple[str, ...], paise: str) -> int:
    """An amount in paise, exactly: never by way of a float."""
    exact = row.get(paise)
    text = exact or _first(row, rupees) or "0"
    if not (_PAISE if exact else _RUPEES).fullmatch(text):
        raise ValueError(f"{text[:50]!r} is no amount" + (" in paise" if exact else " in rupees"))
    found = int(exact) if exact else int(Decimal(text.replace(",", "")).scaleb(2))
    if found > MOST_PAISE:
        raise ValueError(f"{text[:50]!r} is too large")
    return found
