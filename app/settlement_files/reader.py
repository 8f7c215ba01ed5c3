"""Reading a settlement file line by line: a line that can't be understood is told by its number, and left out."""

import csv
import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from app.settlement_files.layouts import BY_NAME, LAYOUTS, Layout, layout_of

# a quote that is never closed swallows no more than this
LONGEST_CELL = 131_072
MOST_MINOR = 10**15
# currencies whose smallest unit is not a hundredth (ISO 4217)
EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3}
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,16}|[0-9]{1,3}(?:,[0-9]{2,3}){1,6})(?:\.[0-9]{1,6})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,16}")
_DATE_FORMATS = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y")
_EPOCH = re.compile(r"[0-9]{9,10}")
_REFERENCE = re.compile(r"[!-~]{1,200}")
_UNPRINTABLE = re.compile(r"[^ -~]")
_CURRENCY = re.compile(r"[A-Z]{3}")


class NotASettlementFile(Exception):
    """The file as a whole can't be read; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One payment or refund of the file. Amounts in the smallest unit; ``references``: the gateway's own id first."""

    number: int
    provider: str | None
    kind: str
    references: tuple[str, ...]
    our_id: UUID | None
    amount: int
    fee: int
    tax: int
    currency: str
    occurred_at: datetime | None
    settled_at: datetime | None
    settlement: str
    utr: str | None

    def as_row(self) -> dict[str, Any]:
        """As book_settlement_lines takes it. ``hash`` is the same for the same line in another file."""
        row: dict[str, Any] = {
            "kind": self.kind,
            "refs": list(self.references),
            "our_id": None if self.our_id is None else str(self.our_id),
            "amount": self.amount,
            "fee": self.fee,
            "tax": self.tax,
            "currency": self.currency,
            "occurred_at": None if self.occurred_at is None else self.occurred_at.isoformat(),
            "settled_at": None if self.settled_at is None else self.settled_at.isoformat(),
            "settlement": self.settlement,
            "utr": self.utr,
        }
        row["hash"] = hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest()
        return row | {"n": self.number}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out because it can't be understood."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class OtherLine:
    """A line that is neither a payment nor a refund: a payout, an adjustment, a dispute."""

    number: int
    kind: str


Item = Line | BadLine | OtherLine


def sha256_of(path: Path) -> tuple[bytes, int]:
    """The SHA-256 of the file's bytes, by which it is known, and how many lines it has (as text, unpacked)."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    with opened(path) as stream_of_text:
        return digest.digest(), sum(1 for _ in stream_of_text)


def read_path(path: Path, layout: str | None = None) -> tuple[Layout, Iterator[Item]]:
    """``read`` of a ``.csv`` or ``.csv.gz``."""
    return read(opened(path), layout)


def read(stream: IO[str], wanted: str | None = None) -> tuple[Layout, Iterator[Item]]:
    """The layout (``wanted`` by name, else known by the header), and the lines. The stream is closed at their end.

    Raises NotASettlementFile, here for the header, and while reading for a file that breaks off as a whole.
    """
    csv.field_size_limit(LONGEST_CELL)
    rows = csv.reader(line.replace("\0", "") for line in stream)
    try:
        header = [name.strip().strip("\ufeff").lower() for name in next(rows, [])]
    except (csv.Error, UnicodeError, EOFError, gzip.BadGzipFile) as error:
        stream.close()
        raise NotASettlementFile(f"the file is not CSV in UTF-8: {error}") from None
    layout = BY_NAME.get(wanted) if wanted is not None else layout_of(frozenset(header))
    if layout is None or not layout.marks <= frozenset(header):
        stream.close()
        known = "; ".join(
            f"{one.name}: {', '.join(sorted(one.marks))}" for one in LAYOUTS if wanted in {None, one.name}
        )
        raise NotASettlementFile(f"the header is of no layout that is read ({known or f'there is no layout {wanted}'})")
    return layout, _items(stream, rows, header, layout)


def opened(path: Path) -> IO[str]:
    """A ``.csv`` or ``.csv.gz`` as text.

    Bytes that are no UTF-8 come as replacement characters: they make their own line bad, and no other.
    """
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _items(stream: IO[str], rows: Any, header: list[str], layout: Layout) -> Iterator[Item]:
    with stream:
        number = rows.line_num + 1
        while True:
            try:
                cells = next(rows, None)
            except csv.Error as error:
                yield BadLine(number, str(error))
                number = rows.line_num + 1
                continue
            except (EOFError, gzip.BadGzipFile, OSError) as error:
                raise NotASettlementFile(f"the file breaks off at line {number}: {error}") from None
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                row = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
                try:
                    yield _line(number, row, layout)
                except ValueError as error:
                    yield BadLine(number, str(error))
            number = rows.line_num + 1


def _line(number: int, row: dict[str, str], layout: Layout) -> Item:
    word = _first(row, layout.kind).lower()
    if not word:
        raise ValueError("it does not say what kind it is")
    kind = layout.kinds.get(word)
    if kind is None:
        return OtherLine(number, _UNPRINTABLE.sub("?", word)[:50])
    references = tuple(dict.fromkeys(row[name] for name in layout.references[kind] if row.get(name)))
    if not references or any(not _REFERENCE.fullmatch(reference) for reference in references):
        raise ValueError(f"no {kind} has an id like {references[0][:50] if references else 'nothing'!r}")
    currency = _first(row, layout.currency).upper()
    if not _CURRENCY.fullmatch(currency):
        raise ValueError(f"{currency[:20]!r} is no currency")
    settlement = _first(row, layout.settlement)
    if not _REFERENCE.fullmatch(settlement):
        raise ValueError("it names no settlement")
    tax = _amount(_first(row, layout.tax) or "0", currency, layout)
    fee = _amount(_first(row, layout.fee) or "0", currency, layout)
    if layout.fee_holds_tax and not 0 <= abs(tax) <= abs(fee):
        raise ValueError(f"a fee of {fee} holds no tax of {tax}")
    return Line(
        number=number,
        provider=_first(row, layout.provider_column) or None,
        kind=kind,
        references=references,
        our_id=_uuid(_first(row, layout.our_ids.get(kind, ()))),
        amount=abs(_amount(_first(row, layout.amount), currency, layout)),
        fee=fee - tax if layout.fee_holds_tax else fee,
        tax=tax,
        currency=currency,
        occurred_at=_instant(_first(row, layout.occurred_at), layout.zone),
        settled_at=_instant(_first(row, layout.settled_at), layout.zone),
        settlement=settlement,
        utr=_utr(_first(row, layout.utr)),
    )


def _first(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if row.get(name)), "")


def _amount(text: str, currency: str, layout: Layout) -> int:
    """An amount in the smallest unit, exactly: never by way of a float."""
    if not (_INTEGER if layout.minor else _NUMBER).fullmatch(text):
        raise ValueError(f"{text[:50]!r} is no amount" + (" in the smallest unit" if layout.minor else ""))
    scaled = Decimal(text.replace(",", "")).scaleb(0 if layout.minor else EXPONENTS.get(currency, 2))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text[:50]!r} has more decimals than {currency}")
    if abs(scaled) > MOST_MINOR:
        raise ValueError(f"{text[:50]!r} is too large")
    return int(scaled)


def _instant(text: str, zone: tzinfo) -> datetime | None:
    """ISO 8601, day/month/year, or seconds since 1970; without a zone of its own, in the layout's."""
    if not text:
        return None
    found: datetime | None = None
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        for pattern in _DATE_FORMATS:
            try:
                found = datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is the layout's
                break
            except ValueError:
                continue
    if found is None or not 2000 <= found.year < 2100:
        raise ValueError(f"{text[:50]!r} is no time")
    return found.replace(tzinfo=found.tzinfo or zone).astimezone(UTC)


def _uuid(text: str) -> UUID | None:
    """Our id, where the gateway kept it; what is none of ours is not worth a bad line."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _utr(text: str) -> str | None:
    return text if _REFERENCE.fullmatch(text) else None
