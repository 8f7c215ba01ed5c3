"""Product lists, searches and product pages, as bytes."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from app.core.errors import Refused
from query_api import cursors
from query_api.freshness import Consistency
from query_api.listing import SORTS, ListQuery, Sort, TextMatch
from query_api.repositories import catalog
from query_api.responses import page
from query_api.search import RELEVANCE, Reading, sort_of
from query_api.state import QueryState

CATALOG = "catalog"


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, its ETag when it is stored with it, and whether it is older than the client's token."""

    body: bytes
    etag: str | None
    stale: bool


async def product(state: QueryState, slug: str, wanted: Consistency) -> Answer:
    """A product's page. Raises ``Refused('product_not_found')`` for one that is not shown."""
    fresh = await state.freshness.reached(wanted, CATALOG)
    found = await state.views.product_page(slug, wanted.position if fresh else None)
    if found is None:
        raise Refused("product_not_found")
    return Answer(found.body, found.etag, stale=not fresh)


async def product_list(state: QueryState, query: ListQuery, wanted: Consistency, *, facets: bool) -> Answer:
    """A page of products with facets. Raises ``Refused``: unknown category, bad cursor."""
    fresh = await state.freshness.reached(wanted, CATALOG)
    if query.categories and not await catalog.category_exists(state.pool, query.categories):
        raise Refused("category_not_found")
    after = _after(state, query, 2)
    items, next_cursor = await _cards(state, query, None, SORTS[query.sort], after, [])
    more = await _facets(state, query, None, now=wanted.position is not None) if facets else b""
    return Answer(page(items, next_cursor, more), None, stale=not fresh)


async def search_list(state: QueryState, query: ListQuery, wanted: Consistency, *, facets: bool) -> Answer:
    """A page of what a text finds, best first unless another order was asked for; always something, if there is any."""
    fresh = await state.freshness.reached(wanted, CATALOG)
    assert query.text is not None
    after = _after(state, query, 3)
    reading = await state.search.interpret(query.text, str(after[2]) if after else None)
    chosen = replace(query, text=f"{reading.mode}:{query.text}")
    sort = sort_of(reading) if query.sort == RELEVANCE else SORTS[query.sort]
    items, next_cursor = await _cards(state, query, reading.match, sort, after, [reading.mode])
    more = _reading(query.text, reading)
    if facets:
        more += await _facets(state, chosen, reading.match, now=wanted.position is not None)
    return Answer(page(items, next_cursor, more), None, stale=not fresh)


async def suggestions(state: QueryState, text: str, limit: int) -> bytes:
    """What a text may become while it is typed."""
    found = await state.search.suggest(text, limit)
    head = orjson.dumps(
        {
            "queries": found.words,
            "brands": [{"slug": slug, "name": name} for slug, name in found.brands],
            "categories": [{"slug": slug, "name": name} for slug, name in found.categories],
        }
    )
    return head[:-1] + b',"products":[' + b",".join(found.products) + b"]}"


async def availability(state: QueryState, skus: list[str], wanted: Consistency) -> Answer:
    """Stock per SKU, in the order asked for; a SKU that is not on sale has none and says so."""
    fresh = await state.freshness.reached(wanted, CATALOG)
    units = await catalog.stock(state.pool, skus)
    listed = [_stock_of(sku, units.get(sku)) for sku in dict.fromkeys(skus)]
    return Answer(orjson.dumps({"items": listed}), None, stale=not fresh)


def _stock_of(sku: str, units: catalog.Units | None) -> dict[str, Any]:
    available, beyond = units or (0, None)
    sold_out = beyond or {"availability": "out_of_stock", "from": None}
    return {
        "sku": sku,
        "on_sale": units is not None,
        "available": available,
        "in_stock": available > 0,
        "availability": "in_stock" if available > 0 else sold_out["availability"],
        "available_from": None if available > 0 else sold_out["from"],
    }


def _after(state: QueryState, query: ListQuery, members: int) -> list[Any] | None:
    """The values of the query's cursor: sort value, product id, and for a search the mode of its reading."""
    if query.cursor is None:
        return None
    values = cursors.decode(state.settings.secret("cursor_secret"), query.canonical(), query.cursor)
    if len(values) != members:
        raise Refused("invalid_value", "The cursor is not one of this query's.", field="cursor")
    return values


async def _cards(
    state: QueryState,
    query: ListQuery,
    match: TextMatch | None,
    sort: Sort,
    after: list[Any] | None,
    extra: list[Any],
) -> tuple[list[bytes], str | None]:
    found = await catalog.cards(state.pool, query.dimensions(), match, sort, query.limit + 1, after)
    shown = found[: query.limit]
    if len(found) <= query.limit or not shown:
        return [card.body for card in shown], None
    last = shown[-1]
    at = last.sort_value.isoformat() if isinstance(last.sort_value, datetime) else last.sort_value
    values = [at, str(last.product_id), *extra]
    secret = state.settings.secret("cursor_secret")
    return [card.body for card in shown], cursors.encode(secret, query.canonical(), values)


async def _facets(state: QueryState, query: ListQuery, match: TextMatch | None, *, now: bool) -> bytes:
    counts = await state.facets.counts(query, match, fresh=now)
    document = await state.facets.document(query, counts)
    return b',"total":%d,"facets":' % counts.get("#", 0) + orjson.dumps(document)


def _reading(text: str, reading: Reading) -> bytes:
    members = {"query": text, "corrected_query": reading.corrected, "fallback": reading.fallback}
    return b"," + orjson.dumps(members)[1:-1]
