"""Stock operations by staff: deliveries, transfers, counts, holds released, policies, thresholds."""

from typing import Any
from uuid import UUID

from app.core.http import RequestContext, request_hash
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def receive_delivery(
    state: CommandState, staff_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """A delivery received: all of its lines."""
    return await _keyed(state, "receive_inventory", staff_id, key, context, **body)


async def save_transfer(
    state: CommandState,
    staff_id: UUID,
    key: str,
    body: dict[str, Any],
    context: RequestContext,
    at: tuple[UUID, int] | None = None,
) -> Outcome:
    """A transfer's draft, new or, with its id and version, changed."""
    transfer_id, version = at or (None, None)
    return await _keyed(
        state, "save_transfer", staff_id, key, context, transfer_id=transfer_id, expected_version=version, **body
    )


async def step_transfer(
    state: CommandState,
    staff_id: UUID,
    key: str,
    step: str,
    at: tuple[UUID, int],
    context: RequestContext,
    body: dict[str, Any] | None = None,
) -> Outcome:
    """A transfer after ``step``: dispatch, receive or cancel."""
    return await _keyed(
        state,
        "step_transfer",
        staff_id,
        key,
        context,
        transfer_id=at[0],
        expected_version=at[1],
        step=step,
        **(body or {}),
    )


async def open_count(
    state: CommandState, staff_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """A count that is open for lines."""
    return await _keyed(state, "open_stock_count", staff_id, key, context, **body)


async def record_count(
    state: CommandState, staff_id: UUID, key: str, count_id: UUID, lines: list[dict[str, Any]], context: RequestContext
) -> Outcome:
    """A count with what was counted."""
    return await _keyed(state, "record_stock_count", staff_id, key, context, count_id=count_id, lines=lines)


async def step_count(
    state: CommandState, staff_id: UUID, key: str, step: str, at: tuple[UUID, int], context: RequestContext
) -> Outcome:
    """A count after ``step``: review, reopen, post or cancel."""
    return await _keyed(
        state, "step_stock_count", staff_id, key, context, count_id=at[0], expected_version=at[1], step=step
    )


async def release_hold(
    state: CommandState, staff_id: UUID, key: str, order_id: UUID, reason: str, context: RequestContext
) -> Outcome:
    """The unpaid order that was ended."""
    return await _keyed(state, "release_order_hold", staff_id, key, context, order_id=order_id, reason=reason)


async def set_policy(
    state: CommandState, staff_id: UUID, sku: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """A SKU's policy. Saying it twice changes nothing the second time."""
    return await _set(state, "set_stock_policy", staff_id, sku, context, **body)


async def set_threshold(
    state: CommandState, staff_id: UUID, sku: str, threshold: int | None, context: RequestContext
) -> Outcome:
    """A SKU's threshold. Saying it twice changes nothing the second time."""
    return await _set(state, "set_low_stock_threshold", staff_id, sku, context, threshold=threshold)


async def _set(
    state: CommandState, procedure: str, staff_id: UUID, sku: str, context: RequestContext, **values: Any
) -> Outcome:
    named = {f"p_{name}": value for name, value in values.items()}
    outcome = await call(
        state.pool, procedure, p_staff_id=staff_id, p_sku=sku, **named, p_context=context.as_parameter()
    )
    if outcome.position is not None:
        state.wake.ring()
    return outcome


async def _keyed(
    state: CommandState, procedure: str, staff_id: UUID, key: str, context: RequestContext, **values: Any
) -> Outcome:
    outcome = await call(
        state.pool,
        procedure,
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(values),
        **{f"p_{name}": value for name, value in values.items()},
        p_context=context.as_parameter(),
    )
    if outcome.position is not None:
        state.wake.ring()
    return outcome
