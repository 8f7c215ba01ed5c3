"""Gateways' settlement files against the money ledger: read a batch of lines at a time, each batch one CALL.

A file is known by its contents. Reading one again that was read to its end gives its result again; reading one that
broke off goes on where it was, because a line that is there already is left alone.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from itertools import chain
from typing import Any
from uuid import UUID

from app.core.database import CommandPool
from app.core.errors import Refused
from app.core.http import RequestContext
from app.settlement_files.reader import BadLine, Item, Line, NotASettlementFile, OtherLine, read
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState

BATCH = 1000
MOST_BAD_LINES = 1000


@dataclass(frozen=True, slots=True)
class SettlementSource:
    """A file to read: by what it is known, and its lines."""

    name: str
    sha256: bytes
    layout: str
    items: Iterator[Item]
    provider: str | None = None


@dataclass(slots=True)
class Reconciled:
    """What came of a file; ``bad`` has the first MOST_BAD_LINES of the lines that were left out."""

    result: dict[str, Any] = field(default_factory=dict)
    replayed: bool = False
    bad: list[BadLine] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """Whether everything fits: no line differs, and none was left out that should have been understood."""
        return not self.result["differing"] and not self.result["read"].get("bad")


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads, and how. Without ``own_tx`` the caller's connection is in a transaction that he will end."""

    pool: CommandPool
    staff_id: UUID
    context: dict[str, Any]
    own_tx: bool = True
    period: tuple[datetime | None, datetime | None] = (None, None)
    advance: Callable[[int], None] = lambda _lines: None


async def reconcile(reading: Reading, source: SettlementSource) -> Reconciled:
    """Read a file to its end. Raises NotASettlementFile, and what the procedures refuse."""
    found = Reconciled()
    items, provider = _provider(source)
    opened = await call(
        reading.pool,
        "open_settlement_file",
        p_staff_id=reading.staff_id,
        p_provider=provider,
        p_sha256=source.sha256,
        p_name=source.name,
        p_layout=source.layout,
        p_context=reading.context,
        p_own_tx=reading.own_tx,
    )
    if opened.result["status"] == "closed":
        found.result, found.replayed = opened.result["result"], True
        return found
    file_id = opened.result["id"]
    batch: list[dict[str, Any]] = []
    at = 0
    for item in items:
        _sort(item, provider, batch, found)
        if len(batch) == BATCH:
            await _book(reading, file_id, batch, found)
            reading.advance(item.number - at)
            at = item.number
    if batch:
        await _book(reading, file_id, batch, found)
    closed = await call(
        reading.pool,
        "close_settlement_file",
        p_staff_id=reading.staff_id,
        p_file_id=file_id,
        p_counts=dict(found.counts) | {"others": dict(found.others)},
        p_from=reading.period[0],
        p_to=reading.period[1],
        p_context=reading.context,
        p_own_tx=reading.own_tx,
    )
    found.result, found.replayed = closed.result, closed.replayed
    return found


async def reconcile_text(
    state: CommandState, staff_id: UUID, body: dict[str, Any], context: RequestContext
) -> Reconciled:
    """The same for a file that comes in a request. A file that can't be read is refused with invalid_value."""
    text: str = body["csv"]
    reading = Reading(state.pool, staff_id, context.as_parameter(), period=(body["period_from"], body["period_to"]))
    try:
        layout, items = read(StringIO(text, newline=""), body["layout"])
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        provider = body["provider"] or layout.provider
        return await reconcile(reading, SettlementSource(body["name"], digest, layout.name, items, provider))
    except NotASettlementFile as error:
        raise Refused("invalid_value", str(error), field="csv", reason="not a settlement file") from error


async def close_line(state: CommandState, staff_id: UUID, line_id: int, note: str, context: RequestContext) -> Outcome:
    """A person has looked into a line that differs."""
    return await call(
        state.pool,
        "close_settlement_line",
        p_staff_id=staff_id,
        p_line_id=line_id,
        p_note=note,
        p_context=context.as_parameter(),
    )


def _provider(source: SettlementSource) -> tuple[Iterator[Item], str]:
    """The lines, and whose they are: what the caller says, else what the first line says."""
    if source.provider is not None:
        return source.items, source.provider
    before: list[Item] = []
    for item in source.items:
        before.append(item)
        if isinstance(item, Line):
            if item.provider is None:
                break
            return chain(before, source.items), item.provider
    raise NotASettlementFile("no line says whose file it is: name the provider")


def _sort(item: Item, provider: str, batch: list[dict[str, Any]], found: Reconciled) -> None:
    found.counts["lines"] += 1
    if isinstance(item, Line) and item.provider in {provider, None}:
        batch.append(item.as_row())
    elif isinstance(item, OtherLine):
        found.counts["other"] += 1
        found.others[item.kind] += 1
    else:
        bad = item if isinstance(item, BadLine) else BadLine(item.number, f"it is of another provider than {provider}")
        found.counts["bad"] += 1
        if len(found.bad) < MOST_BAD_LINES:
            found.bad.append(bad)


async def _book(reading: Reading, file_id: str, batch: list[dict[str, Any]], found: Reconciled) -> None:
    booked = await call(
        reading.pool,
        "book_settlement_lines",
        p_staff_id=reading.staff_id,
        p_file_id=file_id,
        p_rows=batch,
        p_context=reading.context,
        p_own_tx=reading.own_tx,
    )
    found.counts["known"] += booked.result["known"]
    batch.clear()
