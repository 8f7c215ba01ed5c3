"""Reading what people type into catalogs: files, slugs, SKUs and amounts."""

import csv
import gzip
import hashlib
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO

from app.catalog_import.definition import NotThatFormat

PAISE_PER_RUPEE = 100
LONGEST_SKU = 64
LONGEST_SLUG = 120
LONGEST_CELL = 10_000_000
HASH_DIGITS = 8
MAX_PAISE = 10_000_000_000
_AMOUNT = re.compile(r"\+?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})(e\+?\d{1,2})?", re.ASCII | re.IGNORECASE)
SLUG = re.compile(r"(?=.{1,200}\Z)[a-z0-9]+(-[a-z0-9]+)*")
URL = re.compile(r"https?://[!-~]{1,1990}")
_SKU = re.compile(r"[!-~]{1,64}")
# a word of two letters or more, apostrophes and all: neither PAPPA'S nor 3D comes out as Pappa'S or 3d
_SHOUTED = re.compile(r"(?<![^\W_])[^\W\d_](?:[^\W\d_]|['’](?=[^\W\d_]))+")
_PLAIN = re.compile(r"[A-Za-z0-9]+([ -][A-Za-z0-9]+)*")


def open_text(path: Path) -> IO[str]:
    """A ``.csv`` or ``.csv.gz`` as UTF-8 text, with or without a byte order mark."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file: the line it starts at, and its cells by column. ``ragged``: it has not one for each column."""

    line: int
    cells: dict[str, str]
    ragged: str = ""


def rows_of(
    stream: IO[str],
    required: frozenset[str],
    columns: Callable[[Sequence[str]], list[str]] | None = None,
) -> Iterator[Row]:
    """The rows of a CSV with a header, cells as they are but for NULs, which are dropped; rows of nothing are skipped.

    Raises ``NotThatFormat`` when a required column is missing or the file is no CSV in UTF-8.
    """
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader((line.replace("\0", "") for line in stream), strict=True)
    try:
        first = [name.strip() for name in next(reader, [])]
        header = first if columns is None else columns(first)
        if missing := sorted(required - set(header)):
            raise NotThatFormat(f"the file has no column {' and no '.join(map(repr, missing))}")
        line = reader.line_num + 1
        for cells in reader:
            if any(map(str.strip, cells)):
                ragged = "" if len(cells) == len(header) else f"{len(cells)} cells, where the header has {len(header)}"
                yield Row(line, dict(zip(header, cells, strict=False)), ragged)
            line = reader.line_num + 1
    except (csv.Error, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise NotThatFormat(f"the file is not CSV in UTF-8: {error}, near line {reader.line_num + 1}") from None
    except UnicodeDecodeError as error:
        found = f"{error.reason}, after line {reader.line_num}"
        raise NotThatFormat(f"the file is not CSV in UTF-8: {found}; save it as CSV UTF-8") from None


def slug_of(*parts: str) -> str:
    """Lower-case ASCII words joined by hyphens; a long one is cut and keeps a hash of what it was.

    Raises ValueError when nothing of it is left.
    """
    text = "-".join(part for part in parts if part)
    plain = unicodedata.normalize("NFKD", text.replace("&", " and ")).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")
    if not slug:
        raise ValueError("no letter or digit that a slug could hold")
    if len(slug) <= LONGEST_SLUG:
        return slug
    return f"{slug[: LONGEST_SLUG - HASH_DIGITS - 1].rstrip('-')}-{short_hash(slug)}"


def sku_in(text: str) -> str:
    """A SKU as it is kept: blanks become hyphens. Raises ValueError when it can't be one."""
    sku = re.sub(r"\s+", "-", text)
    if not _SKU.fullmatch(sku):
        raise ValueError("a SKU is 1 to 64 visible ASCII characters")
    return sku


def derived_sku(slug: str, option_values: list[str]) -> str:
    """A SKU for a variant that has none: the same for the same handle and options, whatever else changes.

    Letters, digits and hyphens. Two hyphens, which no slug has, keep handle and options apart; a value that a slug
    can't hold as it is brings a hash along.
    """
    sku = "--".join([slug, *(_word(value) for value in option_values)]).upper()
    if len(sku) <= LONGEST_SKU:
        return sku
    return f"{sku[: LONGEST_SKU - HASH_DIGITS - 1].rstrip('-')}-{short_hash(sku).upper()}"


def _word(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return slug_of(value)
    kept = re.sub(r"[^A-Za-z0-9]+", "-", value).strip("-")
    return f"{kept}-{short_hash(value)}" if kept else short_hash(value)


def title_of(text: str) -> str:
    """Words as a title has them: what is shouted gets capitals of its own, what is written in mixed case stays."""
    words = " ".join(text.split())
    if words != words.upper():
        return words
    return _SHOUTED.sub(lambda found: found[0].capitalize(), words)


def paise(text: str) -> int:
    """An amount in rupees as paise, half up. Raises ValueError when it is no amount, or a negative one."""
    plain = text.replace(",", "")
    if not _AMOUNT.fullmatch(plain):
        raise ValueError("not an amount")
    amount = Decimal(plain)
    if amount * PAISE_PER_RUPEE > MAX_PAISE:
        raise ValueError("not an amount that can be asked for")
    return int((amount * PAISE_PER_RUPEE + Decimal("0.5")).to_integral_value(rounding="ROUND_FLOOR"))


def short_hash(text: str) -> str:
    """Eight hex digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
