"""Reads of the catalog view: pages of cards, product pages, facet counts, stock. SELECT only."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from app.core.database import QueryPool
from query_api.listing import SHOWN, Dimension, Sort, TextMatch

STOCK = f"""
SELECT unit.key, unit.value::bigint, shown.beyond -> unit.key
FROM (SELECT stock, beyond FROM read.catalog WHERE {SHOWN} AND skus && %(keys)s::text[]) AS shown
CROSS JOIN LATERAL jsonb_each_text(shown.stock) AS unit
WHERE unit.key = ANY(%(skus)s)
"""


class Page(NamedTuple):
    """The bytes of a product page, its ETag, and the position it was computed at."""

    body: bytes
    etag: str
    position: int


class Card(NamedTuple):
    """A list card's bytes and where it stands in the order."""

    body: bytes
    product_id: UUID
    sort_value: int | datetime


async def product_page(pool: QueryPool, slug: str) -> Page | None:
    """The page of a product that is shown; None when there is none."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT detail, etag, position FROM read.catalog WHERE slug = %s AND {SHOWN}", (slug,), binary=True
        )
        row = await cursor.fetchone()
    return None if row is None else Page(*row)


def conditions(dimensions: list[Dimension], match: TextMatch | None) -> str:
    """What a product must be that passes the filters and fits the text."""
    listed = [SHOWN, *(dimension.condition for dimension in dimensions)]
    if match is not None:
        listed.append(match.condition)
    return " AND ".join(listed)


def parameters(dimensions: list[Dimension], match: TextMatch | None) -> dict[str, Any]:
    """The values that those conditions name."""
    values: dict[str, Any] = dict(match.parameters) if match is not None else {}
    for dimension in dimensions:
        values |= dimension.parameters
    return values


def page_statement(dimensions: list[Dimension], match: TextMatch | None, sort: Sort, *, after: bool) -> str:
    """The SELECT of one page; parameters ``limit`` and, beyond the first page, ``after`` and ``after_id``."""
    where = conditions(dimensions, match)
    if after:
        where += f" AND ({sort.expression}, product_id) {sort.beyond} (%(after)s::{sort.type}, %(after_id)s::uuid)"
    order = f"{sort.direction}, product_id {sort.direction}"
    return (
        f"SELECT card, product_id, {sort.expression} AS sort_value FROM read.catalog WHERE {where}"
        f" ORDER BY {sort.expression} {order} LIMIT %(limit)s"
    )


async def cards(
    pool: QueryPool,
    dimensions: list[Dimension],
    match: TextMatch | None,
    sort: Sort,
    limit: int,
    after: list[Any] | None,
) -> list[Card]:
    """Up to ``limit`` cards in order, after the cursor's values. Planned for its values, not in general."""
    values = parameters(dimensions, match) | {"limit": limit}
    if after is not None:
        values |= {"after": after[0], "after_id": after[1]}
    statement = page_statement(dimensions, match, sort, after=after is not None)
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, values, prepare=False, binary=True)
        return [Card(*row) for row in await cursor.fetchall()]


def facet_statement(
    dimensions: list[Dimension], match: TextMatch | None, *, own: bool = True
) -> tuple[str, dict[str, Any]]:
    """Counts of every token: of facets nobody chose from over all filters, of a chosen one over all but its own.

    The row ``#`` is the number of products that pass all filters. ``own=False`` leaves out the chosen facets' counts.
    """
    values = parameters(dimensions, match)
    listed = f"read.catalog WHERE {conditions(dimensions, match)}"
    parts = [counts_of(listed, dimensions, values), *(own_counts(dimensions, match, values) if own else [])]
    return " UNION ALL ".join(parts), values


def counts_of(listed: str, dimensions: list[Dimension], values: dict[str, Any]) -> str:
    """The SELECT of (token, products) of facets nobody chose from, and of ``#``; its parameters go into ``values``."""
    others = ""
    for number, dimension in enumerate(dimensions):
        values[f"prefix_{number}"] = dimension.prefix
        others += f" AND NOT starts_with(token, %(prefix_{number})s)"
    return (
        "SELECT token, count(*) AS products FROM"
        f" (SELECT unnest(array_append(tokens, '#')) AS token FROM {listed}) AS shown"
        f" WHERE true{others} GROUP BY token"
    )


def own_counts(dimensions: list[Dimension], match: TextMatch | None, values: dict[str, Any]) -> list[str]:
    """The SELECTs of each chosen facet's counts, over all filters but its own."""
    parts = []
    for number, dimension in enumerate(dimensions):
        values[f"prefix_{number}"] = dimension.prefix
        rest = [other for other in dimensions if other is not dimension]
        parts.append(
            f"SELECT token, count(*) AS products FROM (SELECT unnest(tokens) AS token FROM read.catalog"
            f" WHERE {conditions(rest, match)}) AS shown"
            f" WHERE starts_with(token, %(prefix_{number})s) GROUP BY token"
        )
    return parts


async def facet_counts(
    pool: QueryPool, dimensions: list[Dimension], match: TextMatch | None, *, own: bool = True
) -> dict[str, int]:
    """Products per token, and in all (``#``)."""
    statement, values = facet_statement(dimensions, match, own=own)
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, values, prepare=False)
        return dict(await cursor.fetchall())


async def expected(pool: QueryPool, dimensions: list[Dimension], match: TextMatch) -> int:
    """How many products pass the filters and fit the text, as the planner expects: nothing is read for it."""
    of_words = match._replace(code="false")
    async with pool.connection() as connection:
        cursor = await connection.execute(
            f"EXPLAIN (FORMAT JSON) SELECT FROM read.catalog WHERE {conditions(dimensions, of_words)}",
            parameters(dimensions, match),
            prepare=False,
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0][0]["Plan"]["Plan Rows"])


async def token_counts(pool: QueryPool) -> dict[str, int]:
    """Products of the whole shop per token, in all (``#``) and of each prominence (``q:``), as last counted."""
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT token, products FROM read.token_counts")
        return dict(await cursor.fetchall())


async def names(pool: QueryPool) -> dict[str, str]:
    """What categories and brands are called, by token."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT 'c:' || slug, name FROM store.categories WHERE is_active"
            " UNION ALL SELECT 'b:' || slug, name FROM store.brands WHERE is_active"
        )
        return dict(await cursor.fetchall())


async def category_exists(pool: QueryPool, slugs: tuple[str, ...]) -> bool:
    """Whether all of these are active categories."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM store.categories WHERE slug = ANY(%s) AND is_active", (list(slugs),)
        )
        row = await cursor.fetchone()
    return bool(row and row[0] == len(set(slugs)))


class Units(NamedTuple):
    """Units of a SKU that can be sold now; ``beyond`` (availability, from) when it is sold out but sold ahead."""

    available: int
    beyond: dict[str, Any] | None


async def stock(pool: QueryPool, skus: list[str]) -> dict[str, Units]:
    """Stock by SKU, of products that are shown; what is not on sale is not in it."""
    async with pool.connection() as connection:
        cursor = await connection.execute(STOCK, {"keys": [sku.lower() for sku in skus], "skus": skus})
        return {sku: Units(available, beyond) for sku, available, beyond in await cursor.fetchall()}


async def cards_by_id(pool: QueryPool, product_ids: list[UUID]) -> dict[UUID, bytes]:
    """Cards of those of the products that are shown."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT product_id, card FROM read.catalog WHERE product_id = ANY(%s) AND {SHOWN}",
            (product_ids,),
            binary=True,
        )
        return dict(await cursor.fetchall())
