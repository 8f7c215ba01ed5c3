"""Lists and product pages: filters, facets, orders, cursors, what is shown and what is not."""

import itertools
from typing import Any

import pytest

from query_api.schemas.catalog import ProductList, ProductPage, StockList
from tests.support.projecting import after
from tests.support.shop import Shop

COLOURS = ("Red", "Blue", "Green")


@pytest.fixture
async def toys(shop: Shop) -> Shop:
    """Eighteen products: two brands, three colours, three categories below toys, prices ₹100 to ₹1,800."""
    for number, (brand, colour, place) in enumerate(
        itertools.product(("Acme", "Bolt"), COLOURS, ("outdoor", "indoor", "puzzles")), start=1
    ):
        shop.add(
            f"Toy {number:02d}",
            price=number * 10_000,
            mrp=number * 10_000 + (number % 4) * 5_000,
            brand=brand,
            category=f"toys/{place}",
            attributes={"Color": colour},
            stock=0 if number % 6 == 0 else number,
            age_days=number,
            rating=(number, number * (1 + number % 5)),
        )
    shop.add("Book", category="books", price=5_000)
    await shop.sync()
    return shop


def counts(facets: list[dict[str, Any]], key: str = "slug") -> dict[str, int]:
    return {entry[key]: entry["count"] for entry in facets}


def colours(document: dict[str, Any]) -> dict[str, int]:
    return {value["value"]: value["count"] for value in document["facets"]["attributes"][0]["values"]}


async def test_lists_and_pages_are_what_the_schema_says(toys: Shop) -> None:
    listed = ProductList.model_validate(await toys.get("/v1/products"))
    assert listed.total == 19
    page = ProductPage.model_validate(await toys.get("/v1/products/toy-05"))
    assert [crumb.slug for crumb in page.breadcrumbs] == ["toys", "indoor"]
    assert set(ProductPage.model_fields) == set(await toys.get("/v1/products/toy-05"))
    assert set(ProductList.model_fields) == set(await toys.get("/v1/products"))


async def test_a_category_has_what_is_below_it(toys: Shop) -> None:
    assert (await toys.get("/v1/products?category=toys"))["total"] == 18
    assert (await toys.get("/v1/products?category=outdoor"))["total"] == 6
    assert (await toys.get("/v1/products?category=outdoor&category=puzzles"))["total"] == 12
    assert (await toys.get("/v1/products?category=nowhere", 404))["code"] == "category_not_found"


async def test_filters_narrow_each_other(toys: Shop) -> None:
    found = await toys.get("/v1/products?category=toys&brand=acme&attr.Color=Red&attr.Color=Blue&min_price=20000")
    assert found["total"] == 5
    assert {item["brand"] for item in found["items"]} == {"Acme"}
    assert min(item["price"] for item in found["items"]) == 20_000
    assert (await toys.get("/v1/products?brand=acme&brand=bolt"))["total"] == 18
    assert (await toys.get("/v1/products?in_stock=false"))["total"] == 3
    assert (await toys.get("/v1/products?rating=5"))["total"] == 3
    assert all(item["discount_percent"] >= 20 for item in (await toys.get("/v1/products?discount=20"))["items"])


async def test_a_facets_own_choice_does_not_narrow_its_own_counts(toys: Shop) -> None:
    found = await toys.get("/v1/products?category=toys&brand=acme&attr.Color=Red")
    assert found["total"] == 3
    facets = found["facets"]
    assert counts(facets["brands"]) == {"acme": 3, "bolt": 3}, "over colour and category, not over brand"
    assert [entry["selected"] for entry in facets["brands"]] == [True, False]
    assert colours(found) == {"Red": 3, "Blue": 3, "Green": 3}, "over brand and category, not over colour"
    assert counts(facets["categories"])["outdoor"] == 1, "over brand and colour"
    assert facets["availability"] == {"in_stock": 3, "out_of_stock": 0, "backorder": 0, "preorder": 0}


async def test_each_count_is_what_choosing_it_gives(toys: Shop, subtests: pytest.Subtests) -> None:
    for query in ["", "category=toys", "brand=acme&in_stock=true", "attr.Color=Red&max_price=90000"]:
        with subtests.test(query=query):
            await check_counts(toys, query)


async def check_counts(toys: Shop, query: str) -> None:
    facets = (await toys.get(f"/v1/products?{query}"))["facets"]
    for brand in facets["brands"]:
        rest = "&".join(part for part in query.split("&") if not part.startswith("brand="))
        assert (await toys.get(f"/v1/products?{rest}&brand={brand['slug']}"))["total"] == brand["count"]
    for attribute in facets["attributes"]:
        for value in attribute["values"]:
            name = f"attr.{attribute['name']}"
            rest = "&".join(part for part in query.split("&") if not part.startswith(name))
            assert (await toys.get(f"/v1/products?{rest}&{name}={value['value']}"))["total"] == value["count"]
    for band in facets["price"]:
        rest = "&".join(part for part in query.split("&") if "_price" not in part)
        top = "" if band["max"] is None else f"&max_price={band['max']}"
        assert (await toys.get(f"/v1/products?{rest}&min_price={band['min']}{top}"))["total"] == band["count"]


ORDERS = (
    ("price_asc", "price", False),
    ("price_desc", "price", True),
    ("rating", "rating", True),
    ("discount", "discount_percent", True),
)


async def test_orders(toys: Shop, subtests: pytest.Subtests) -> None:
    for sort, key, falling in ORDERS:
        with subtests.test(sort=sort):
            found = [item[key] for item in (await toys.get(f"/v1/products?sort={sort}&limit=100"))["items"]]
            assert found == sorted(found, reverse=falling)
            assert len(set(found)) > 3


async def test_newest_first(toys: Shop) -> None:
    assert (await toys.titles("/v1/products?sort=newest&category=toys&limit=3")) == ["Toy 01", "Toy 02", "Toy 03"]


@pytest.mark.parametrize("sort", ["bestselling", "newest", "price_asc", "price_desc", "rating", "discount"])
async def test_cursors_walk_all_once_whatever_is_inserted_meanwhile(toys: Shop, sort: str) -> None:
    path = f"/v1/products?category=toys&sort={sort}&limit=4&facets=false"
    seen: list[str] = []
    page = await toys.get(path)
    for turn in itertools.count():
        seen += [item["title"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        toys.add(f"Late {turn}", category="toys", price=1 + turn * 70_000, age_days=turn * 3)
        await toys.sync()
        page = await toys.get(f"{path}&cursor={page['next_cursor']}")
    assert len(seen) == len(set(seen)), "nothing twice"
    assert {title for title in seen if title.startswith("Toy")} == {f"Toy {n:02d}" for n in range(1, 19)}


async def test_a_cursor_is_for_its_query_only(toys: Shop) -> None:
    cursor = (await toys.get("/v1/products?category=toys&limit=2"))["next_cursor"]
    assert (await toys.get(f"/v1/products?category=outdoor&limit=2&cursor={cursor}", 422))["code"] == "invalid_value"
    assert (await toys.get(f"/v1/products?category=toys&limit=2&cursor={cursor[:-2]}AA", 422))["field"] == "cursor"
    assert (await toys.get("/v1/products?category=toys&cursor=%00%ff", 422))["code"] in {
        "invalid_value",
        "validation_failed",
    }
    await toys.get(f"/v1/products?category=toys&limit=3&cursor={cursor}")


async def test_what_is_not_published_is_nowhere(shop: Shop) -> None:
    shop.add("Shown one", brand="Acme", category="toys")
    shop.add("Draft one", brand="Acme", category="toys", status="draft")
    shop.add("Future one", brand="Acme", category="toys", age_days=-2)
    await shop.sync()
    assert await shop.titles("/v1/products?category=toys") == ["Shown one"]
    assert await shop.titles("/v1/search?q=one") == ["Shown one"]
    assert counts((await shop.get("/v1/products"))["facets"]["brands"]) == {"acme": 1}
    for slug in ("draft-one", "future-one", "no-such"):
        assert (await shop.get(f"/v1/products/{slug}", 404))["code"] == "product_not_found"
    skus = "&".join(f"sku={sku}" for sku in ("SHOWN-ONE", "DRAFT-ONE", "FUTURE-ONE"))
    stock = StockList.model_validate(await shop.get(f"/v1/inventory?{skus}"))
    assert [(item.sku, item.on_sale, item.available) for item in stock.items] == [
        ("SHOWN-ONE", True, 5),
        ("DRAFT-ONE", False, 0),
        ("FUTURE-ONE", False, 0),
    ]


async def test_sold_out_is_shown_as_sold_out(shop: Shop) -> None:
    shop.add("Last piece", stock=0)
    await shop.sync()
    (card,) = (await shop.get("/v1/products"))["items"]
    assert card["in_stock"] is False
    assert (await shop.get("/v1/products/last-piece"))["variants"][0]["in_stock"] is False


async def test_a_page_that_did_not_change_is_not_sent_again(shop: Shop) -> None:
    shop.add("Kettle")
    await shop.sync()
    for path in ("/v1/products/kettle", "/v1/products", "/v1/search?q=kettle"):
        first = await shop.client.get(path)
        again = await shop.client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert "max-age" in first.headers["cache-control"]
    etag = (await shop.client.get("/v1/products/kettle")).headers["etag"]
    shop.owner.execute("UPDATE store.inventory SET on_hand = 1")
    given = after(shop.changed("kettle")) | {"If-None-Match": etag}
    assert (await shop.client.get("/v1/products/kettle", headers=given)).status_code == 200


async def test_questions_that_make_no_sense_are_refused(shop: Shop, subtests: pytest.Subtests) -> None:
    for query in [
        "limit=0",
        "limit=101",
        "sort=random",
        "min_price=-1",
        "rating=6",
        "brand=",
        "category=%00",
        "attr.=x",
        "attr.a%3Db=x",
    ]:
        with subtests.test(query=query):
            assert (await shop.get(f"/v1/products?{query}", 422))["code"] in {"validation_failed", "invalid_value"}
