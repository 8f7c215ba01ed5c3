"""Cash that couriers took at the door: what they pay out of it, and what a person says about what differs.

A remittance is known by its courier and reference. Sending one again that was settled gives its result again; sending
one that broke off goes on where it was, because a line that is there already is left alone.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from app.core.database import CommandPool
from app.core.http import RequestContext
from app.settlement_files.remittances import CashLine
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState

BATCH = 1000


class Summed:
    """The lines of a remittance, added up as they pass. Amounts in paise."""

    def __init__(self) -> None:
        self.amount = 0
        self.fee = 0
        self.lines = 0
        self._digest = hashlib.sha256()

    def add(self, line: CashLine) -> None:
        """One more line."""
        self.amount += line.amount
        self.fee += line.fee
        self.lines += 1
        said = (line.tracking_number or "", line.order_number or "", str(line.amount), str(line.fee))
        self._digest.update("\t".join(said).encode() + b"\n")

    @property
    def content_hash(self) -> bytes:
        """The same for the same lines in the same order, however they came."""
        return self._digest.digest()


@dataclass(frozen=True, slots=True)
class Remittance:
    """Who paid out, under which reference, and when it arrived (now, unless it says)."""

    courier: str
    reference: str
    summed: Summed
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settling:
    """Who settles, and how. Without ``own_tx`` the caller's connection is in a transaction that he will end."""

    pool: CommandPool
    staff_id: UUID
    context: dict[str, Any]
    own_tx: bool = True
    advance: Callable[[int], None] = lambda _lines: None


async def settle(settling: Settling, remittance: Remittance, lines: Iterable[CashLine]) -> Outcome:
    """Settle a remittance, BATCH lines a CALL. Raises what the procedure refuses."""
    summed = remittance.summed
    outcome: Outcome | None = None
    rows = _rows(lines)
    while batch := list(islice(rows, BATCH)):
        outcome = await call(
            settling.pool,
            "settle_cod_remittance",
            p_staff_id=settling.staff_id,
            p_courier=remittance.courier,
            p_reference=remittance.reference,
            p_content_hash=summed.content_hash,
            p_amount=summed.amount,
            p_fee=summed.fee,
            p_line_count=summed.lines,
            p_lines=batch,
            p_received_at=remittance.received_at,
            p_context=settling.context,
            p_own_tx=settling.own_tx,
        )
        if outcome.replayed:
            break
        settling.advance(len(batch))
    if outcome is None:
        raise ValueError("a remittance has lines")
    return outcome


async def settle_body(state: CommandState, staff_id: UUID, body: dict[str, Any], context: RequestContext) -> Outcome:
    """The same for one that comes in a request."""
    lines = [CashLine(number, **line) for number, line in enumerate(body["lines"], 1)]
    summed = Summed()
    for line in lines:
        summed.add(line)
    remittance = Remittance(body["courier"], body["reference"], summed, body["received_at"])
    outcome = await settle(Settling(state.pool, staff_id, context.as_parameter()), remittance, lines)
    return _rung(state, outcome)


async def close_line(
    state: CommandState, staff_id: UUID, line_id: int, note: str, context: RequestContext, *, accept: bool
) -> Outcome:
    """A person has looked into a line that differs."""
    outcome = await call(
        state.pool,
        "close_cod_line",
        p_staff_id=staff_id,
        p_line_id=line_id,
        p_note=note,
        p_accept=accept,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def write_off(
    state: CommandState, staff_id: UUID, order_id: UUID, note: str, version: int, context: RequestContext
) -> Outcome:
    """The rest of an order's cash will not come."""
    outcome = await call(
        state.pool,
        "write_off_cash",
        p_staff_id=staff_id,
        p_order_id=order_id,
        p_note=note,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def _rows(lines: Iterable[CashLine]) -> Iterator[dict[str, Any]]:
    for n, line in enumerate(lines, 1):
        yield {
            "n": n,
            "tracking_number": line.tracking_number,
            "order_number": line.order_number,
            "amount": line.amount,
            "fee": line.fee,
        }


def _rung(state: CommandState, outcome: Outcome) -> Outcome:
    if outcome.position is not None:
        state.wake.ring()
    return outcome
