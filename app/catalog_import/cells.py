"""Single cells of a product CSV as what they stand for, within the bounds that the API has for them too."""

import json
import math
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from app.catalog_import import columns as column
from app.catalog_import.text import paise
from app.utils.html import clean_html

Read = TypeVar("Read")
UNTAXED = "gst-0"
MAX_GRAMS = 10_000_000
MAX_PER_ORDER = 100_000
MAX_ATTRIBUTES = 100
ONE_LINE = 200
# characters; one line of text where nothing else is said
LONGEST = {
    column.VENDOR: 120,
    column.DESCRIPTION: 200_000,
    column.TAGS: 40_000,
    column.CATEGORY: 1_000,
    column.SEO_DESCRIPTION: 1_000,
    column.IMAGE_ALT: 500,
    column.IMAGE_URL: 2_000,
}
SEVERAL_LINES = frozenset({column.DESCRIPTION, column.SEO_DESCRIPTION, column.IMAGE_ALT})


class NoGood(ValueError):
    """A row that can't be part of its product: the reason's word, and what was found."""

    def __init__(self, reason: str, found: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.found = found[:ONE_LINE]


class Cells:
    """A row's cells by column, blanks around them taken off where they mean nothing; "" where there is none."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells

    def has(self, *names: str) -> bool:
        """Whether the file has one of these columns."""
        return any(name in self._cells for name in names)

    def __getitem__(self, name: str) -> str:
        cell = self._cells.get(name, "")
        if name == column.BARCODE:
            # Shopify writes an apostrophe before each barcode, so that a spreadsheet keeps its zeros
            return cell.strip().removeprefix("'")
        return column.unguarded(cell if name in column.VERBATIM else cell.strip())

    def whole(self, name: str, reason: str, most: int | None = None) -> int:
        """A count: nothing and what is below nothing are 0."""
        text = self[name]
        if not text:
            return 0
        try:
            number = round(float(text))
        except (ValueError, OverflowError):
            raise NoGood(reason, text) from None
        if most is not None and number > most:
            raise NoGood(reason, text)
        return max(0, number)


def checked(reason: str, read: Callable[[str], Read], text: str) -> Read:
    """What ``read`` makes of the text; its ValueError becomes this reason."""
    try:
        return read(text)
    except ValueError:
        raise NoGood(reason, text) from None


def text_of(cells: Cells, name: str) -> str | None:
    """A text, None for none. Raises ``NoGood`` when it is longer than the API takes it, or of more than one line."""
    text = cells[name]
    if len(text) > LONGEST.get(name, ONE_LINE):
        raise NoGood("text_too_long", f"{name}: {len(text)} characters")
    if name not in SEVERAL_LINES and not _is_line(text):
        raise NoGood("text_of_several_lines", f"{name}: {text!r}")
    return text or None


def html_of(cells: Cells, name: str) -> str:
    """A description in HTML, harmless. Raises ``NoGood`` when it can't be made so within what the API takes."""
    text = text_of(cells, name) or ""
    try:
        return clean_html(text)
    except ValueError as error:
        raise NoGood("html_refused", f"{name}: {error}") from None


def _is_line(text: str) -> bool:
    return all(unicodedata.category(letter) not in {"Cc", "Cs", "Zl", "Zp"} for letter in text)


def tags(cells: Cells) -> list[str]:
    """The tags column's tags."""
    found = column.tags_in(text_of(cells, column.TAGS) or "")
    if longest := [tag for tag in found if len(tag) > ONE_LINE]:
        raise NoGood("text_too_long", f"{column.TAGS}: {longest[0]}")
    return found


def attributes(text: str) -> dict[str, Any]:
    """The JSON object of the attributes column: texts, numbers, yes or no, and lists of texts by name."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NoGood("attributes_unreadable", text) from None
    if not isinstance(found, dict) or not all(_is_text(name) and _is_value(found[name]) for name in found):
        raise NoGood("attributes_unreadable", text)
    if len(found) > MAX_ATTRIBUTES:
        raise NoGood("too_many_attributes", str(len(found)))
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= ONE_LINE and _is_line(value)


def _is_value(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_text, value))
    return _is_text(value) or (isinstance(value, int | float) and math.isfinite(value))


def instant(text: str) -> str:
    """A moment in ISO 8601 with its offset, as it came."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NoGood("published_at_unreadable", text) from None
    if moment.tzinfo is None:
        raise NoGood("published_at_without_offset", text)
    return moment.isoformat()


def variant_facts(cells: Cells) -> dict[str, Any]:
    """What a row says of its variant, but for what identifies it: only what the file has a column for."""
    said: dict[str, Any] = _amounts(cells)
    if cells[column.TAX_CLASS]:
        said["tax_class"] = cells[column.TAX_CLASS]
    elif cells[column.CHARGE_TAX].lower() == "false":
        said["tax_class"] = UNTAXED
    if cells.has(column.BARCODE):
        said["barcode"] = text_of(cells, column.BARCODE)
    if cells.has(column.GRAMS):
        said["weight_grams"] = cells.whole(column.GRAMS, "weight_unreadable", MAX_GRAMS)
    if cells.has(column.HSN):
        said["hsn_code"] = checked("hsn_unreadable", _hsn, cells[column.HSN])
    if cells.has(column.MAX_PER_ORDER):
        said["max_per_order"] = cells.whole(column.MAX_PER_ORDER, "max_per_order_unreadable", MAX_PER_ORDER) or None
    if cells.has(column.VARIANT_TITLE):
        said["title"] = text_of(cells, column.VARIANT_TITLE)
    return said


def _hsn(text: str) -> str | None:
    if text and not (text.isascii() and text.isdecimal() and 4 <= len(text) <= 8):
        raise ValueError("an HSN code is four to eight digits")
    return text or None


def _amounts(cells: Cells) -> dict[str, Any]:
    """Price and MRP in paise: Shopify's compare-at price is the MRP, unless it is below the price or not given."""
    said: dict[str, Any] = {}
    if cells.has(column.PRICE):
        said["price"] = checked("price_unreadable", paise, cells[column.PRICE])
        if said["price"] <= 0:
            raise NoGood("price_not_positive", cells[column.PRICE])
    if cells.has(column.COMPARE_AT):
        compare_at = cells[column.COMPARE_AT]
        mrp = checked("mrp_unreadable", paise, compare_at) if compare_at else 0
        said["mrp"] = max(mrp, said.get("price", 0)) or None
    return said
