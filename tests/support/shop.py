"""A shop for tests of the read side: products by SQL, their events, and GETs of what the views make of them."""

import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import psycopg
from psycopg.types.json import Jsonb

from tests.support.builders import make_category, make_warehouse, one
from tests.support.databases import Database
from tests.support.projecting import after, announce, reached


def slug_of(text: str) -> str:
    """The slug of a title."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or f"p-{text.encode().hex()[:40]}"


@dataclass
class Shop:
    """What is written goes through ``store`` and the outbox; ``sync`` waits until the views have it."""

    database: Database
    owner: psycopg.Connection[Any]
    client: httpx.AsyncClient
    position: int = 0
    products: dict[str, UUID] = field(default_factory=dict)

    def brand(self, name: str) -> UUID:
        """A brand, made if it is not there."""
        made: UUID = one(
            self.owner,
            "INSERT INTO store.brands (slug, name) VALUES (%s, %s)"
            " ON CONFLICT (slug) DO UPDATE SET name = excluded.name RETURNING id",
            slug_of(name),
            name,
        )
        return made

    def category(self, path: str) -> UUID:
        """The category at the end of a path like ``toys/outdoor``; made, with its ancestors, if it is not there."""
        parent: UUID | None = None
        for slug in path.split("/"):
            found = one(self.owner, "SELECT id FROM store.categories WHERE slug = %s", slug)
            parent = found or make_category(self.owner, slug, parent_id=parent)
        assert parent is not None
        return parent

    def add(
        self,
        title: str,
        *,
        price: int = 10_000,
        mrp: int | None = None,
        stock: int = 5,
        brand: str | None = None,
        category: str | None = None,
        attributes: dict[str, Any] | None = None,
        options: dict[str, list[str]] | None = None,
        tags: list[str] | None = None,
        description: str = "",
        status: str = "active",
        sku: str | None = None,
        age_days: int = 1,
        rating: tuple[int, int] = (0, 0),
    ) -> UUID:
        """A product with a variant for each value of its one option (or one variant), and its event."""
        slug = slug_of(title)
        name, values = next(iter((options or {"Title": ["Default Title"]}).items()))
        product: UUID = one(
            self.owner,
            "INSERT INTO store.products (slug, title, description_html, brand_id, category_id, attributes, options,"
            " tags, status, published_at, rating_count, rating_sum) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s,"
            " now() - make_interval(days => %s), %s, %s) RETURNING id",
            slug,
            title,
            description,
            self.brand(brand) if brand else None,
            self.category(category) if category else None,
            Jsonb(attributes or {}),
            [name],
            tags or [],
            status,
            age_days,
            *rating,
        )
        warehouse = make_warehouse(self.owner)
        for number, value in enumerate(values):
            variant: UUID = one(
                self.owner,
                "INSERT INTO store.product_variants (product_id, sku, title, option_values, price, mrp, tax_class_code,"
                " position) VALUES (%s, %s, %s, %s, %s, %s, 'gst-18', %s) RETURNING id",
                product,
                (sku or slug.upper()) + (f"-{number}" if len(values) > 1 else ""),
                value,
                [value],
                price,
                mrp or price,
                number,
            )
            self.owner.execute(
                "INSERT INTO store.inventory (variant_id, warehouse_id, bucket, on_hand) VALUES (%s, %s, 0, %s)",
                (variant, warehouse, stock),
            )
        self.products[slug] = product
        self.changed(slug)
        return product

    def changed(self, slug: str) -> int:
        """Say that a product changed."""
        self.position = announce(self.owner, self.products[slug])
        return self.position

    async def sync(self) -> None:
        """Wait until the views have all that was written."""
        await reached(self.database, self.position)

    async def get(self, path: str, status: int = 200, **headers: str) -> Any:
        """GET as a client that sends its token back, and parse; the status must be as said.

        Without the token a page may be the one from a moment ago: ``reached`` waits for PostgreSQL, not for its copies.
        """
        written = one(self.owner, "SELECT max(position) FROM store.outbox")
        fresh = after(written) if written else {}
        response = await self.client.get(path, headers=fresh | headers)
        assert response.status_code == status, response.text
        return response.json()

    async def titles(self, path: str) -> list[str]:
        """The titles of a list."""
        return [item["title"] for item in (await self.get(path))["items"]]
