"""Facets as a shopper reads them, from counts of tokens; and a short memory for counts that were dear to get.

Of the whole of a large shop they are not counted here: the projector does it every few seconds.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import structlog

from app.core.database import QueryPool
from query_api.listing import PRICE_BANDS, ListQuery, TextMatch
from query_api.repositories import catalog
from query_api.whole_shop import WholeShop

# Counts that came quickly are counted again each time; the dear ones are good for a few seconds, the dearer the longer,
# and for some more while they are counted again behind the answer.
DEAR_SECONDS = 0.03
KEEP_SECONDS = 5.0
KEEP_TIMES = 50  # as long as it took: so one question that is asked all the time takes a fiftieth of a core
LONGEST_KEPT_SECONDS = 60.0
OLDEST_SECONDS = 30.0
PATIENCE_SECONDS = 2.0
KEPT = 500
NAMES_SECONDS = 10.0
MOST_VALUES = 60
MOST_ATTRIBUTES = 25

Counts = dict[str, int]
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Kept:
    counts: Counts
    until: float


class Facets:
    """Counts facets for lists and searches. Equal questions at one moment are asked once."""

    def __init__(self, pool: QueryPool, whole_shop: WholeShop) -> None:
        self._pool = pool
        self._whole_shop = whole_shop
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Counts]] = {}
        self._names: dict[str, str] = {}
        self._names_until = 0.0

    async def counts(self, query: ListQuery, match: TextMatch | None, *, fresh: bool) -> Counts:
        """Products per token. ``fresh`` counts now: a consistency token was sent.

        Raises ``TimeoutError`` after ``PATIENCE_SECONDS``; what is counted then is there for who asks next.
        """
        if fresh:
            return await asyncio.wait_for(self._count(query, match, fresh=True), PATIENCE_SECONDS)
        known = self.known(query)
        if known is not None:
            return known
        key = _key_of(query)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._count_and_keep(query, match))
            task.add_done_callback(lambda done: self._asked(key, done))
        older = self.known(query, older_by=OLDEST_SECONDS)
        if older is not None:
            return older
        return await asyncio.wait_for(asyncio.shield(task), PATIENCE_SECONDS)

    def known(self, query: ListQuery, *, older_by: float = 0.0) -> Counts | None:
        """The counts that are kept of a question, if they are still good, or were so many seconds ago."""
        kept = self._kept.get(_key_of(query))
        return kept.counts if kept is not None and kept.until + older_by > time.monotonic() else None

    def keep(self, query: ListQuery, counts: Counts, seconds: float) -> None:
        """Keep counts that took so long, if that was long."""
        if seconds > DEAR_SECONDS:
            good = min(max(KEEP_SECONDS, seconds * KEEP_TIMES), LONGEST_KEPT_SECONDS)
            self._kept[_key_of(query)] = _Kept(counts, time.monotonic() + good)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _asked(self, key: bytes, done: asyncio.Task[Counts]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled() and done.exception() is not None:
            log.warning("facets_not_counted", error=str(done.exception()))

    async def _count_and_keep(self, query: ListQuery, match: TextMatch | None) -> Counts:
        started = time.monotonic()
        counts = await self._count(query, match, fresh=False)
        self.keep(query, counts, time.monotonic() - started)
        return counts

    async def _count(self, query: ListQuery, match: TextMatch | None, *, fresh: bool) -> Counts:
        """All counts of a question. A lone filter's own facet is that of the whole shop, which all such lists share."""
        dimensions = query.dimensions()
        if not dimensions and match is None and (counted := await self._whole_shop.counts()) is not None:
            return counted
        if len(dimensions) != 1 or match is not None:
            return await catalog.facet_counts(self._pool, dimensions, match)
        alone = dimensions[0].prefix
        counts, whole = await asyncio.gather(
            catalog.facet_counts(self._pool, dimensions, match, own=False),
            self.counts(ListQuery(), None, fresh=fresh),
        )
        return counts | {token: count for token, count in whole.items() if token.startswith(alone)}

    async def document(self, query: ListQuery, counts: Counts) -> dict[str, Any]:
        """The facets of a list, by name; each value with its count and whether it is chosen."""
        names = await self._names_for(counts)
        chosen = {f"c:{slug}" for slug in query.categories} | {f"b:{slug}" for slug in query.brands}
        return {
            "categories": _named(counts, "c:", names, chosen),
            "brands": _named(counts, "b:", names, chosen),
            "price": _prices(counts),
            "attributes": _attributes(counts, query),
            "rating": _steps(counts, "r:", query.rating),
            "discount": _steps(counts, "d:", query.discount),
            "availability": {
                "in_stock": counts.get("s:in", 0),
                "out_of_stock": counts.get("s:out", 0),
                "backorder": counts.get("s:backorder", 0),
                "preorder": counts.get("s:preorder", 0),
            },
        }

    async def _names_for(self, counts: Counts) -> dict[str, str]:
        now = time.monotonic()
        if now > self._names_until or any(t[:2] in {"c:", "b:"} and t not in self._names for t in counts):
            self._names = await catalog.names(self._pool)
            self._names_until = now + NAMES_SECONDS
        return self._names


def _key_of(query: ListQuery) -> bytes:
    return replace(query, sort="").canonical()


def _named(counts: Counts, prefix: str, names: dict[str, str], chosen: set[str]) -> list[dict[str, Any]]:
    found = [token for token in counts if token.startswith(prefix)]
    found.sort(key=lambda token: (token not in chosen, -counts[token], token))
    return [
        {
            "slug": token[2:],
            "name": names.get(token, token[2:]),
            "count": counts[token],
            "selected": token in chosen,
        }
        for token in found[:MOST_VALUES]
    ]


def _prices(counts: Counts) -> list[dict[str, Any]]:
    tops: list[int | None] = [*(low - 1 for low in PRICE_BANDS[1:]), None]
    return [
        {"min": low, "max": top, "count": counts[f"p:{number}"]}
        for number, (low, top) in enumerate(zip(PRICE_BANDS, tops, strict=True))
        if f"p:{number}" in counts
    ]


def _attributes(counts: Counts, query: ListQuery) -> list[dict[str, Any]]:
    by_name: dict[str, list[tuple[str, int]]] = {}
    for token, count in counts.items():
        if token.startswith("a:"):
            name, _, value = token[2:].partition("=")
            by_name.setdefault(name, []).append((value, count))
    ranked = sorted(
        by_name.items(), key=lambda item: (item[0] not in query.attributes, -sum(n for _, n in item[1]), item[0])
    )
    return [
        {
            "name": name,
            "values": [
                {"value": value, "count": count, "selected": value in query.attributes.get(name, ())}
                for value, count in sorted(values, key=lambda item: (-item[1], item[0]))[:MOST_VALUES]
            ],
        }
        for name, values in ranked[:MOST_ATTRIBUTES]
    ]


def _steps(counts: Counts, prefix: str, chosen: int | None) -> list[dict[str, Any]]:
    steps = sorted(int(token[2:]) for token in counts if token.startswith(prefix))
    return [{"min": step, "count": counts[f"{prefix}{step}"], "selected": step == chosen} for step in reversed(steps)]
