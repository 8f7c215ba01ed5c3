"""Giving money back: refunds at once, the staff's refunds, and what staff do about refunds that are stuck."""

from typing import Any
from uuid import UUID

from app.core.http import RequestContext, request_hash
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def refund_at_once(
    state: CommandState, user_id: UUID, order_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """The refund of what the shopper gives back; the goods are not on the shelf before staff have seen them."""
    outcome = await call(
        state.pool,
        "refund_at_once",
        p_user_id=user_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(order_id, body),
        p_order_id=order_id,
        p_reason=body["reason"],
        p_lines=_lines(body),
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def refund_by_staff(
    state: CommandState, staff_id: UUID, order_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """The refund that a member of staff decided on; above the store's amount, the request that waits for approval."""
    outcome = await call(
        state.pool,
        "request_refund",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(order_id, body),
        p_order_id=order_id,
        p_kind=body["kind"],
        p_reason=body["reason"],
        p_lines=_lines(body),
        p_shipping_amount=body["shipping_amount"],
        p_amount=body["amount"],
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def waits(outcome: Outcome) -> bool:
    """Whether what staff asked for is a request that a second person must approve, and no refund yet."""
    return "requested_by" in outcome.result


async def decide(
    state: CommandState,
    staff_id: UUID,
    approval_id: UUID,
    key: str,
    *,
    approve: bool,
    note: str | None,
    context: RequestContext,
) -> Outcome:
    """The request as it was decided, with the refund that an approval started."""
    outcome = await call(
        state.pool,
        "decide_refund",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(approval_id, approve, note),
        p_approval_id=approval_id,
        p_approve=approve,
        p_note=note,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def settle(
    state: CommandState, staff_id: UUID, refund_id: UUID, key: str, reference: str, context: RequestContext
) -> Outcome:
    """The refund, paid out by the store itself under this reference."""
    outcome = await call(
        state.pool,
        "settle_refund_by_staff",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(refund_id, reference),
        p_refund_id=refund_id,
        p_reference=reference,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def retry(state: CommandState, staff_id: UUID, refund_id: UUID, key: str, context: RequestContext) -> Outcome:
    """The failed refund, on its way to the gateway again."""
    outcome = await call(
        state.pool,
        "retry_refund",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(refund_id),
        p_refund_id=refund_id,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def _lines(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    if body["lines"] is None:
        return None
    return [{name: _plain(value) for name, value in line.items() if value is not None} for line in body["lines"]]


def _plain(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value


def _rung(state: CommandState, outcome: Outcome) -> Outcome:
    if outcome.position is not None:
        state.wake.ring()
    return outcome
