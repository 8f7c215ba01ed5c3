"""The category tree, the home page and its collections, from the catalog view and what staff arranged.

And what feeds them and the search: recent sales, the words in use, the words that mean others, what facets there are.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from projections.books import Connection
from projections.navigation import COLLECTION
from projections.navigation.arranged import NEXT_WINDOW, SHOWN, banners, collections, home

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


def _recount(table: str, column: str, listed: str) -> str:
    """How many shown products have each of what is ``listed`` of them, as the table's rows; what none has goes."""
    return f"""
WITH fresh AS (
    SELECT {column}, count(*)::integer AS products
    FROM read.catalog c CROSS JOIN LATERAL unnest({listed}) AS {column}
    WHERE {SHOWN}
    GROUP BY {column}
),
gone AS (
    DELETE FROM {table} kept WHERE NOT EXISTS (SELECT FROM fresh WHERE fresh.{column} = kept.{column})
)
INSERT INTO {table} AS kept ({column}, products) SELECT {column}, products FROM fresh
ON CONFLICT ({column}) DO UPDATE SET products = EXCLUDED.products WHERE kept.products <> EXCLUDED.products
"""


REFRESH_WORDS = _recount("read.search_words", "word", "c.words")
REFRESH_TOKEN_COUNTS = _recount("read.token_counts", "token", "c.tokens || ARRAY['#', 'q:' || c.prominence]")

# A document that is no longer made is of a collection that is no longer shown.
FORGET = "DELETE FROM read.navigation WHERE position <= %s AND name <> ALL(%s)"

KEEP_SYNONYMS = """
WITH said AS (
    SELECT key AS word, ARRAY(SELECT jsonb_array_elements_text(value)) AS means FROM jsonb_each(%s)
),
gone AS (
    DELETE FROM read.search_synonyms kept WHERE NOT EXISTS (SELECT FROM said WHERE said.word = kept.word)
)
INSERT INTO read.search_synonyms AS kept (word, means) SELECT word, means FROM said
ON CONFLICT (word) DO UPDATE SET means = EXCLUDED.means WHERE kept.means <> EXCLUDED.means
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

    def heading(self) -> dict[str, Any]:
        return {"slug": self.slug, "name": self.name, "image": self.image_url, "count": self.count}

    def document(self) -> dict[str, Any]:
        return self.heading() | {"children": [child.document() for child in self.children]}


@dataclass(frozen=True, slots=True)
class Documents:
    """Each document's bytes by name, what words mean, and when time alone makes a document different.

    That is when a product is published, or a banner or a collection begins or ends to be shown.
    """

    bodies: dict[str, bytes]
    synonyms: dict[str, list[str]]
    due_at: datetime | None


async def compute(connection: Connection) -> Documents:
    """All of them, from one snapshot."""
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        nodes = await _nodes(connection)
        roots = [node for node in nodes.values() if node.parent_id is None]
        shown = await collections(connection)
        led = await banners(connection, {node.slug for node in _below(roots)}, {made.slug for made in shown})
        bodies = {
            "categories": orjson.dumps({"items": [root.document() for root in roots]}),
            "home": await home(connection, [root.heading() for root in roots], led, shown),
        } | {f"{COLLECTION}{made.slug}": made.page() for made in shown}
        cursor = await connection.execute("SELECT word, means FROM store.search_synonyms ORDER BY word")
        synonyms = dict(await cursor.fetchall())
        cursor = await connection.execute(NEXT_WINDOW)
        row = await cursor.fetchone()
    return Documents(bodies, synonyms, row[0] if row else None)


async def keep(connection: Connection, documents: Documents, position: int) -> None:
    """Write the documents as of a position; one that did not change keeps its time."""
    async with connection.transaction():
        await connection.execute(FORGET, (position, list(documents.bodies)))
        await connection.execute(KEEP_SYNONYMS, (Jsonb(documents.synonyms),))
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


def _below(nodes: list[_Node]) -> Iterator[_Node]:
    """The nodes and all below them."""
    for node in nodes:
        yield node
        yield from _below(node.children)


async def _nodes(connection: Connection) -> dict[UUID, _Node]:
    """The active categories, each with its products and those below, under its parent if that is active."""
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
    for node in nodes.values():
        if node.parent_id in nodes:
            nodes[node.parent_id].children.append(node)
    return nodes
