"""Shopify's product CSV: consecutive rows of one handle are a product, with a variant, a picture or both on each.

A column that the file does not have is not spoken of, and what the store holds there stays; an empty cell of a column
that it has says that there is none. What the store has no place for is left out on purpose: gift cards (told as
``gift_card``), selling what is not there, fulfilment services and Google Shopping's columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from app.catalog_import import columns as column
from app.catalog_import.cells import Cells, NoGood, attributes, checked, html_of, instant, tags, text_of, variant_facts
from app.catalog_import.definition import Category, Product, Reject
from app.catalog_import.pictures import Picture, images_of, picture_of
from app.catalog_import.text import SLUG, URL, Row, derived_sku, open_text, rows_of, sku_in, slug_of

REQUIRED = frozenset({column.HANDLE, column.TITLE})
NO_OPTION = ("Title", "Default Title")
MAX_STOCK = 1_000_000
MAX_VARIANTS = 500
MAX_IMAGES = 100
MAX_TAGS = 100
# of a new product, or a new variant, of which the file does not say it
TAXED = "gst-18"
NEW_STATUS = "active"


@dataclass
class _Draft:
    """What the rows of one handle came to so far. ``taken``: the SKUs of the products before it."""

    slug: str
    taken: set[str]
    options: list[str] = field(default_factory=list)
    variants: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    shown: list[tuple[str, str]] = field(default_factory=list)
    stock: dict[str, int] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)


def parse(path: Path) -> Iterator[Product | Reject]:
    """Products as their last row is read, rejects where they are met. Memory: a product, handles and SKUs."""
    handles: set[str] = set()
    skus: set[str] = set()
    with open_text(path) as stream:
        rows = rows_of(stream, REQUIRED, column.columns_of)
        for handle, grouped in groupby(rows, key=lambda row: row.cells.get(column.HANDLE, "").strip()):
            yield from _items(handle, list(grouped), handles, skus)


def _items(handle: str, rows: Sequence[Row], handles: set[str], skus: set[str]) -> Iterator[Product | Reject]:
    line = rows[0].line
    try:
        draft = _Draft(_fresh_slug(handle, handles), skus)
        product = _product(draft, rows)
    except NoGood as error:
        yield Reject(line, handle, error.reason, error.found)
    else:
        yield from draft.rejects
        if product is not None:
            skus.update(variant["sku"] for variant in draft.variants)
            yield product


def _fresh_slug(handle: str, seen: set[str]) -> str:
    """The slug of a handle that the file did not have before; ``seen`` learns it."""
    try:
        slug = handle if SLUG.fullmatch(handle) else slug_of(handle)
    except ValueError:
        raise NoGood("handle_missing", handle) from None
    if slug in seen:
        raise NoGood("handle_again", handle)
    seen.add(slug)
    return slug


def _product(draft: _Draft, rows: Sequence[Row]) -> Product | None:
    if rows[0].ragged:
        raise NoGood("row_ragged", rows[0].ragged)
    first = Cells(rows[0].cells)
    if not first[column.TITLE]:
        raise NoGood("title_missing")
    if first[column.GIFT_CARD].lower() == "true":
        raise NoGood("gift_card")
    draft.options = _options(first)
    definition = _page(first)
    brand, categories, fallback = _brand(first), _categories(first), _type_category(first)
    if brand or first.has(column.VENDOR, column.BRAND_SLUG):
        definition["brand"] = brand[0] if brand else None
    if categories or first.has(column.CATEGORY_PATH):
        definition["category"] = categories[-1].slug if categories else None
    for row in rows:
        try:
            _take(draft, row)
        except NoGood as error:
            draft.rejects.append(Reject(row.line, rows[0].cells[column.HANDLE], error.reason, error.found))
    if not draft.variants and draft.rejects:
        draft.rejects.append(Reject(rows[0].line, rows[0].cells[column.HANDLE], "no_variant"))
        return None
    if draft.variants:
        definition["variants"] = draft.variants
    if first.has(column.IMAGE_URL):
        definition["images"] = images_of(draft.pictures, draft.shown)
    for name, most in (("variants", MAX_VARIANTS), ("images", MAX_IMAGES), ("tags", MAX_TAGS)):
        if len(definition.get(name, ())) > most:
            raise NoGood(f"too_many_{name}", str(len(definition[name])))
    return Product(
        rows[0].line,
        draft.slug,
        definition,
        brand,
        categories or fallback,
        draft.stock,
        len(rows),
        partial=bool(draft.rejects),
        defaults={"status": NEW_STATUS, "category": fallback[-1].slug if fallback else None},
        variant_defaults={"tax_class": TAXED},
    )


def _page(first: Cells) -> dict[str, Any]:
    """What is said of the product as a whole, but for its brand and its category."""
    said: dict[str, Any] = {"title": text_of(first, column.TITLE)}
    if first.has(column.DESCRIPTION):
        said["description_html"] = html_of(first, column.DESCRIPTION)
    for name, member in (
        (column.TYPE, "product_type"),
        (column.SEO_TITLE, "seo_title"),
        (column.SEO_DESCRIPTION, "seo_description"),
    ):
        if first.has(name):
            said[member] = text_of(first, name)
    if first.has(column.TAGS):
        said["tags"] = tags(first)
    if first.has(column.ATTRIBUTES):
        said["attributes"] = attributes(first[column.ATTRIBUTES])
    if first[column.PUBLISHED_AT]:
        said["published_at"] = instant(first[column.PUBLISHED_AT])
    if first.has(column.STATUS, column.PUBLISHED):
        said["status"] = _status(first)
    if first.has(column.OPTION_NAMES[0]):
        said["options"] = _options(first)
    return said


def _options(first: Cells) -> list[str]:
    """The names of the product's options; Shopify writes ``Title``/``Default Title`` for a product that has none."""
    if (first[column.OPTION_NAMES[0]], first[column.OPTION_VALUES[0]]) == NO_OPTION:
        return []
    named = [text_of(first, name) for name in column.OPTION_NAMES]
    return [name for name in named if name]


def _status(first: Cells) -> str:
    """Of ``Status``, else of ``Published``; what is active but not published is a draft."""
    status = first[column.STATUS].lower()
    if status in {"draft", "archived"}:
        return status
    return "draft" if first[column.PUBLISHED].lower() == "false" else "active"


def _brand(first: Cells) -> tuple[str, str] | None:
    """(slug, name): of the brand column, else the vendor's name says both."""
    vendor, slug = text_of(first, column.VENDOR) or "", first[column.BRAND_SLUG]
    if slug:
        return checked("brand_unreadable", _slug, slug), vendor or slug
    return (_slug_or(vendor, "brand"), vendor) if vendor else None


def _categories(first: Cells) -> tuple[Category, ...]:
    """The path of slugs in the category column, named by Shopify's taxonomy (``A > B > C``); else that alone."""
    names = _path(text_of(first, column.CATEGORY) or "")
    slugs = _path(first[column.CATEGORY_PATH])
    if not slugs:
        return _of_names(names)
    found: list[Category] = []
    for place, slug in enumerate(slugs):
        name = names[place] if len(names) == len(slugs) else slug
        found.append(Category(checked("category_unreadable", _slug, slug), name, slugs[place - 1] if place else None))
    return tuple(found)


def _type_category(first: Cells) -> tuple[Category, ...]:
    """The Type as the category of a new product, where the file does not speak of categories."""
    said = first[column.CATEGORY] or first[column.CATEGORY_PATH] or first.has(column.CATEGORY_PATH)
    return () if said else _of_names(_path(first[column.TYPE]))


def _path(cell: str) -> list[str]:
    return [name for name in (part.strip() for part in cell.split(">")) if name]


def _of_names(names: Sequence[str]) -> tuple[Category, ...]:
    found: list[Category] = []
    for name in names:
        parent = found[-1].slug if found else None
        # named by the whole path: two branches may each have a category of that name
        found.append(Category(_slug_or("-".join([*(c.name for c in found), name]), "category"), name, parent))
    return tuple(found)


def _slug(text: str) -> str:
    if not SLUG.fullmatch(text):
        raise ValueError("not a slug")
    return text


def _slug_or(name: str, kind: str) -> str:
    return checked(f"{kind}_unreadable", slug_of, name)


def _take(draft: _Draft, row: Row) -> None:
    """Add what one row has: a variant, a picture, or both. Raises ``NoGood``; the row's picture stays all the same."""
    if row.ragged:
        raise NoGood("row_ragged", row.ragged)
    cells = Cells(row.cells)
    if cells[column.IMAGE_URL]:
        draft.pictures.append(picture_of(cells))
    if not (cells[column.OPTION_VALUES[0]] or cells[column.SKU] or cells[column.PRICE]):
        return
    variant = _variant(draft, cells)
    if cells[column.STOCK]:
        draft.stock[variant["sku"]] = min(cells.whole(column.STOCK, "stock_unreadable"), MAX_STOCK)
    draft.variants.append(variant)
    if picture := cells[column.VARIANT_IMAGE]:
        if not URL.fullmatch(picture):
            raise NoGood("image_unreadable", picture)
        draft.shown.append((variant["sku"], picture))


def _variant(draft: _Draft, cells: Cells) -> dict[str, Any]:
    variant: dict[str, Any] = {"sku_given": bool(cells[column.SKU])}
    values: list[str] = []
    if cells.has(*column.OPTION_VALUES):
        values = [text_of(cells, name) or "" for name in column.OPTION_VALUES][: len(draft.options)]
        if any(not value for value in values):
            raise NoGood("option_missing")
        variant["option_values"] = values
    given = checked("sku_unreadable", sku_in, cells[column.SKU]) if cells[column.SKU] else None
    variant |= {"sku": given or derived_sku(draft.slug, values)} | variant_facts(cells)
    if variant["sku"] in draft.taken or any(known["sku"] == variant["sku"] for known in draft.variants):
        raise NoGood("sku_again", variant["sku"])
    if "option_values" in variant and any(known["option_values"] == values for known in draft.variants):
        raise NoGood("options_again", " / ".join(values))
    return variant
