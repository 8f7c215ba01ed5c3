"""Shopify's product CSV: consecutive rows of one Handle are a product, with a variant, a picture or both on each.

What the store has no place for is left out on purpose: gift cards (told as ``gift_card``), selling what is not there
(``Variant Inventory Policy`` continue), fulfilment services and Google Shopping's columns.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from app.catalog_import.definition import Category, Product, Reject
from app.catalog_import.text import derived_sku, open_text, paise, rows_of, sku_in, slug_of

REQUIRED = frozenset({"Handle", "Title", "Option1 Value", "Variant Price"})
TAXED, UNTAXED = "gst-18", "gst-0"
NO_OPTION = ("Title", "Default Title")
MAX_STOCK = 1_000_000
Row = Mapping[str, str]


class _NoGood(ValueError):
    """A row that can't be part of its product: the reason's word, and what was found."""

    def __init__(self, reason: str, found: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.found = found


@dataclass
class _Draft:
    """What the rows of one handle came to so far."""

    slug: str
    options: list[str]
    variants: list[dict[str, Any]] = field(default_factory=list)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)


def parse(path: Path) -> Iterator[Product | Reject]:
    """Products as their last row is read, and rejects where they are met. Memory is one product and the handles."""
    handles: set[str] = set()
    with open_text(path) as stream:
        for handle, grouped in groupby(rows_of(stream, REQUIRED), key=lambda item: item[1].get("Handle", "")):
            rows = list(grouped)
            line = rows[0][0]
            try:
                slug = _fresh_slug(handle, handles)
                rejects: list[Reject] = []
                product = _product(slug, rows, rejects)
            except _NoGood as error:
                yield Reject(line, handle, error.reason, error.found)
            else:
                yield from rejects
                if product is not None:
                    yield product


def _fresh_slug(handle: str, seen: set[str]) -> str:
    """The slug of a handle that the file did not have before; ``seen`` learns it."""
    try:
        slug = slug_of(handle)
    except ValueError:
        raise _NoGood("handle_missing", handle) from None
    if slug in seen:
        raise _NoGood("handle_again", handle)
    seen.add(slug)
    return slug


def _product(slug: str, rows: Sequence[tuple[int, Row]], rejects: list[Reject]) -> Product | None:
    line, first = rows[0]
    if not first.get("Title"):
        raise _NoGood("title_missing")
    if first.get("Gift Card", "").lower() == "true":
        raise _NoGood("gift_card")
    draft = _Draft(slug, _options(first))
    for number, row in rows:
        try:
            _take(draft, row)
        except _NoGood as error:
            rejects.append(Reject(number, first["Handle"], error.reason, error.found))
    if not draft.variants:
        rejects.append(Reject(line, first["Handle"], "no_variant"))
        return None
    categories = _categories(first)
    vendor = first.get("Vendor", "")
    brand = (_slug_or(vendor, "brand"), vendor) if vendor else None
    definition = {
        "title": first["Title"],
        "description_html": first.get("Body (HTML)", ""),
        "brand": brand[0] if brand else None,
        "category": categories[-1].slug if categories else None,
        "product_type": first.get("Type") or None,
        "tags": list(dict.fromkeys(tag.strip() for tag in first.get("Tags", "").split(",") if tag.strip())),
        "options": draft.options,
        "seo_title": first.get("SEO Title") or None,
        "seo_description": first.get("SEO Description") or None,
        "status": _status(first),
        "images": sorted(draft.images.values(), key=_place),
        "variants": draft.variants,
    }
    return Product(line, slug, definition, brand, categories, draft.stock, len(rows))


def _options(first: Row) -> list[str]:
    """The names of the product's options; Shopify writes ``Title``/``Default Title`` for a product that has none."""
    if (first.get("Option1 Name"), first.get("Option1 Value")) == NO_OPTION:
        return []
    named = [first.get(f"Option{number} Name", "") for number in (1, 2, 3)]
    return [name for name in named if name]


def _status(first: Row) -> str:
    """Of the newer column ``Status``, else of ``Published``; what is active but not published is a draft."""
    status = first.get("Status", "").lower()
    if status in {"draft", "archived"}:
        return status
    return "draft" if first.get("Published", "").lower() == "false" else "active"


def _categories(first: Row) -> tuple[Category, ...]:
    """The path of Shopify's taxonomy (``A > B > C``), else the Type as one category."""
    path = first.get("Product Category") or first.get("Type", "")
    found: list[Category] = []
    for name in (part.strip() for part in path.split(">")):
        if name:
            parent = found[-1].slug if found else None
            # named by the whole path: two branches may each have a category of that name
            found.append(Category(_slug_or("-".join([*(c.name for c in found), name]), "category"), name, parent))
    return tuple(found)


def _slug_or(name: str, kind: str) -> str:
    try:
        return slug_of(name)
    except ValueError:
        raise _NoGood(f"{kind}_unreadable", name) from None


def _take(draft: _Draft, row: Row) -> None:
    """Add what one row has: a variant, a picture, or both. Raises ``_NoGood``; the row's picture stays all the same."""
    url = row.get("Image Src", "")
    if url:
        _picture(draft, url, row.get("Image Alt Text", ""), row.get("Image Position", ""))
    if not (row.get("Option1 Value") or row.get("Variant SKU") or row.get("Variant Price")):
        return
    values = [row.get(f"Option{number} Value", "") for number in (1, 2, 3)][: len(draft.options)]
    if any(not value for value in values):
        raise _NoGood("option_missing")
    sku = _checked("sku_unreadable", sku_in, row["Variant SKU"]) if row.get("Variant SKU") else None
    variant = {"sku": sku or derived_sku(draft.slug, values), "option_values": values, **_amounts(row), **_facts(row)}
    if any(known["sku"] == variant["sku"] for known in draft.variants):
        raise _NoGood("sku_again", variant["sku"])
    if any(known["option_values"] == values for known in draft.variants):
        raise _NoGood("options_again", " / ".join(values))
    if quantity := row.get("Variant Inventory Qty", ""):
        draft.stock[variant["sku"]] = min(_whole(quantity, "stock_unreadable"), MAX_STOCK)
    draft.variants.append(variant)
    if picture := row.get("Variant Image", ""):
        _picture(draft, picture, "", "")
        # several variants may share a picture; it shows the first of them
        draft.images[picture].setdefault("variant_sku", variant["sku"])


def _picture(draft: _Draft, url: str, alt_text: str, position: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise _NoGood("image_unreadable", url)
    place = int(position) if position.isdecimal() and int(position) > 0 else 1000 + len(draft.images)
    known = draft.images.setdefault(url, {"url": url, "alt_text": alt_text, "position": place})
    if position.isdecimal():
        known |= {"alt_text": alt_text, "position": place}


def _place(image: Mapping[str, Any]) -> int:
    position: int = image["position"]
    return position


def _amounts(row: Row) -> dict[str, int]:
    """Price and MRP in paise: Shopify's compare-at price is the MRP, unless it is below the price or not given."""
    price = _checked("price_unreadable", paise, row.get("Variant Price", ""))
    if price <= 0:
        raise _NoGood("price_not_positive", row.get("Variant Price", ""))
    compare_at = row.get("Variant Compare At Price", "")
    return {"price": price, "mrp": max(price, _checked("mrp_unreadable", paise, compare_at) if compare_at else price)}


def _facts(row: Row) -> dict[str, Any]:
    return {
        "tax_class": UNTAXED if row.get("Variant Taxable", "").lower() == "false" else TAXED,
        "barcode": row.get("Variant Barcode", "").lstrip("'") or None,
        "weight_grams": _whole(row.get("Variant Grams", ""), "weight_unreadable"),
    }


def _whole(text: str, reason: str) -> int:
    """A count: nothing and what is below nothing are 0."""
    if not text:
        return 0
    try:
        return max(0, round(float(text)))
    except (ValueError, OverflowError):
        raise _NoGood(reason, text) from None


def _checked(reason: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError:
        raise _NoGood(reason, text) from None
