"""UCI Online Retail: a month of invoices as a catalog. One product with one variant for each StockCode.

The rule of what is goods: five digits, then at most two letters (``85123A``). Everything else is postage, a fee, a
discount, a voucher or a correction by hand (``POST``, ``DOT``, ``C2``, ``M``, ``D``, ``S``, ``AMAZONFEE``,
``BANK CHARGES``, ``gift_0001_40``, ``DCGS0076``) and is told as ``not_a_product``.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.catalog_import.definition import Product, Reject
from app.catalog_import.text import open_text, paise, rows_of, slug_of, title_of

REQUIRED = frozenset({"InvoiceNo", "StockCode", "Description", "Quantity", "UnitPrice"})
TAX_CLASS = "gst-18"
_GOODS = re.compile(r"\d{5}[A-Za-z]{0,2}")


def is_goods(code: str) -> bool:
    """Whether a StockCode is something that lies on a shelf."""
    return _GOODS.fullmatch(code.strip()) is not None


def sku_of(code: str) -> str:
    """The SKU of a StockCode; codes that differ only in case are one."""
    return code.strip().upper()


@dataclass
class _Seen:
    """What the file says about one SKU, row by row."""

    line: int
    price: int = 0
    mrp: int = 0
    descriptions: Counter[str] = field(default_factory=Counter)


def parse(path: Path) -> Iterator[Product | Reject]:
    """Rejects as they are met, then every product in the order of the file.

    The title is the most frequent description with a letter in it (the first of several), the price the first positive
    UnitPrice, the MRP the highest. A SKU without a description or a price is rejected at its first line. Memory is one
    record for each SKU, whatever the number of rows.
    """
    seen: dict[str, _Seen] = {}
    with open_text(path) as stream:
        for found in rows_of(stream, REQUIRED):
            line, row = found.line, {name: cell.strip() for name, cell in found.cells.items()}
            code = row.get("StockCode", "")
            if found.ragged:
                yield Reject(line, code, "row_ragged", found.ragged)
                continue
            if not is_goods(code):
                yield Reject(line, code, "not_a_product", row.get("Description", ""))
                continue
            try:
                price = _price(row.get("UnitPrice", ""))
            except ValueError as error:
                yield Reject(line, code, "price_unreadable", str(error))
                continue
            item = seen.setdefault(sku_of(code), _Seen(line))
            item.price = item.price or price
            item.mrp = max(item.mrp, price)
            description = row.get("Description", "")
            if any(letter.isalpha() for letter in description):
                item.descriptions[description] += 1
    for sku, item in seen.items():
        if not item.price:
            yield Reject(item.line, sku, "never_sold_at_a_price")
        elif not item.descriptions:
            yield Reject(item.line, sku, "never_described")
        else:
            yield _product(sku, item)


def _price(text: str) -> int:
    # a row with a negative or no price is a correction in the shop's books: no word about the price
    return 0 if text.startswith("-") else paise(text)


def _product(sku: str, item: _Seen) -> Product:
    title = title_of(item.descriptions.most_common(1)[0][0])
    return Product(
        item.line,
        slug_of(title, sku),
        {"title": title, "variants": [{"sku": sku, "sku_given": True, "price": item.price, "mrp": item.mrp}]},
        known_by_sku=True,
        partial=True,  # what else staff made of the product stays
        defaults={"status": "active"},
        variant_defaults={"tax_class": TAX_CLASS},
    )
