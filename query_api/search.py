"""Search behind one seam: what a shopper typed becomes a condition and a score over the catalog view.

``SearchBackend`` is the seam: an engine that takes over one day answers ``readings`` with a condition over ids.
The one here is PostgreSQL: stemmed full text with prefixes and synonyms; SKU and brand hits first; words nobody
sells corrected by trigrams; and when nothing fits, any of the words, and then what sells. Of a text that very many
products of a large shop fit, those that sell best are ranked and counted (ADR 0019).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Protocol

from app.core.database import QueryPool
from app.utils.words import words_of
from query_api.listing import Dimension, Sort, TextMatch
from query_api.repositories import catalog, search
from query_api.whole_shop import WholeShop

SHORTEST_CORRECTED = 4
SHORTEST_SKU = 3
COMMON = 1_000  # products that have a word, from which on it is taken for all of the word
MANY = 1_000  # products that fit, from which on the most prominent are ranked: about
RANKED = 400  # of them

RELEVANCE = "relevance"
MODES = ("exact", "corrected", "any_word")


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text was understood; ``match`` None means: nothing fits, show what sells.

    ``mode`` goes into cursors, so that the next page understands the text as the first did; and so does ``least``, the
    prominence that a product is ranked and counted from where too many fit (None: all are).
    """

    match: TextMatch | None
    mode: str
    corrected: str | None = None
    least: int | None = None

    @property
    def ranked(self) -> TextMatch | None:
        """What is ranked and counted of what fits."""
        if self.match is None or self.least is None:
            return self.match
        return self.match.from_prominence(self.least)

    @property
    def fallback(self) -> str | None:
        """What was done because nothing fitted: ``any_word``, ``popular``, or None."""
        return self.mode if self.mode in {"any_word", "popular"} else None


class SearchBackend(Protocol):
    """What turns a text into a condition over the catalog."""

    def readings(self, text: str, mode: str | None = None) -> AsyncIterator[Reading]:
        """How ``text`` may be read, the best first, the last finding anything; ``mode`` is that of the page before."""
        ...

    async def fits(self, reading: Reading) -> bool:
        """Whether any product fits it."""
        ...

    async def bounded(self, reading: Reading, dimensions: list[Dimension]) -> Reading:
        """The reading with its ``least``, for a list with these filters."""
        ...

    async def suggest(self, text: str, limit: int) -> search.Suggestions:
        """What the text may become: words, brands, categories, products."""
        ...


def sort_of(reading: Reading) -> Sort:
    """The order of relevance of a reading."""
    return Sort(reading.match.score if reading.match else "sold_units", "DESC")


class PostgresSearch:
    """Search by PostgreSQL's own full text and trigrams."""

    def __init__(self, pool: QueryPool, whole_shop: WholeShop) -> None:
        self._pool = pool
        self._whole_shop = whole_shop

    async def readings(self, text: str, mode: str | None = None) -> AsyncIterator[Reading]:
        """All words; corrected; any of the words; nothing, and what sells is shown."""
        words = words_of(text)
        if words and mode != "popular":
            known = await search.known(self._pool, words)
            for candidate in [mode] if mode else MODES:
                used = await self._corrected(words) if candidate == "corrected" else words
                if candidate == "corrected" and used == words and mode is None:
                    continue
                match = match_of(text, used, known, any_word=candidate == "any_word")
                yield Reading(match, candidate, " ".join(used) if candidate == "corrected" else None)
        yield Reading(None, "popular")

    async def fits(self, reading: Reading) -> bool:
        """By the first row that does."""
        return reading.match is None or await search.finds(self._pool, reading.match)

    async def bounded(self, reading: Reading, dimensions: list[Dimension]) -> Reading:
        """So that about ``RANKED`` remain of more than ``MANY``. In a shop that is not large all are ranked."""
        if reading.match is None or await self._whole_shop.counts() is None:
            return reading
        expected = await catalog.expected(self._pool, dimensions, reading.match)
        if expected <= MANY:
            return reading
        return replace(reading, least=self._whole_shop.prominence_of(RANKED / expected))

    async def suggest(self, text: str, limit: int) -> search.Suggestions:
        """Words that begin so, brands and categories, and the products that fit best."""
        words = words_of(text)
        if not words:
            return search.Suggestions([], [], [], [])
        found = await search.completions(self._pool, words[-1], text.strip().lower(), limit)
        products = await self._best(text, limit)
        head = " ".join(words[:-1])
        queries = [f"{head} {word}".strip() for word in found.words]
        return found._replace(words=queries, products=products)

    async def _best(self, text: str, limit: int) -> list[bytes]:
        """The first products of what all words find, as they are or corrected."""
        async for reading in self.readings(text):
            if reading.fallback:
                break
            ranked = (await self.bounded(reading, [])).ranked
            products = await search.best(self._pool, ranked, limit) if ranked else []
            if products:
                return products
        return []

    async def _corrected(self, words: list[str]) -> list[str]:
        known = await search.nearest_words(self._pool, [word for word in words if len(word) >= SHORTEST_CORRECTED])
        return [known.get(word, word) for word in words]


def match_of(text: str, words: list[str], known: dict[str, search.Known], *, any_word: bool) -> TextMatch:
    """The condition and score: full text, or the text as a SKU; SKU hits first, then the brand, then the rank.

    The last word may be the beginning of one, unless it is a common word by itself.
    """
    last = len(words) - 1
    groups = []
    for number, word in enumerate(words):
        of_word = known.get(word, search.UNKNOWN)
        begins = number == last and len(word) > 1 and of_word.products < COMMON
        alternatives = [f"'{word}':*" if begins else f"'{word}'"]
        for synonym in of_word.synonyms:
            parts = [f"'{part}'" for part in words_of(synonym)]
            alternatives.append(f"({' & '.join(parts)})")
        groups.append(f"({' | '.join(alternatives)})")
    sku = text.strip().lower()
    quoted = sku.replace("\\", "\\\\").replace("'", "''")
    # the same twice would cost the index twice, and hide from it that all words must be there
    stems, plain = "to_tsquery('read.kirana', %(terms)s)", "to_tsquery('read.kirana_plain', %(terms)s)"
    score = (
        "((CASE WHEN skus @> ARRAY[%(sku)s] THEN 8000000 ELSE 0 END)"
        " + (CASE WHEN brand_key = lower(public.unaccent(%(sku)s)) THEN 4000000 ELSE 0 END)"
        f" + (ts_rank('{{0.05, 0.2, 0.4, 1.0}}', search, {stems}) * 1000000)::bigint"
        " + least(sold_units, 50000)"
        " + (CASE WHEN in_stock THEN 50000 ELSE 0 END))::bigint"
    )
    sku_terms = f"'{quoted}':*" if len(sku) >= SHORTEST_SKU else f"'{quoted}'"
    return TextMatch(
        words=f"(CASE WHEN {stems} = {plain} THEN {stems} ELSE {stems} || {plain} END)",
        code="false" if groups[0].startswith(f"({sku_terms}") and last == 0 else "search @@ %(sku_terms)s::tsquery",
        # by a list of ids, for of the array's operators the planner expects a two-hundredth of the shop
        exact="product_id = ANY(ARRAY(SELECT product_id FROM read.catalog WHERE live AND skus @> ARRAY[%(sku)s]))",
        score=score,
        parameters={
            "terms": (" | " if any_word else " & ").join(groups),
            "sku": sku,
            "sku_terms": sku_terms,
        },
    )
