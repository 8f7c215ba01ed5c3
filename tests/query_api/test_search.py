"""Search: stems, prefixes, typos, synonyms, SKUs and brands first, and something when nothing fits."""

import asyncio
import time

import pytest

from query_api.schemas.catalog import SearchResult, Suggestion
from tests.support.builders import one
from tests.support.shop import Shop


@pytest.fixture
async def nursery(shop: Shop) -> Shop:
    shop.add("Sunny Baby Stroller", brand="Chicco", category="baby/strollers", sku="STR-100", price=899_900)
    shop.add("Compact Stroller Lite", brand="Joie", category="baby/strollers", sku="STR-200")
    shop.add("Running Shoes", brand="Bata", category="shoes", tags=["sport"])
    shop.add("Café Crème Mug", brand="Chicco", category="kitchen", description="<p>A <b>porcelain</b> cup</p>")
    shop.add("Cotton Nappies", category="baby", attributes={"Material": "Organic cotton"})
    shop.add("शिशु कंबल", category="baby", sku="BLANKET-1")
    await shop.sync()
    end = time.monotonic() + 20
    while one(shop.owner, "SELECT count(*) FROM read.search_words WHERE word = 'stroller'") == 0:
        assert time.monotonic() < end, "the words were not refreshed"
        await asyncio.sleep(0.02)
    return shop


MEANT = (
    ("strollers", "Stroller"),  # a stem
    ("shoe", "Running Shoes"),
    ("run", "Running Shoes"),  # a prefix
    ("creme mug", "Café Crème Mug"),  # accents
    ("porcelain", "Café Crème Mug"),  # the description
    ("organic", "Cotton Nappies"),  # an attribute
    ("STR-200", "Compact Stroller Lite"),  # a SKU
    ("str-20", "Stroller"),
    ("pram", "Stroller"),  # a synonym
    ("joie", "Compact Stroller Lite"),  # a brand
    ("कंबल", "शिशु कंबल"),
    ("  Sunny   BABY ", "Sunny Baby Stroller"),
)


async def test_what_is_meant_is_found(nursery: Shop, subtests: pytest.Subtests) -> None:
    for text, first in MEANT:
        with subtests.test(text=text):
            found = SearchResult.model_validate(await nursery.get(f"/v1/search?q={text}"))
            assert found.fallback is None
            assert found.corrected_query is None
            assert first in found.items[0].title


@pytest.mark.parametrize(("typed", "meant"), [("strller", "stroller"), ("runing shose", "running shoes")])
async def test_typos_are_forgiven(nursery: Shop, typed: str, meant: str) -> None:
    found = await nursery.get(f"/v1/search?q={typed}")
    assert found["corrected_query"] == meant
    assert meant.partition(" ")[0] in found["items"][0]["title"].lower()


async def test_sku_and_brand_hits_come_first(nursery: Shop) -> None:
    nursery.add("Chicco style chicco lookalike chicco", description="chicco chicco", category="kitchen")
    await nursery.sync()
    brands = [item["brand"] for item in (await nursery.get("/v1/search?q=chicco"))["items"]]
    assert brands == ["Chicco", "Chicco", None]
    nursery.add("Sunny thing", tags=["STR-100"])
    await nursery.sync()
    assert (await nursery.titles("/v1/search?q=str-100"))[0] == "Sunny Baby Stroller"


async def test_a_shopper_never_leaves_with_nothing(nursery: Shop) -> None:
    found = await nursery.get("/v1/search?q=stroller helicopter")
    assert found["fallback"] == "any_word"
    assert all("Stroller" in item["title"] for item in found["items"])
    found = await nursery.get("/v1/search?q=xyzzyplugh")
    assert found["fallback"] == "popular"
    assert len(found["items"]) == 6
    assert (await nursery.get("/v1/search?q=%2B%26|!()"))["fallback"] == "popular"


async def test_filters_and_facets_apply_to_what_was_found(nursery: Shop) -> None:
    found = await nursery.get("/v1/search?q=stroller&brand=joie")
    assert (found["total"], found["items"][0]["title"]) == (1, "Compact Stroller Lite")
    assert {brand["slug"]: brand["count"] for brand in found["facets"]["brands"]} == {"joie": 1, "chicco": 1}
    assert await nursery.titles("/v1/search?q=stroller&sort=price_desc") == [
        "Sunny Baby Stroller",
        "Compact Stroller Lite",
    ]


@pytest.mark.parametrize("text", ["toy", "toyy thingg", "thing nowhere", "zzzzqqqq"])
async def test_pages_of_a_search_hold_together(nursery: Shop, text: str) -> None:
    for number in range(9):
        nursery.add(f"Toy thing {number}")
    await nursery.sync()
    await asyncio.sleep(0)
    seen: list[str] = []
    path = f"/v1/search?q={text}&limit=4&facets=false"
    page = await nursery.get(path)
    mode = page["fallback"]
    while True:
        seen += [item["title"] for item in page["items"]]
        assert page["fallback"] == mode
        if page["next_cursor"] is None:
            break
        page = await nursery.get(f"{path}&cursor={page['next_cursor']}")
    assert len(seen) == len(set(seen)) >= 9


async def test_suggestions(nursery: Shop) -> None:
    found = Suggestion.model_validate(await nursery.get("/v1/search/suggest?q=stro"))
    assert found.queries[0] == "stroller"
    assert {card.title for card in found.products} == {"Sunny Baby Stroller", "Compact Stroller Lite"}
    found = Suggestion.model_validate(await nursery.get("/v1/search/suggest?q=chi"))
    assert [brand.name for brand in found.brands] == ["Chicco"]
    assert "sunny baby" in " ".join((await nursery.get("/v1/search/suggest?q=sunny ba"))["queries"])
    assert (await nursery.get("/v1/search/suggest?q=%25"))["queries"] == []


ODD = ["'; DROP TABLE x; --", "a:*b & !c", "\\", "%", "_", "(((", "' | '", "😀", "a" * 200]


async def test_any_text_is_only_a_text(nursery: Shop, subtests: pytest.Subtests) -> None:
    for text in ODD:
        with subtests.test(text=text):
            response = await nursery.client.get("/v1/search", params={"q": text})
            assert response.status_code == 200, response.text
            response = await nursery.client.get("/v1/search/suggest", params={"q": text})
            assert response.status_code == 200, response.text


async def test_texts_that_are_none_are_refused(nursery: Shop) -> None:
    for text in ("", "%00", "a" * 201):
        await nursery.get(f"/v1/search?q={text}", 422)
