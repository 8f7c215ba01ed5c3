"""A large shop: a search that very many products fit ranks those that sell best, and says so; its facets are counted.

What is large, and how many are many, is set low here, so that a few thousand products will do.
"""

import asyncio
from typing import Any

import httpx
import psycopg
import pytest

from projections.books import connect
from projections.navigation.documents import REFRESH_TOKEN_COUNTS, REFRESH_WORDS
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from query_api import facets, search, whole_shop
from query_api.listing import SHOWN
from query_api.repositories import catalog
from tests.support.builders import one
from tests.support.databases import Database
from tests.support.many import make_many

Connection = psycopg.Connection[Any]
PRODUCTS = 3_000
RANKED = 60
FITS = "search @@ to_tsquery('read.kirana', 'red')"
SELLS = 40  # products that sold, each twice as often as the one before, up to a million


@pytest.fixture
def large(database: Database, owner: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The owner's connection to a shop that counts as large."""
    monkeypatch.setattr(whole_shop, "LARGE", 1_000)
    monkeypatch.setattr(search, "MANY", 200)
    monkeypatch.setattr(search, "RANKED", RANKED)
    make_many(owner, PRODUCTS)
    owner.execute(
        "INSERT INTO read.popularity (product_id, units) SELECT id, 1 + 2 ^ (row_number() OVER (ORDER BY id) / 2)"
        f" FROM (SELECT id FROM store.products WHERE title ~* 'wooden' ORDER BY id LIMIT {SELLS}) AS chosen"
    )
    asyncio.run(_build(database))
    owner.execute("ANALYZE")
    return owner


async def _build(database: Database) -> None:
    await rebuild(database.dsn("projector"), PROJECTIONS["catalog"])
    async with await connect(database.dsn("projector"), "test") as connection:
        await connection.execute(REFRESH_WORDS)
        await connection.execute(REFRESH_TOKEN_COUNTS)


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def all_pages(client: httpx.AsyncClient, path: str) -> list[str]:
    """The ids of a list, page after page."""
    found, page = [], await get(client, path)
    while True:
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        page = await get(client, f"{path}&cursor={page['next_cursor']}")


def fitting(owner: Connection, condition: str = "true") -> int:
    number: int = one(owner, f"SELECT count(*) FROM read.catalog WHERE {SHOWN} AND {FITS} AND {condition}")
    return number


async def test_the_most_prominent_are_ranked_and_counted(large: Connection, client: httpx.AsyncClient) -> None:
    found = await get(client, "/v1/search?q=red&limit=24")
    assert found["total_is"] == "at_least"
    assert RANKED / 2 <= found["total"] <= RANKED * 3 < fitting(large)
    assert sum(found["facets"]["availability"].values()) == found["total"]
    least = large.execute(
        f"SELECT prominence FROM read.catalog WHERE {SHOWN} AND {FITS} ORDER BY 1 DESC OFFSET %s LIMIT 1",
        (found["total"] - 1,),
    ).fetchone()
    assert least is not None
    listed = await all_pages(client, "/v1/search?q=red&limit=24")
    assert len(listed) == len(set(listed)) == found["total"]
    wanted = large.execute(
        f"SELECT product_id::text FROM read.catalog WHERE {SHOWN} AND {FITS} AND prominence >= %s", least
    ).fetchall()
    assert set(listed) == {product for (product,) in wanted}


async def test_a_sku_that_is_meant_is_found_however_little_it_sells(
    large: Connection, client: httpx.AsyncClient
) -> None:
    """Of thousands that fit the text, one with the least prominence has it for its SKU."""
    least: str = one(large, f"SELECT product_id::text FROM read.catalog WHERE {FITS} ORDER BY prominence, 1 LIMIT 1")
    large.execute("UPDATE read.catalog SET skus = skus || ARRAY['red'] WHERE product_id::text = %s", (least,))
    found = await get(client, "/v1/search?q=red")
    assert found["total_is"] == "at_least"
    assert found["items"][0]["id"] == least


async def test_filters_that_leave_few_leave_all_of_them(large: Connection, client: httpx.AsyncClient) -> None:
    found = await get(client, "/v1/search?q=red&category=c3-1-1")
    assert found["total_is"] == "exact"
    assert found["total"] == fitting(large, "tokens @> ARRAY['c:c3-1-1']") > 0


async def test_in_another_order_the_first_of_all_come_first(large: Connection, client: httpx.AsyncClient) -> None:
    found = await get(client, "/v1/search?q=red&sort=price_asc&limit=10")
    assert found["total_is"] == "at_least"
    cheapest = large.execute(
        f"SELECT price FROM read.catalog WHERE {SHOWN} AND {FITS} ORDER BY price LIMIT 10"
    ).fetchall()
    assert [item["price"] for item in found["items"]] == [price for (price,) in cheapest]


async def test_what_was_expected_to_be_much_and_is_not_is_ranked_whole(
    large: Connection, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def expected(*_: Any) -> int:
        return 10**6

    monkeypatch.setattr(catalog, "expected", expected)
    found = await get(client, "/v1/search?q=red&category=c3-1-1")
    assert found["total_is"] == "exact"
    assert found["total"] == fitting(large, "tokens @> ARRAY['c:c3-1-1']") > 0


async def test_suggestions_are_of_the_prominent(large: Connection, client: httpx.AsyncClient) -> None:
    suggested = await get(client, "/v1/search/suggest?q=wooden")
    assert len(suggested["products"]) == 8
    sold = large.execute("SELECT product_id::text FROM read.catalog WHERE sold_units > 1000").fetchall()
    assert {item["id"] for item in suggested["products"]} <= {product for (product,) in sold}


async def test_facets_of_the_whole_shop_are_those_the_projector_counted(
    large: Connection, client: httpx.AsyncClient
) -> None:
    counted = await get(client, "/v1/products?limit=1")
    assert (counted["total"], counted["total_is"]) == (PRODUCTS, "exact")
    of_one = await get(client, "/v1/products?limit=1&category=c3")
    for document in (counted, of_one):
        for facet in document["facets"]["categories"]:
            assert facet["count"] == one(
                large, f"SELECT count(*) FROM read.catalog WHERE {SHOWN} AND tokens @> ARRAY[%s]", f"c:{facet['slug']}"
            )
    assert of_one["total"] == next(f["count"] for f in counted["facets"]["categories"] if f["slug"] == "c3")


async def test_counts_that_take_too_long_are_left_out_and_there_the_next_time(
    large: Connection, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, go_on = catalog.facet_counts, asyncio.Event()

    async def slowly(*arguments: Any, **options: Any) -> dict[str, int]:
        await go_on.wait()
        return await counts(*arguments, **options)

    monkeypatch.setattr(catalog, "facet_counts", slowly)
    monkeypatch.setattr(facets, "PATIENCE_SECONDS", 0.05)
    path = "/v1/products?category=c3&attr.Color=Red"
    without = await get(client, path)
    assert without["items"]
    assert "facets" not in without
    assert "total" not in without
    go_on.set()
    await asyncio.sleep(0.3)
    assert (await get(client, path))["facets"]["attributes"]


def test_prominence_rises_with_sales_and_halves_what_sells_alike(large: Connection) -> None:
    rows = large.execute("SELECT sold_units, prominence FROM read.catalog").fetchall()
    assert all(prominence // 16 == min(units.bit_length(), 21) for units, prominence in rows)
    for least in (1, 5, 16, 18, 37, 100):
        match = search.match_of("x", ["x"], {}, any_word=False).from_prominence(least)
        found = large.execute(
            "SELECT count(*) FILTER (WHERE prominence >= %(least)s),"
            " count(*) FILTER (WHERE search @@ %(prominent)s::tsquery),"
            " count(*) FILTER (WHERE search @@ %(prominent)s::tsquery AND prominence >= %(least)s) FROM read.catalog",
            {"least": least, "prominent": match.parameters["prominent"]},
        ).fetchone()
        assert found is not None
        assert found[0] == found[1] == found[2] > 0
    unsold = [prominence for units, prominence in rows if units == 0]
    for step in (1, 2, 3):
        share = sum(prominence >= step for prominence in unsold) / len(unsold)
        assert 0.8 < share * 2**step < 1.2
