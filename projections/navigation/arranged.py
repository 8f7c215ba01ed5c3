"""The home page and the pages of collections: what staff arranged, and what the catalog gives by itself.

Staff's collections come first, then the root categories with what sells best in them. Staff's banners stand alone; a
store without one has its root categories' pictures. A banner that leads to what is not shown is not shown.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from projections.books import Connection

SHOWN = "live AND published_at <= now()"
SHELF = 24
COLLECTIONS = 8
COLLECTION_ITEMS = 12
COLLECTION_PAGE = 100
ORDERS = {
    "bestselling": "sold_units DESC, product_id DESC",
    "newest": "published_at DESC, product_id DESC",
    "discount": "discount DESC, product_id DESC",
}

_CURRENT = "{0}.is_active AND COALESCE({0}.starts_at <= now(), true) AND COALESCE({0}.ends_at > now(), true)"

# when a document becomes another one by itself
NEXT_WINDOW = """
SELECT min(moment) FROM (
    SELECT published_at AS moment FROM read.catalog WHERE live AND published_at > now()
    UNION ALL SELECT unnest(ARRAY[starts_at, ends_at]) FROM store.banners WHERE is_active
    UNION ALL SELECT unnest(ARRAY[starts_at, ends_at]) FROM store.collections WHERE is_active
) AS moments WHERE moment > now()
"""

_COLLECTIONS = f"""
SELECT c.id, c.slug, c.name, c.description, c.image_url, g.slug, m.slug, c.sort
FROM store.collections c
LEFT JOIN store.categories g ON g.id = c.category_id
LEFT JOIN store.brands m ON m.id = c.brand_id
WHERE {_CURRENT.format("c")} ORDER BY c.position, c.slug
"""

_PICKED = f"""
SELECT c.card, c.in_stock FROM store.collection_items i JOIN read.catalog c ON c.product_id = i.product_id
WHERE i.collection_id = %s AND {SHOWN} ORDER BY i.position
"""

_BANNERS = f"""
SELECT b.slug, b.title, b.alt_text, b.image_url, b.mobile_image_url, b.link_kind,
    COALESCE(g.slug, m.slug, p.slug, c.slug) AS target, b.link_url,
    CASE b.link_kind WHEN 'brand' THEN m.is_active
        WHEN 'product' THEN EXISTS (SELECT FROM read.catalog WHERE product_id = b.product_id AND {SHOWN})
        ELSE true END AS shown
FROM store.banners b
LEFT JOIN store.categories g ON g.id = b.category_id
LEFT JOIN store.brands m ON m.id = b.brand_id
LEFT JOIN store.products p ON p.id = b.product_id
LEFT JOIN store.collections c ON c.id = b.collection_id
WHERE {_CURRENT.format("b")} ORDER BY b.position, b.slug
"""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection that is shown now: what is said about it, and its products' cards with whether they can be had."""

    slug: str
    said: dict[str, Any]
    cards: list[tuple[bytes, bool]]

    def page(self) -> bytes:
        """Its own page: all its products that are shown."""
        head = orjson.dumps(self.said | {"count": len(self.cards)})
        return _with_items(head, [card for card, _ in self.cards])

    def shelf(self) -> bytes | None:
        """Its shelf on the home page, of what can be bought now; None for nothing."""
        cards = [card for card, in_stock in self.cards if in_stock][:COLLECTION_ITEMS]
        said = {name: self.said[name] for name in ("slug", "name", "image")}
        head = orjson.dumps({"kind": "collection"} | said | {"count": len(self.cards)})
        return _with_items(head, cards) if cards else None


async def collections(connection: Connection) -> list[Collection]:
    """The collections that are shown now, in their order; one by rule has what can be bought first."""
    found = []
    cursor = await connection.execute(_COLLECTIONS)
    for key, slug, name, description, image, category, brand, sort in await cursor.fetchall():
        if sort is None:
            items = await connection.execute(_PICKED, (key,), binary=True)
        else:
            tokens = [f"c:{category}"] * (category is not None) + [f"b:{brand}"] * (brand is not None)
            items = await connection.execute(
                f"SELECT card, in_stock FROM read.catalog WHERE {SHOWN} AND tokens @> %s::text[]"
                f" ORDER BY in_stock DESC, {ORDERS[sort]} LIMIT {COLLECTION_PAGE}",
                (tokens,),
                prepare=False,
                binary=True,
            )
        said = {"slug": slug, "name": name, "description": description, "image": image}
        found.append(Collection(slug, said, [(bytes(card), in_stock) for card, in_stock in await items.fetchall()]))
    return found


async def banners(connection: Connection, categories: set[str], shown: set[str]) -> list[dict[str, Any]]:
    """The banners that are shown now, given the categories and the collections that are."""
    found = []
    cursor = await connection.execute(_BANNERS)
    for slug, title, alt_text, image, mobile_image, kind, target, url, there in await cursor.fetchall():
        if there and target in {"category": categories, "collection": shown}.get(kind, {target}):
            pictures = {"image": image, "mobile_image": mobile_image}
            found.append(_banner(slug, kind, target, url, title, alt_text) | pictures)
    return found


async def home(
    connection: Connection, roots: list[dict[str, Any]], led: list[dict[str, Any]], shown: list[Collection]
) -> bytes:
    """The home page, given the headings of the root categories, the banners and the collections that are shown."""
    arranged = [shelf for shelf in (made.shelf() for made in shown) if shelf is not None]
    stocked = [root for root in roots if root["count"]]
    for root in stocked[:COLLECTIONS]:
        cards = await _shelf(connection, "bestselling", COLLECTION_ITEMS, f"c:{root['slug']}")
        arranged.append(_with_items(orjson.dumps({"kind": "category"} | root), cards))
    if not led:
        led = [
            _banner(None, "category", root["slug"], None, root["name"], root["name"])
            | {"image": root["image"], "mobile_image": None}
            for root in stocked
            if root["image"]
        ]
    shelves = {
        b"bestsellers": await _shelf(connection, "bestselling", SHELF),
        b"new_arrivals": await _shelf(connection, "newest", SHELF),
        b"deals": await _shelf(connection, "discount", SHELF, "d:10"),
    }
    parts = [b'"banners":' + orjson.dumps(led), b'"collections":[' + b",".join(arranged) + b"]"]
    parts += [b'"%b":[%b]' % (name, b",".join(cards)) for name, cards in shelves.items()]
    return b"{" + b",".join(parts) + b"}"


def _banner(
    slug: str | None, kind: str, target: str | None, url: str | None, title: str, alt_text: str
) -> dict[str, Any]:
    return {"banner": slug, "kind": kind, "slug": target, "url": url, "title": title, "alt_text": alt_text}


def _with_items(head: bytes, cards: list[bytes]) -> bytes:
    return head[:-1] + b',"items":[' + b",".join(cards) + b"]}"


async def _shelf(connection: Connection, order: str, limit: int, *tokens: str) -> list[bytes]:
    """Cards of what can be bought now."""
    cursor = await connection.execute(
        f"SELECT card FROM read.catalog WHERE {SHOWN} AND tokens @> %s::text[] ORDER BY {ORDERS[order]} LIMIT %s",
        (["s:in", *tokens], limit),
        prepare=False,
        binary=True,
    )
    return [bytes(card) for (card,) in await cursor.fetchall()]
