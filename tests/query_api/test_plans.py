"""Query plans as tests: a list with three facets, and a search with a typo, read no view from end to end."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import ClientCursor

from projections.books import connect
from projections.navigation.documents import REFRESH_WORDS
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from query_api.listing import SORTS, ListQuery
from query_api.repositories import catalog, search
from query_api.search import PostgresSearch, Reading, sort_of
from query_api.whole_shop import WholeShop
from tests.catalog_import.files import RETAIL_FILE, shared
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database
from tests.support.many import make_many

Plan = Callable[[str, dict[str, Any]], str]


def plans(database: Database) -> Plan:
    """``plan(statement, parameters)`` as kirana_query sees it, planned for its values."""

    def plan(statement: str, values: dict[str, Any]) -> str:
        with psycopg.connect(database.dsn("query"), autocommit=True, cursor_factory=ClientCursor) as connection:
            return "\n".join(line for (line,) in connection.execute(f"EXPLAIN {statement}", values))

    return plan


async def filled(database: Database) -> None:
    """The catalog view and its words, as a rebuild and the projector make them."""
    await rebuild(database.dsn("projector"), PROJECTIONS["catalog"])
    async with await connect(database.dsn("projector"), "test") as connection:
        await connection.execute(REFRESH_WORDS)
    with database.connect("owner") as owner:
        owner.execute("ANALYZE")


def check(plan: str, what: str) -> None:
    assert "Seq Scan" not in plan, f"{what} reads a table from end to end:\n{plan}"


def check_list(plan: Plan, query: ListQuery) -> None:
    dimensions = query.dimensions()
    assert len(dimensions) >= 3
    values: dict[str, Any] = {}
    for dimension in dimensions:
        values |= dimension.parameters
    for name, sort in SORTS.items():
        statement = catalog.page_statement(dimensions, None, sort, after=False)
        check(plan(statement, values | {"limit": 25}), f"a list by {name}")
    check(plan(*catalog.facet_statement(dimensions, None)), "facets")


def check_search(database: Database, plan: Plan, typed: str, meant: str) -> None:
    async def interpreted() -> Reading:
        from app.core.database import query_pool

        async with query_pool(database.settings) as pool:
            backend = PostgresSearch(pool, WholeShop(pool))
            return next(iter([reading async for reading in backend.readings(typed) if await backend.fits(reading)]))

    reading = asyncio.run(interpreted())
    assert reading.corrected == meant
    assert reading.match is not None
    check(plan(search.NEAREST_WORDS, {"words": [typed]}), "the nearest words")
    statement = catalog.page_statement([], reading.match, sort_of(reading), after=False)
    check(plan(statement, reading.match.parameters | {"limit": 25}), "a search with a typo")
    check(plan(*catalog.facet_statement([], reading.match)), "its facets")
    together, values = search.ranked_statement([], reading.match, sort_of(reading), after=False)
    check(plan(together, values | {"limit": 25}), "both in one")
    prominent = reading.match.from_prominence(8)
    bounded, values = search.ranked_statement([], prominent, sort_of(reading), after=False)
    check(plan(bounded, values | {"limit": 25}), "a search among the prominent")


@pytest.mark.parametrize(
    "products", [pytest.param(6_000, id="short"), pytest.param(100_000, id="long", marks=pytest.mark.long)]
)
def test_generated_catalog(database: Database, owner: psycopg.Connection[Any], products: int) -> None:
    make_many(owner, products)
    asyncio.run(filled(database))
    plan = plans(database)
    check_list(plan, ListQuery(categories=("c1-1",), brands=("brand-1", "brand-2"), attributes={"Color": ("Red",)}))
    check_list(plan, ListQuery(categories=("c2",), attributes={"Color": ("Red",), "Material": ("Wood",)}, rating=4))
    check_list(plan, ListQuery(brands=("brand-7",), price_min=10_000, price_max=90_000, attributes={"Size": ("S",)}))
    check_search(database, plan, "strller", "stroller")
    check_by_key(plan)


def check_by_key(plan: Plan) -> None:
    check(plan("SELECT detail FROM read.catalog WHERE slug = %(slug)s", {"slug": "item-7"}), "a product page")
    check(plan(catalog.STOCK, {"keys": ["item-7-1"], "skus": ["ITEM-7-1"]}), "stock")


@pytest.mark.long
def test_the_december_retail_catalog(database: Database, owner: psycopg.Connection[Any]) -> None:
    environment = environment_for(database)
    assert kirana("staff", "grant", "+919812345678", "owner", environment=environment).returncode == 0
    done = kirana("catalog", "import", str(shared(RETAIL_FILE)), "--stock", "100", environment=environment)
    assert done.returncode == 0, done.stderr
    asyncio.run(filled(database))
    assert owner.execute("SELECT count(*) > 1000 FROM read.catalog").fetchone() == (True,)
    plan = plans(database)
    category = owner.execute("SELECT category_path[1] FROM read.catalog WHERE category_path <> '{}' LIMIT 1").fetchone()
    names = tuple(category) if category else ()
    filters = {"categories": names} if names else {"in_stock": False}
    check_list(plan, ListQuery(**filters, price_min=10_000, price_max=20_000, discount=10))  # type: ignore[arg-type]
    check_search(database, plan, "umbrela", "umbrella")
