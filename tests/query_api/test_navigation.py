"""The category tree and the home page: counts, shelves, and publications that come with time."""

import asyncio
import time
from typing import Any

import orjson

from query_api.schemas.navigation import CategoryTree, HomePage
from tests.support.builders import one
from tests.support.projecting import after
from tests.support.shop import Shop


async def until(shop: Shop, path: str, wanted: Any) -> Any:
    """GET until the answer is as wanted; the last answer."""
    end = time.monotonic() + 15
    while True:
        found = await shop.get(path)
        if wanted(found) or time.monotonic() > end:
            return found
        await asyncio.sleep(0.02)


async def test_an_empty_shop_has_pages_too(shop: Shop) -> None:
    assert (await shop.get("/v1/categories")) == {"items": []}
    HomePage.model_validate(await shop.get("/v1/home"))


async def test_the_tree_counts_what_is_below(shop: Shop) -> None:
    shop.add("Kite", category="toys/outdoor")
    shop.add("Puzzle", category="toys")
    shop.add("Hidden", category="toys", status="draft")
    shop.category("empty")
    response = await shop.client.get("/v1/categories", headers=after(shop.position))
    assert "x-stale" not in response.headers
    tree = CategoryTree.model_validate_json(response.content)
    assert [(node.slug, node.count) for node in tree.items] == [("empty", 0), ("toys", 2)]
    assert [(node.slug, node.count) for node in tree.items[1].children] == [("outdoor", 1)]
    shop.owner.execute("UPDATE store.categories SET is_active = false WHERE slug = 'outdoor'")
    shop.changed("kite")
    found = await until(shop, "/v1/categories", lambda tree: tree["items"][1]["children"] == [])
    assert found["items"][1]["children"] == []


async def test_home_shows_what_sells_what_is_new_and_what_is_cheap(shop: Shop) -> None:
    shop.add("Old", category="toys", age_days=300)
    shop.add("New", category="toys", age_days=1)
    shop.add("Deal", category="toys", price=5_000, mrp=10_000, age_days=30)
    shop.add("Sold out", category="toys", stock=0, mrp=20_000)
    await shop.sync()
    home = HomePage.model_validate(
        await until(shop, "/v1/home", lambda found: len(found["new_arrivals"]) == 3 and found["collections"])
    )
    assert [card.title for card in home.new_arrivals] == ["New", "Deal", "Old"]
    assert [card.title for card in home.deals] == ["Deal"]
    assert home.collections[0].slug == "toys"
    assert all(card.in_stock for card in home.bestsellers)


async def test_a_publication_to_come_arrives_by_itself(shop: Shop) -> None:
    shop.add("Tomorrow", category="toys")
    shop.owner.execute("UPDATE store.products SET published_at = now() + interval '1.5 seconds'")
    shop.changed("tomorrow")
    await shop.sync()
    await shop.get("/v1/products/tomorrow", 404)
    found = await until(shop, "/v1/categories", lambda tree: tree["items"] and tree["items"][0]["count"] == 1)
    assert found["items"][0]["count"] == 1
    await shop.get("/v1/products/tomorrow")
    assert one(shop.owner, "SELECT due_at FROM read.navigation WHERE name = 'home'") is None


async def test_documents_are_sent_once(shop: Shop) -> None:
    shop.add("Kite", category="toys")
    await until(shop, "/v1/categories", lambda tree: tree["items"] and tree["items"][0]["count"] == 1)
    first = await shop.client.get("/v1/categories")
    again = await shop.client.get("/v1/categories", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert orjson.loads(first.content)["items"][0]["slug"] == "toys"
