"""The columns of Shopify's product CSV, by the names its admin writes now, and those that Kirana adds.

Shopify renamed the columns in 2025; files with the names before that are read as well. What Shopify has no column for
goes into columns headed like its metafields, ``HSN code (variant.metafields.kirana.hsn_code)``; they are known by the
key in parentheses, whatever is written before it.
"""

import re
from collections.abc import Iterable, Sequence

from app.catalog_import.definition import NotThatFormat

TITLE = "Title"
HANDLE = "URL handle"
DESCRIPTION = "Description"
VENDOR = "Vendor"
CATEGORY = "Product category"
TYPE = "Type"
TAGS = "Tags"
PUBLISHED = "Published on online store"
STATUS = "Status"
SKU = "SKU"
BARCODE = "Barcode"
OPTION_NAMES = ("Option1 name", "Option2 name", "Option3 name")
OPTION_VALUES = ("Option1 value", "Option2 value", "Option3 value")
PRICE = "Price"
COMPARE_AT = "Compare-at price"
CHARGE_TAX = "Charge tax"
STOCK = "Inventory quantity"
GRAMS = "Weight value (grams)"
WEIGHT_UNIT = "Weight unit for display"
IMAGE_URL = "Product image URL"
IMAGE_POSITION = "Image position"
IMAGE_ALT = "Image alt text"
VARIANT_IMAGE = "Variant image URL"
GIFT_CARD = "Gift card"
SEO_TITLE = "SEO title"
SEO_DESCRIPTION = "SEO description"

BRAND_SLUG = "Brand (product.metafields.kirana.brand)"
CATEGORY_PATH = "Category path (product.metafields.kirana.category_path)"
ATTRIBUTES = "Attributes (product.metafields.kirana.attributes)"
PUBLISHED_AT = "Published at (product.metafields.kirana.published_at)"
VARIANT_TITLE = "Variant title (variant.metafields.kirana.title)"
TAX_CLASS = "Tax class (variant.metafields.kirana.tax_class)"
HSN = "HSN code (variant.metafields.kirana.hsn_code)"
MAX_PER_ORDER = "Max per order (variant.metafields.kirana.max_per_order)"
IMAGE_SKU = "SKU of image (image.metafields.kirana.variant_sku)"

# in the order they are written; stock is no part of it: its home is the ledger, and a file may be older than the shelf
EXPORTED: tuple[str, ...] = (
    *(TITLE, HANDLE, DESCRIPTION, VENDOR, CATEGORY, TYPE, TAGS, PUBLISHED, STATUS, SKU, BARCODE),
    *(cell for pair in zip(OPTION_NAMES, OPTION_VALUES, strict=True) for cell in pair),
    *(PRICE, COMPARE_AT, CHARGE_TAX, GRAMS, WEIGHT_UNIT, IMAGE_URL, IMAGE_POSITION, IMAGE_ALT, VARIANT_IMAGE),
    *(GIFT_CARD, SEO_TITLE, SEO_DESCRIPTION),
    *(BRAND_SLUG, CATEGORY_PATH, ATTRIBUTES, PUBLISHED_AT, VARIANT_TITLE, TAX_CLASS, HSN, MAX_PER_ORDER, IMAGE_SKU),
)
# text that may begin or end with blanks, and means it
VERBATIM = frozenset({DESCRIPTION, SEO_DESCRIPTION, IMAGE_ALT})

_BEFORE_2025 = {
    "Handle": HANDLE,
    "Body (HTML)": DESCRIPTION,
    "Published": PUBLISHED,
    "Variant SKU": SKU,
    "Variant Barcode": BARCODE,
    "Variant Price": PRICE,
    "Variant Compare At Price": COMPARE_AT,
    "Variant Taxable": CHARGE_TAX,
    "Variant Inventory Qty": STOCK,
    "Variant Grams": GRAMS,
    "Variant Weight Unit": WEIGHT_UNIT,
    "Image Src": IMAGE_URL,
    "Variant Image": VARIANT_IMAGE,
}
_METAFIELD = re.compile(r"\((\w+\.metafields\.kirana\.\w+)\)\s*\Z")


def _key(header: str) -> str:
    found = _METAFIELD.search(header)
    return found[1] if found else header.strip().casefold()


_KNOWN = {_key(name): name for name in (*EXPORTED, STOCK)} | {_key(old): new for old, new in _BEFORE_2025.items()}


def column_of(header: str) -> str:
    """The column that a header means: ours for those that are known, whatever their case and age, else as it is."""
    return _KNOWN.get(_key(header), header.strip())


def columns_of(headers: Sequence[str]) -> list[str]:
    """The columns of a file. Raises ``NotThatFormat`` when one that is read is there twice: which would it be?"""
    found = [column_of(header) for header in headers]
    for name in _KNOWN.values():
        if found.count(name) > 1:
            raise NotThatFormat(f"the file has the column {name!r} twice")
    return found


# A cell that a spreadsheet would take for a formula is written with an apostrophe before it; one that begins like that
# already gets one more, so that reading gives back what was there.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guarded(text: str) -> str:
    """``text`` as a cell that no spreadsheet calculates."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """What ``guarded`` was given."""
    return cell[1:] if _GUARDED.match(cell) else cell


_QUOTED = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?:,|\Z)')
_PLAIN = re.compile(r"([^,]*)(?:,|\Z)")


def tags_in(cell: str) -> list[str]:
    """Tags between commas, each once; one with a comma of its own is in double quotes."""
    found: list[str] = []
    place = 0
    while place < len(cell):
        quoted = _QUOTED.match(cell, place)
        match = quoted or _PLAIN.match(cell, place)
        if match is None:  # _PLAIN takes anything, the empty text too
            break
        found.append(match[1].replace('""', '"') if quoted else match[1].strip())
        place = match.end()
    return list(dict.fromkeys(tag for tag in found if tag))


def tags_cell(tags: Iterable[str]) -> str:
    """The cell that ``tags_in`` reads these tags from."""
    return ", ".join(
        '"{}"'.format(tag.replace('"', '""')) if "," in tag or tag.startswith('"') or tag != tag.strip() else tag
        for tag in tags
    )
