"""Product lists, searches and product pages, as bytes."""

import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from app.core.errors import Refused
from query_api import cursors
from query_api.facets import Counts
from query_api.freshness import Consistency
from query_api.listing import SORTS, ListQuery, Sort, TextMatch
from query_api.repositories import catalog, search
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
    after = _after(state, query, 2)
    items, next_cursor = await _cards(state, query, None, SORTS[query.sort], after, [])
    # a category that products were found in is there
    doubtful = len(query.categories) > 1 or (query.categories and not items)
    if doubtful and not await catalog.category_exists(state.pool, query.categories):
        raise Refused("category_not_found")
    more = await _facets(state, query, None, now=wanted.position is not None) if facets else b""
    return Answer(page(items, next_cursor, more), None, stale=not fresh)


async def search_list(state: QueryState, query: ListQuery, wanted: Consistency, *, facets: bool) -> Answer:
    """A page of what a text finds, best first unless another order was asked for; always something, if there is any."""
    fresh = await state.freshness.reached(wanted, CATALOG)
    assert query.text is not None
    after = _after(state, query, 4)
    async for reading in state.search.readings(query.text, str(after[2]) if after else None):
        found = await _found(state, query, reading, after, facets=facets, now=wanted.position is not None)
        # filters may leave nothing of what fits; that is no reason to read the text otherwise
        if found.items or after or (query.dimensions() and await state.search.fits(reading)):
            break
    return Answer(page(found.items, found.next_cursor, found.more), None, stale=not fresh)


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


class _Found(NamedTuple):
    """A page of cards, the cursor of the next, and the members that come after them."""

    items: list[bytes]
    next_cursor: str | None
    more: bytes


async def _found(
    state: QueryState, query: ListQuery, reading: Reading, after: list[Any] | None, *, facets: bool, now: bool
) -> _Found:
    """A page of what a reading finds; of the most prominent where too many fit."""
    if after is not None:
        return await _page_of(state, query, replace(reading, least=after[3]), after, facets=facets, now=now)
    bounded = await state.search.bounded(reading, query.dimensions())
    found = await _page_of(state, query, bounded, None, facets=facets, now=now)
    if bounded.least is not None and found.next_cursor is None:
        # fewer fit than were expected: there is no need to leave any out
        return await _page_of(state, query, reading, None, facets=facets, now=now)
    return found


async def _page_of(
    state: QueryState, query: ListQuery, reading: Reading, after: list[Any] | None, *, facets: bool, now: bool
) -> _Found:
    assert query.text is not None
    asked = replace(query, text=f"{reading.mode}:{reading.least}:{query.text}")
    head, extra, exact = _reading(query.text, reading), [reading.mode, reading.least], reading.least is None
    ranked, dimensions = reading.ranked, query.dimensions()
    if query.sort == RELEVANCE and ranked is not None and facets and (now or state.facets.known(asked) is None):
        started = time.monotonic()
        found, counts = await search.ranked(state.pool, dimensions, ranked, sort_of(reading), query.limit + 1, after)
        state.facets.keep(asked, counts, time.monotonic() - started)
        items, next_cursor = _shown(state, query, found, extra)
        return _Found(items, next_cursor, head + await _members(state, query, counts, exact=exact))
    # in another order than relevance the first of all are found without ranking
    sort = sort_of(reading) if query.sort == RELEVANCE else SORTS[query.sort]
    listed = ranked if query.sort == RELEVANCE else reading.match
    items, next_cursor = await _cards(state, query, listed, sort, after, extra)
    more = await _facets(state, asked, ranked, now=now, exact=exact) if facets else b""
    return _Found(items, next_cursor, head + more)


async def _cards(
    state: QueryState,
    query: ListQuery,
    match: TextMatch | None,
    sort: Sort,
    after: list[Any] | None,
    extra: list[Any],
) -> tuple[list[bytes], str | None]:
    found = await catalog.cards(state.pool, query.dimensions(), match, sort, query.limit + 1, after)
    return _shown(state, query, found, extra)


def _shown(
    state: QueryState, query: ListQuery, found: list[catalog.Card], extra: list[Any]
) -> tuple[list[bytes], str | None]:
    """The cards of the page, and the cursor of the next if there was one card more."""
    shown = found[: query.limit]
    if len(found) <= query.limit or not shown:
        return [card.body for card in shown], None
    last = shown[-1]
    at = last.sort_value.isoformat() if isinstance(last.sort_value, datetime) else last.sort_value
    values = [at, str(last.product_id), *extra]
    secret = state.settings.secret("cursor_secret")
    return [card.body for card in shown], cursors.encode(secret, query.canonical(), values)


async def _facets(
    state: QueryState, query: ListQuery, match: TextMatch | None, *, now: bool, exact: bool = True
) -> bytes:
    """The members ``total``, ``total_is`` and ``facets``; nothing where counting them takes too long."""
    try:
        counts = await state.facets.counts(query, match, fresh=now)
    except TimeoutError:
        return b""
    return await _members(state, query, counts, exact=exact)


async def _members(state: QueryState, query: ListQuery, counts: Counts, *, exact: bool) -> bytes:
    document = await state.facets.document(query, counts)
    relation = b"exact" if exact else b"at_least"
    return b',"total":%d,"total_is":"%b","facets":' % (counts.get("#", 0), relation) + orjson.dumps(document)


def _reading(text: str, reading: Reading) -> bytes:
    members = {"query": text, "corrected_query": reading.corrected, "fallback": reading.fallback}
    return b"," + orjson.dumps(members)[1:-1]
