"""What the projector last counted of the whole of a large shop; a smaller one is counted when it is asked for."""

import asyncio
import math
import time

from app.core.database import QueryPool
from query_api.repositories import catalog

LARGE = 20_000  # shown products
KEEP_SECONDS = 10.0
PROMINENCE = "q:"


class WholeShop:
    """Products per token, read again every ``KEEP_SECONDS``."""

    def __init__(self, pool: QueryPool) -> None:
        self._pool = pool
        self._counts: dict[str, int] | None = None
        self._ladder: list[tuple[float, int]] = []
        self._until = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def counts(self) -> dict[str, int] | None:
        """Products per token of the view, and in all (``#``); None in a shop that is not large."""
        if time.monotonic() > self._until:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            await asyncio.shield(self._reading)
        return self._counts

    def prominence_of(self, share: float) -> int | None:
        """The prominence that about this share of all products has; None where that is all of them."""
        reached, least = min(self._ladder, key=lambda rung: abs(math.log(rung[0] / share)))
        return least if reached < 1 else None

    async def _read(self) -> None:
        counts = await catalog.token_counts(self._pool)
        rungs = {int(token.removeprefix(PROMINENCE)): counts.pop(token) for token in list(counts) if _is_rung(token)}
        total, above = counts.get("#", 0), 0
        self._ladder = []
        for least in sorted(rungs, reverse=True):
            above += rungs[least]
            self._ladder.append((above / total, least))
        self._counts = counts if total >= LARGE else None
        self._until = time.monotonic() + KEEP_SECONDS


def _is_rung(token: str) -> bool:
    return token.startswith(PROMINENCE)
