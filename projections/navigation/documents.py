"""The category tree and the home page, from the catalog view; and what feeds them: recent sales, the words in use."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from projections.books import Connection

SHOWN = "live AND published_at <= now()"
SHELF = 24
COLLECTIONS = 8
COLLECTION_ITEMS = 12

# Units of the last thirty days, net of returns. Products whose number changed are computed again by their shard.
REFRESH_POPULARITY = """
WITH fresh AS (
    SELECT i.product_id, sum(i.quantity - i.refunded_quantity)::bigint AS units
    FROM store.orders o
    JOIN store.order_items i ON i.order_id = o.id
    WHERE o.confirmed_at > now() - interval '30 days' AND o.status NOT IN ('cancelled', 'expired')
    GROUP BY i.product_id
    HAVING sum(i.quantity - i.refunded_quantity) > 0
),
risen AS (
    INSERT INTO read.popularity AS kept (product_id, units) SELECT product_id, units FROM fresh
    ON CONFLICT (product_id) DO UPDATE SET units = EXCLUDED.units WHERE kept.units <> EXCLUDED.units
    RETURNING product_id
),
gone AS (
    DELETE FROM read.popularity kept
    WHERE NOT EXISTS (SELECT FROM fresh WHERE fresh.product_id = kept.product_id)
    RETURNING product_id
)
INSERT INTO read.pending_keys (projection, view_key, reason)
SELECT 'catalog', product_id, 'popularity' FROM risen UNION SELECT 'catalog', product_id, 'popularity' FROM gone
ON CONFLICT DO NOTHING
"""

REFRESH_WORDS = f"""
WITH fresh AS (
    SELECT word, count(*)::integer AS products
    FROM read.catalog c CROSS JOIN LATERAL unnest(c.words) AS word
    WHERE {SHOWN}
    GROUP BY word
),
gone AS (
    DELETE FROM read.search_words kept WHERE NOT EXISTS (SELECT FROM fresh WHERE fresh.word = kept.word)
)
INSERT INTO read.search_words AS kept (word, products) SELECT word, products FROM fresh
ON CONFLICT (word) DO UPDATE SET products = EXCLUDED.products WHERE kept.products <> EXCLUDED.products
"""


@dataclass(slots=True)
class _Node:
    id: UUID
    parent_id: UUID | None
    slug: str
    name: str
    image_url: str | None
    count: int
    children: list["_Node"] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {
            "slug": self.slug,
            "name": self.name,
            "image": self.image_url,
            "count": self.count,
            "children": [child.document() for child in self.children],
        }


@dataclass(frozen=True, slots=True)
class Documents:
    """Each document's bytes by name, and when time alone makes them different: a product's publication to come."""

    bodies: dict[str, bytes]
    due_at: datetime | None


async def compute(connection: Connection) -> Documents:
    """Both documents, from one snapshot."""
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        roots = await _tree(connection)
        bodies = {
            "categories": orjson.dumps({"items": [root.document() for root in roots]}),
            "home": await _home(connection, roots),
        }
        cursor = await connection.execute(
            "SELECT min(published_at) FROM read.catalog WHERE live AND published_at > now()"
        )
        row = await cursor.fetchone()
    return Documents(bodies, row[0] if row else None)


async def keep(connection: Connection, documents: Documents, position: int) -> None:
    """Write the documents as of a position; one that did not change keeps its time."""
    async with connection.transaction():
        for name, body in documents.bodies.items():
            etag = hashlib.blake2b(body, digest_size=12).hexdigest()
            await connection.execute(
                "INSERT INTO read.navigation AS kept (name, body, etag, position, due_at, updated_at)"
                " VALUES (%s, %s, %s, %s, %s, now()) ON CONFLICT (name) DO UPDATE SET body = EXCLUDED.body,"
                " etag = EXCLUDED.etag, position = EXCLUDED.position, due_at = EXCLUDED.due_at,"
                " updated_at = CASE WHEN kept.etag = EXCLUDED.etag THEN kept.updated_at ELSE now() END"
                " WHERE kept.position <= EXCLUDED.position",
                (name, body, etag, position, documents.due_at),
            )


async def _tree(connection: Connection) -> list[_Node]:
    """The active categories whose ancestors are all active, as a forest, each with its products and those below."""
    cursor = await connection.execute(
        "SELECT below.slug, count(*) FROM read.catalog c CROSS JOIN LATERAL unnest(c.category_path) AS below (slug)"
        f" WHERE {SHOWN} GROUP BY below.slug"
    )
    counts: dict[str, int] = dict(await cursor.fetchall())
    cursor = await connection.execute(
        "SELECT id, parent_id, slug, name, image_url FROM store.categories WHERE is_active"
        " ORDER BY position, name, slug"
    )
    nodes = {
        key: _Node(key, parent, slug, name, image, counts.get(slug, 0))
        for key, parent, slug, name, image in await cursor.fetchall()
    }
    roots = []
    for node in nodes.values():
        if node.parent_id is None:
            roots.append(node)
        elif node.parent_id in nodes:
            nodes[node.parent_id].children.append(node)
    return roots


async def _home(connection: Connection, roots: list[_Node]) -> bytes:
    collections = []
    for root in [root for root in roots if root.count][:COLLECTIONS]:
        head = orjson.dumps({"slug": root.slug, "name": root.name, "image": root.image_url, "count": root.count})
        cards = await _shelf(connection, "sold_units DESC, product_id DESC", COLLECTION_ITEMS, f"c:{root.slug}")
        collections.append(head[:-1] + b',"items":' + cards + b"}")
    banners = [
        {"kind": "category", "slug": root.slug, "title": root.name, "image": root.image_url}
        for root in roots
        if root.image_url and root.count
    ]
    shelves = {
        b"bestsellers": await _shelf(connection, "sold_units DESC, product_id DESC", SHELF),
        b"new_arrivals": await _shelf(connection, "published_at DESC, product_id DESC", SHELF),
        b"deals": await _shelf(connection, "discount DESC, product_id DESC", SHELF, "d:10"),
    }
    parts = [b'"banners":' + orjson.dumps(banners), b'"collections":[' + b",".join(collections) + b"]"]
    parts += [b'"%b":%b' % (name, cards) for name, cards in shelves.items()]
    return b"{" + b",".join(parts) + b"}"


async def _shelf(connection: Connection, order: str, limit: int, *tokens: str) -> bytes:
    """A JSON list of cards of what can be bought now."""
    cursor = await connection.execute(
        f"SELECT card FROM read.catalog WHERE {SHOWN} AND tokens @> %s::text[] ORDER BY {order} LIMIT %s",
        (["s:in", *tokens], limit),
        prepare=False,
        binary=True,
    )
    return b"[" + b",".join([bytes(card) for (card,) in await cursor.fetchall()]) + b"]"
