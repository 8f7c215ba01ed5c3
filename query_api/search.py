"""Search behind one seam: what a shopper typed becomes a condition and a score over the catalog view.

``SearchBackend`` is the seam: an engine that takes over one day answers ``interpret`` with a condition over ids.
The one here is PostgreSQL: stemmed full text with prefixes and synonyms; SKU and brand hits first; words nobody
sells corrected by trigrams; and when nothing fits, any of the words, and then what sells.
"""

from dataclasses import dataclass
from typing import Protocol

from app.core.database import QueryPool
from app.utils.words import words_of
from query_api.listing import Sort, TextMatch
from query_api.repositories import search

SHORTEST_CORRECTED = 4
SHORTEST_SKU = 3

RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text was understood; ``match`` None means: nothing fits, show what sells.

    ``mode`` goes into cursors, so that the next page understands the text as the first did.
    """

    match: TextMatch | None
    mode: str
    corrected: str | None = None

    @property
    def fallback(self) -> str | None:
        """What was done because nothing fitted: ``any_word``, ``popular``, or None."""
        return self.mode if self.mode in {"any_word", "popular"} else None


class SearchBackend(Protocol):
    """What turns a text into a condition over the catalog."""

    async def interpret(self, text: str, mode: str | None = None) -> Reading:
        """The best reading of ``text`` that finds something; ``mode`` is that of the page before."""
        ...

    async def suggest(self, text: str, limit: int) -> search.Suggestions:
        """What the text may become: words, brands, categories, products."""
        ...


def sort_of(reading: Reading) -> Sort:
    """The order of relevance of a reading."""
    return Sort(reading.match.score if reading.match else "sold_units", "DESC")


class PostgresSearch:
    """Search by PostgreSQL's own full text and trigrams."""

    def __init__(self, pool: QueryPool) -> None:
        self._pool = pool

    async def interpret(self, text: str, mode: str | None = None) -> Reading:
        """All words; else corrected; else any of the words; else nothing, and what sells is shown."""
        words = words_of(text)
        if not words or mode == "popular":
            return Reading(None, "popular")
        synonyms = await search.synonyms(self._pool, words)
        modes = [mode] if mode else ["exact", "corrected", "any_word"]
        corrected = None
        for candidate in modes:
            used = words
            if candidate == "corrected":
                used = await self._corrected(words)
                if used == words and mode is None:
                    continue
                corrected = " ".join(used)
            match = match_of(text, used, synonyms, any_word=candidate == "any_word")
            if mode or await search.finds(self._pool, match):
                return Reading(match, candidate, corrected if candidate == "corrected" else None)
        return Reading(None, "popular")

    async def suggest(self, text: str, limit: int) -> search.Suggestions:
        """Words that begin so, brands and categories, and the products that fit best."""
        words = words_of(text)
        if not words:
            return search.Suggestions([], [], [], [])
        found = await search.completions(self._pool, words[-1], text.strip().lower(), limit)
        reading = await self.interpret(text)
        products = await search.best(self._pool, reading.match, limit) if reading.match and not reading.fallback else []
        head = " ".join(words[:-1])
        queries = [f"{head} {word}".strip() for word in found.words]
        return found._replace(words=queries, products=products)

    async def _corrected(self, words: list[str]) -> list[str]:
        known = await search.nearest_words(self._pool, [word for word in words if len(word) >= SHORTEST_CORRECTED])
        return [known.get(word, word) for word in words]


def match_of(text: str, words: list[str], synonyms: dict[str, list[str]], *, any_word: bool) -> TextMatch:
    """The condition and score: full text, or the text as a SKU; SKU hits first, then the brand, then the rank."""
    last = len(words) - 1
    groups = []
    for number, word in enumerate(words):
        alternatives = [f"'{word}':*" if number == last and len(word) > 1 else f"'{word}'"]
        for synonym in synonyms.get(word, []):
            parts = [f"'{part}'" for part in words_of(synonym)]
            alternatives.append(f"({' & '.join(parts)})")
        groups.append(f"({' | '.join(alternatives)})")
    sku = text.strip().lower()
    quoted = sku.replace("\\", "\\\\").replace("'", "''")
    condition = (
        "search @@ (to_tsquery('read.kirana', %(terms)s) || to_tsquery('read.kirana_plain', %(terms)s)"
        " || %(sku_terms)s::tsquery)"
    )
    score = (
        "((CASE WHEN skus @> ARRAY[%(sku)s] THEN 8000000 ELSE 0 END)"
        " + (CASE WHEN brand_key = lower(public.unaccent(%(sku)s)) THEN 4000000 ELSE 0 END)"
        " + (ts_rank('{0.05, 0.2, 0.4, 1.0}', search, to_tsquery('read.kirana', %(terms)s)) * 1000000)::bigint"
        " + least(sold_units, 50000)"
        " + (CASE WHEN in_stock THEN 50000 ELSE 0 END))::bigint"
    )
    terms = (" | " if any_word else " & ").join(groups)
    sku_terms = f"'{quoted}':*" if len(sku) >= SHORTEST_SKU else f"'{quoted}'"
    return TextMatch(condition, score, {"terms": terms, "sku": sku, "sku_terms": sku_terms})
