"""Reading one's own writes: wait until the views a GET reads are past the position its client wrote at.

A command answers with ``X-Consistency-Token``; a GET that sends it back waits up to ``Prefer: wait=`` milliseconds
(200 unless said, never more than 2,000). Freshness is judged over the projections that are *registered*, so one that
has not begun is at position 0, not absent.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated

import psycopg
from fastapi import Depends, Header

from app.core.database import QueryPool
from app.core.errors import Refused

DEFAULT_WAIT_MS = 200
LONGEST_WAIT_MS = 2000
POLL_SECONDS = 0.004
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,9})(?:$|[,;\s])", re.IGNORECASE)
_TOKEN = re.compile(r"^\d{1,18}$")

_POSITIONS = """
SELECT p.name, CASE WHEN count(c.shard) = p.shards THEN min(c.position) ELSE 0 END
FROM read.projections p
LEFT JOIN read.projection_checkpoints c
    ON c.projection = p.name AND c.shard < p.shards AND c.generation = p.live_version
GROUP BY p.name, p.shards
UNION ALL
SELECT 'navigation', COALESCE(min(n.position), 0) FROM read.navigation n
"""


@dataclass(frozen=True, slots=True)
class Consistency:
    """The position a client wants its reads to be past (None: whatever there is), and how long it waits for it."""

    position: int | None
    wait_seconds: float


async def consistency(
    token: Annotated[
        str | None,
        Header(
            alias="X-Consistency-Token",
            description="From a command's answer: read what it wrote.",
            max_length=18,
            pattern="^[0-9]+$",
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        Header(description="`wait=<ms>`: how long to wait for that (200 unless said, at most 2000).", max_length=200),
    ] = None,
) -> Consistency:
    """The token and the patience of this request."""
    if token is not None and not _TOKEN.match(token):
        raise Refused("invalid_value", "Send the token as a command gave it.", field="X-Consistency-Token")
    found = _WAIT.search(prefer or "")
    milliseconds = min(int(found.group(1)), LONGEST_WAIT_MS) if found else DEFAULT_WAIT_MS
    return Consistency(None if token is None else int(token), milliseconds / 1000)


Wanted = Annotated[Consistency, Depends(consistency)]


class Freshness:
    """Knows how far the views are. Positions only rise, so what was once passed needs no question."""

    def __init__(self, pool: QueryPool) -> None:
        self._pool = pool
        self._known: dict[str, int] = {}
        self._asking: asyncio.Task[None] | None = None

    async def reached(self, wanted: Consistency, *views: str) -> bool:
        """Whether all of ``views`` are past the wanted position, at once or within its patience."""
        if wanted.position is None or self._passed(wanted.position, views):
            return True
        clock = asyncio.get_running_loop().time
        end = clock() + wanted.wait_seconds
        while True:
            await self._ask()
            if self._passed(wanted.position, views):
                return True
            if clock() >= end:
                return False
            await asyncio.sleep(POLL_SECONDS)

    def _passed(self, position: int, views: tuple[str, ...]) -> bool:
        return all(self._known.get(view, 0) >= position for view in views)

    async def _ask(self) -> None:
        """One question serves everybody who waits at that moment."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._look())
        await asyncio.shield(self._asking)

    async def _look(self) -> None:
        async with self._pool.connection() as connection:
            cursor: psycopg.AsyncCursor[tuple[str, int]] = await connection.execute(_POSITIONS)
            self._known.update(await cursor.fetchall())
