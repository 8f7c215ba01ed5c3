"""What staff arrange, over HTTP: shoppers see it on the home page, on its own page and in the search."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from query_api.schemas.navigation import CollectionPage, HomePage
from query_api.schemas.things import AdminBannerList, AdminCollection
from tests.query_api.conftest import client, shop  # noqa: F401 — both APIs, and a projector that follows
from tests.support.api import bearer
from tests.support.builders import make_staff
from tests.support.shop import Shop

PICTURE = "https://images.example/1.jpg"
BANNER = {"title": "Sale", "image_url": PICTURE, "link_kind": "url", "link": "/sale"}
PATIENCE_SECONDS = 15


class Staff:
    """Somebody of the catalog, who saves and takes away."""

    def __init__(self, shop: Shop) -> None:  # noqa: F811
        self.shop = shop
        self.headers = bearer(shop.database.settings, make_staff(shop.owner, "catalog"), "catalog")

    async def send(self, method: str, path: str, status: int, body: Any = None, version: int | None = None) -> Any:
        headers = self.headers | ({} if version is None else {"If-Match": f'"{version}"'})
        answer = await self.shop.client.request(method, f"/v1/admin/{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def staff(shop: Shop) -> Staff:  # noqa: F811
    return Staff(shop)


async def home(client: httpx.AsyncClient, wanted: Callable[[HomePage], bool]) -> HomePage:  # noqa: F811
    """The home page once it is as wanted."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        page = HomePage.model_validate_json((await client.get("/v1/home")).content)
        if wanted(page):
            return page
        assert time.monotonic() < end, page
        await asyncio.sleep(0.05)


def shelves(page: HomePage) -> list[tuple[str, str]]:
    return [(shelf.kind, shelf.slug) for shelf in page.collections]


async def test_a_collection_is_a_shelf_and_a_page(shop: Shop, client: httpx.AsyncClient, staff: Staff) -> None:  # noqa: F811
    shop.add("Kite", category="toys")
    shop.add("Ball", category="toys")
    shop.add("Gone", category="toys", stock=0)
    shop.add("Lamp", category="home")
    await shop.sync()
    body = {"name": "Gifts", "description": "For all.", "products": ["gone", "ball", "kite"]}
    made = await staff.send("PUT", "collections/gifts", 201, body)
    page = await home(client, lambda page: ("collection", "gifts") in shelves(page))
    assert shelves(page) == [("collection", "gifts"), ("category", "home"), ("category", "toys")]
    assert [card.slug for card in page.collections[0].items] == ["ball", "kite"], "what can be bought, as picked"
    own = CollectionPage.model_validate_json((await client.get("/v1/collections/gifts")).content)
    assert (own.count, [card.slug for card in own.items]) == (3, ["gone", "ball", "kite"])
    assert own.description == "For all."

    shop.owner.execute("UPDATE store.products SET status = 'draft' WHERE slug = 'ball'")
    shop.changed("ball")
    page = await home(client, lambda page: [card.slug for card in page.collections[0].items] == ["kite"])
    await staff.send("PUT", "collections/gifts", 412, body | {"name": "Late"}, version=made["version"] + 1)
    ruled = {"name": "Toys", "category": "toys", "sort": "newest"}
    changed = await staff.send("PUT", "collections/gifts", 200, ruled, version=made["version"])
    page = await home(client, lambda page: page.collections[0].name == "Toys")
    read = AdminCollection.model_validate(await staff.send("GET", "collections/gifts", 200))
    assert (read.category, read.products, read.sort, read.is_current) == ("toys", [], "newest", True)

    await staff.send("DELETE", "collections/gifts", 428)
    await staff.send("DELETE", "collections/gifts", 204, version=changed["version"])
    await home(client, lambda page: ("collection", "gifts") not in shelves(page))
    gone = await client.get("/v1/collections/gifts")
    assert (gone.status_code, gone.json()["code"]) == (404, "collection_not_found")


async def test_a_banner_leads_to_what_is_shown_while_it_is(
    shop: Shop,  # noqa: F811
    client: httpx.AsyncClient,  # noqa: F811
    staff: Staff,
) -> None:
    shop.add("Kite", category="toys")
    await shop.sync()
    await staff.send("PUT", "banners/kites", 201, BANNER | {"link_kind": "product", "link": "kite"})
    await staff.send("PUT", "banners/sale", 201, BANNER | {"sort_order": 1, "alt_text": "A sale"})
    await staff.send("PUT", "banners/later", 201, BANNER | {"starts_at": "2099-01-01T00:00:00Z"})
    page = await home(client, lambda page: len(page.banners) == 2)
    assert [(banner.banner, banner.kind, banner.slug, banner.url) for banner in page.banners] == [
        ("kites", "product", "kite", None),
        ("sale", "url", None, "/sale"),
    ]
    listed = AdminBannerList.model_validate(await staff.send("GET", "banners", 200))
    assert [(banner.slug, banner.is_current) for banner in listed.items] == [
        ("kites", True),
        ("later", False),
        ("sale", True),
    ]
    shop.owner.execute("UPDATE store.products SET status = 'draft' WHERE slug = 'kite'")
    shop.changed("kite")
    await home(client, lambda page: [banner.banner for banner in page.banners] == ["sale"])
    for wrong in ({"link_kind": "product", "link": "No Slug"}, {"link": "//elsewhere.example"}, {"title": ""}):
        await staff.send("PUT", "banners/wrong", 422, BANNER | wrong)


async def test_a_window_opens_and_closes_by_itself(shop: Shop, client: httpx.AsyncClient, staff: Staff) -> None:  # noqa: F811
    shop.add("Kite", category="toys")
    await shop.sync()
    await staff.send("PUT", "banners/soon", 201, BANNER)
    now = datetime.now(UTC)
    window = {"starts_at": str(now + timedelta(seconds=1)), "ends_at": str(now + timedelta(seconds=2.5))}
    await staff.send("PUT", "banners/soon", 200, BANNER | window, version=1)
    await home(client, lambda page: all(banner.banner is None for banner in page.banners))
    await home(client, lambda page: [banner.banner for banner in page.banners] == ["soon"])
    await home(client, lambda page: all(banner.banner is None for banner in page.banners))


async def test_a_word_finds_what_it_means(shop: Shop, client: httpx.AsyncClient, staff: Staff) -> None:  # noqa: F811
    shop.add("Stroller", category="toys")
    await shop.sync()

    async def found() -> list[str]:
        answer = (await client.get("/v1/search?q=perambulator")).json()
        return [] if answer.get("fallback") else [item["slug"] for item in answer["items"]]

    async def until(wanted: list[str]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while await found() != wanted:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)

    assert await found() == []
    made = await staff.send("PUT", "search-synonyms/perambulator", 201, {"means": ["stroller"]})
    await until(["stroller"])
    await staff.send("DELETE", "search-synonyms/perambulator", 204, version=made["version"])
    await until([])
    await staff.send("PUT", "search-synonyms/two words", 422, {"means": ["stroller"]})
