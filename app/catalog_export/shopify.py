"""Products as rows of Shopify's product CSV, with what Shopify has no column for in columns of our own.

A product is as many rows as it has variants or pictures, whichever are more: the first says what it is, each has a
variant, a picture or both. Variants off sale are left out, and so is stock: a file may be older than the shelf.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from itertools import zip_longest
from typing import Any
from uuid import UUID

from app.catalog_import import columns as column
from app.catalog_import.pictures import Picture, images_of
from app.catalog_import.shopify import NO_OPTION
from app.catalog_import.stored import Connection, Stored

PAISE_PER_RUPEE = 100
Row = dict[str, str]


@dataclass(frozen=True)
class Surroundings:
    """What every product refers to: category paths as (slug, name) from the root, and which tax classes tax."""

    paths: Mapping[UUID, tuple[tuple[str, str], ...]]
    taxed: Mapping[str, bool]


def surroundings(connection: Connection) -> Surroundings:
    """Read once: there are few of either."""
    found = connection.execute("SELECT id, slug, name, ancestor_ids FROM store.categories").fetchall()
    named = {identity: (slug, name) for identity, slug, name, _ in found}
    taxed = connection.execute("SELECT code, rate_bp > 0 FROM store.tax_classes").fetchall()
    return Surroundings({row[0]: tuple(named[part] for part in row[3]) for row in found}, dict(taxed))


def rows_of(product: Stored, around: Surroundings) -> Iterator[list[str]]:
    """The product's rows, a cell for each of ``columns.EXPORTED``."""
    variants = product.on_sale
    images = list(_images(product))
    first = _page(product, around)
    for number, (variant, image) in enumerate(zip_longest(variants, images)):
        row: Row = {column.HANDLE: product.slug}
        row |= first if number == 0 else {}
        row |= {} if variant is None else _variant(product, variant, around)
        row |= image or {}
        yield _cells(row)
    if not variants and not images:
        yield _cells({column.HANDLE: product.slug} | first)


def _cells(row: Row) -> list[str]:
    # a barcode has its apostrophe in any case
    said = {name: cell if name == column.BARCODE else column.guarded(cell) for name, cell in row.items() if cell}
    return [said.get(name, "") for name in column.EXPORTED]


def _page(product: Stored, around: Surroundings) -> Row:
    path = around.paths[product.category_id] if product.category_id is not None else ()
    published_at = product.published_at
    return {
        column.TITLE: product.title,
        column.DESCRIPTION: product.description_html,
        column.VENDOR: product.brand_name or "",
        column.CATEGORY: " > ".join(name for _, name in path),
        column.TYPE: product.product_type or "",
        column.TAGS: column.tags_cell(product.tags),
        column.PUBLISHED: _truth(product.status == "active"),
        column.STATUS: product.status,
        **dict(zip(column.OPTION_NAMES, product.options or _no_option(product), strict=False)),
        column.GIFT_CARD: "FALSE",
        column.SEO_TITLE: product.seo_title or "",
        column.SEO_DESCRIPTION: product.seo_description or "",
        column.BRAND_SLUG: product.brand or "",
        column.CATEGORY_PATH: " > ".join(slug for slug, _ in path),
        column.ATTRIBUTES: product.attributes_text if product.attributes else "",
        column.PUBLISHED_AT: published_at.astimezone(UTC).isoformat() if published_at is not None else "",
    }


def _no_option(product: Stored) -> tuple[str, ...]:
    return NO_OPTION[:1] if product.on_sale else ()


def _variant(product: Stored, variant: Mapping[str, Any], around: Surroundings) -> Row:
    values = variant["option_values"]
    title = variant["title"]
    shown = _shown(product).get(variant["sku"], "")
    return {
        column.SKU: variant["sku"],
        # Shopify's own export writes an apostrophe before a barcode, so that a spreadsheet keeps its zeros
        column.BARCODE: f"'{variant['barcode']}" if variant["barcode"] else "",
        **dict(zip(column.OPTION_VALUES, values or NO_OPTION[1:], strict=False)),
        column.PRICE: _rupees(variant["price"]),
        column.COMPARE_AT: _rupees(variant["mrp"]) if variant["mrp"] != variant["price"] else "",
        column.CHARGE_TAX: _truth(around.taxed[variant["tax_class"]]),
        column.GRAMS: str(variant["weight_grams"]),
        column.WEIGHT_UNIT: "g",
        column.VARIANT_IMAGE: shown,
        column.VARIANT_TITLE: "" if title == (" / ".join(values) or "Default") else title,
        column.TAX_CLASS: variant["tax_class"],
        column.HSN: variant["hsn_code"] or "",
        column.MAX_PER_ORDER: str(variant["max_per_order"] or ""),
    }


def _shown(product: Stored) -> dict[str, str]:
    """By SKU, the first picture of the variant."""
    found: dict[str, str] = {}
    for image in product.images:
        if image["variant_sku"] is not None:
            found.setdefault(image["variant_sku"], image["url"])
    return found


def _images(product: Stored) -> Iterator[Row]:
    """A picture says itself whose it is where Shopify's column beside the variant can't say it."""
    read = images_of(
        [Picture(image["url"], image["alt_text"], place) for place, image in enumerate(product.images, 1)],
        [(variant["sku"], url) for variant in product.on_sale if (url := _shown(product).get(variant["sku"]))],
    )
    told = [{"variant_sku": None} | image for image in read] == product.images
    for place, image in enumerate(product.images, 1):
        yield {
            column.IMAGE_URL: image["url"],
            column.IMAGE_POSITION: str(place),
            column.IMAGE_ALT: image["alt_text"],
            column.IMAGE_SKU: "" if told else image["variant_sku"] or "",
        }


def _truth(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _rupees(paise: int) -> str:
    return f"{paise // PAISE_PER_RUPEE}.{paise % PAISE_PER_RUPEE:02d}"
