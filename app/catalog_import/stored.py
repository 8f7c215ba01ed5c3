"""Products as the store holds them: one query for the export and for the import that compares with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
ROWS_AT_ONCE = 500

_PRODUCTS = """
    SELECT
        p.slug, p.title, p.description_html, b.slug AS brand, b.name AS brand_name, p.category_id, c.slug AS category,
        p.product_type, p.tags, p.attributes, p.attributes::text AS attributes_text, p.options, p.seo_title,
        p.seo_description, p.status, p.published_at, p.version,
        coalesce(v.variants, '[]') AS variants,
        coalesce(i.images, '[]') AS images
    FROM store.products AS p
    LEFT JOIN store.brands AS b ON b.id = p.brand_id
    LEFT JOIN store.categories AS c ON c.id = p.category_id
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(
            jsonb_build_object(
                'sku', v.sku, 'title', v.title, 'option_values', v.option_values, 'price', v.price, 'mrp', v.mrp,
                'tax_class', v.tax_class_code, 'hsn_code', v.hsn_code, 'barcode', v.barcode,
                'weight_grams', v.weight_grams, 'position', v.position, 'max_per_order', v.max_per_order,
                'is_active', v.is_active
            )
            ORDER BY v.position, v.sku
        ) AS variants
        FROM store.product_variants AS v
        WHERE v.product_id = p.id
    ) AS v ON true
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(
            jsonb_build_object('url', i.url, 'alt_text', i.alt_text, 'variant_sku', s.sku) ORDER BY i.position
        ) AS images
        FROM store.product_images AS i
        LEFT JOIN store.product_variants AS s ON s.id = i.variant_id
        WHERE i.product_id = p.id
    ) AS i ON true
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A product with everything that is said about it. Amounts are paise; variants off sale are there too."""

    slug: str
    title: str
    description_html: str
    brand: str | None
    brand_name: str | None
    category_id: UUID | None
    category: str | None
    product_type: str | None
    tags: list[str]
    attributes: dict[str, Any]
    attributes_text: str
    options: list[str]
    seo_title: str | None
    seo_description: str | None
    status: str
    published_at: datetime | None
    version: int
    variants: list[dict[str, Any]]
    images: list[dict[str, Any]]

    @property
    def on_sale(self) -> list[dict[str, Any]]:
        """The variants that can be bought, in their order."""
        return [variant for variant in self.variants if variant["is_active"]]


def stored_products(connection: Connection, slugs: Iterable[str]) -> dict[str, Stored]:
    """Those of these slugs that are there."""
    with connection.cursor(row_factory=class_row(Stored)) as cursor:
        cursor.execute(_PRODUCTS + " WHERE p.slug = ANY(%s)", (list(slugs),))
        return {product.slug: product for product in cursor}


def slugs_by_sku(connection: Connection, skus: Iterable[str]) -> dict[str, str]:
    """The slug of the product that has a SKU."""
    found = connection.execute(
        "SELECT v.sku, p.slug FROM store.product_variants AS v JOIN store.products AS p ON p.id = v.product_id"
        " WHERE v.sku = ANY(%s)",
        (list(skus),),
    )
    return dict(found.fetchall())


def every_product(connection: Connection) -> Iterator[Stored]:
    """All of them by slug, through a cursor of the server's: memory is ``ROWS_AT_ONCE`` of them. In a transaction."""
    with connection.cursor("every_product", row_factory=class_row(Stored)) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(_PRODUCTS + " ORDER BY p.slug")
        yield from cursor
