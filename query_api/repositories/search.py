"""Reads that search needs: does anything fit, which words are near, how words go on. SELECT only."""

from typing import Any, NamedTuple

from app.core.database import QueryPool
from query_api.listing import SHOWN, Dimension, Sort, TextMatch
from query_api.repositories.catalog import Card, conditions, counts_of, own_counts, parameters

NEAREST_WORDS = """
SELECT given.word, near.word FROM unnest(%(words)s::text[]) AS given (word)
CROSS JOIN LATERAL (
    SELECT close.word FROM (
        SELECT w.word, w.products, w.word <-> given.word AS distance FROM read.search_words w
        ORDER BY w.word <-> given.word LIMIT 5
    ) AS close
    WHERE close.distance < 0.7
    ORDER BY close.distance, close.products DESC, close.word LIMIT 1
) AS near
WHERE NOT EXISTS (SELECT FROM read.search_words known WHERE known.word BETWEEN given.word AND given.word)
"""


class Known(NamedTuple):
    """What is known of a word: what it means besides, and how many products have it."""

    synonyms: list[str]
    products: int


UNKNOWN = Known([], 0)


class Suggestions(NamedTuple):
    """What a text may become; brands and categories as (slug, name), products as card bytes."""

    words: list[str]
    brands: list[tuple[str, str]]
    categories: list[tuple[str, str]]
    products: list[bytes]


def ranked_statement(
    dimensions: list[Dimension], match: TextMatch, sort: Sort, *, after: bool
) -> tuple[str, dict[str, Any]]:
    """A page of what fits, by its rank, and all counts: (card, product_id, rank, token, products).

    In one statement, for both read the same rows. Parameters as of ``catalog.page_statement``.
    """
    values = parameters(dimensions, match)
    beyond = f" WHERE (rank, product_id) {sort.beyond} (%(after)s::{sort.type}, %(after_id)s::uuid)" if after else ""
    counts = " UNION ALL ".join([counts_of("found", dimensions, values), *own_counts(dimensions, match, values)])
    return (
        f"WITH found AS MATERIALIZED (SELECT product_id, {sort.expression} AS rank, tokens"
        f" FROM read.catalog WHERE {conditions(dimensions, match)}),"
        f" page AS (SELECT product_id, rank FROM found{beyond}"
        f" ORDER BY rank {sort.direction}, product_id {sort.direction} LIMIT %(limit)s)"
        " (SELECT card, product_id, rank, NULL AS token, NULL AS products FROM page JOIN read.catalog"
        f" USING (product_id) ORDER BY rank {sort.direction}, product_id {sort.direction})"
        f" UNION ALL SELECT NULL, NULL, NULL, token, products FROM ({counts}) AS counted"
    ), values


async def ranked(
    pool: QueryPool, dimensions: list[Dimension], match: TextMatch, sort: Sort, limit: int, after: list[Any] | None
) -> tuple[list[Card], dict[str, int]]:
    """Up to ``limit`` cards by their rank, after the cursor's values, and the products per token, in all ``#``."""
    statement, values = ranked_statement(dimensions, match, sort, after=after is not None)
    values |= {"limit": limit}
    if after is not None:
        values |= {"after": after[0], "after_id": after[1]}
    cards, counts = [], {}
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, values, prepare=False, binary=True)
        for card, product_id, rank, token, products in await cursor.fetchall():
            if token is None:
                cards.append(Card(card, product_id, rank))
            else:
                counts[token] = products
    return cards, counts


async def finds(pool: QueryPool, match: TextMatch) -> bool:
    """Whether any product that is shown fits."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT 1 FROM read.catalog WHERE {SHOWN} AND {match.condition} LIMIT 1", match.parameters, prepare=False
        )
        return await cursor.fetchone() is not None


async def known(pool: QueryPool, words: list[str]) -> dict[str, Known]:
    """Of each of the words, what the catalog calls what shoppers call so, and how many products have the word."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT given.word, COALESCE(s.means, '{}'), COALESCE(w.products, 0)"
            " FROM unnest(%s::text[]) AS given (word)"
            " LEFT JOIN read.search_synonyms s ON s.word = given.word"
            # not `=`, for which the planner takes the index of trigrams, where it costs ten times as much
            " LEFT JOIN read.search_words w ON w.word BETWEEN given.word AND given.word",
            (words,),
        )
        return {word: Known(means, products) for word, means, products in await cursor.fetchall()}


async def nearest_words(pool: QueryPool, words: list[str]) -> dict[str, str]:
    """For each of the words that no product has: the one most like it, among equals the more frequent."""
    async with pool.connection() as connection:
        cursor = await connection.execute(NEAREST_WORDS, {"words": words})
        return dict(await cursor.fetchall())


async def completions(pool: QueryPool, last: str, text: str, limit: int) -> Suggestions:
    """Words that begin with the last one; brands and categories one of whose words begins with the text."""
    beginning = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT word FROM read.search_words WHERE word LIKE %s ORDER BY products DESC, word LIMIT %s",
            (last + "%", limit),
        )
        words = [word for (word,) in await cursor.fetchall()]
        cursor = await connection.execute(
            "SELECT kind, slug, name FROM ("
            " SELECT 'brand' AS kind, slug, name FROM store.brands WHERE is_active AND lower(name) LIKE %(beginning)s"
            " UNION ALL SELECT 'category', slug, name FROM store.categories WHERE is_active"
            " AND lower(name) LIKE %(beginning)s) AS found ORDER BY length(name), name LIMIT %(limit)s",
            {"beginning": beginning, "limit": limit},
        )
        found = await cursor.fetchall()
    brands = [(slug, name) for kind, slug, name in found if kind == "brand"]
    return Suggestions(words, brands, [(slug, name) for kind, slug, name in found if kind == "category"], [])


async def best(pool: QueryPool, match: TextMatch, limit: int) -> list[bytes]:
    """The cards that fit best."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT card FROM read.catalog WHERE {SHOWN} AND {match.condition}"
            f" ORDER BY {match.score} DESC, product_id DESC LIMIT %(limit)s",
            match.parameters | {"limit": limit},
            prepare=False,
            binary=True,
        )
        return [card for (card,) in await cursor.fetchall()]
