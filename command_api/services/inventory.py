"""Stock keeping by staff: receipts, corrections, and how a SKU's stock is spread."""

from typing import Any
from uuid import UUID

from app.core.http import RequestContext, request_hash
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def receive(
    state: CommandState, staff_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """The stock after units arrived."""
    return await _moved(state, "increase_inventory", staff_id, key, body, context)


async def adjust(
    state: CommandState, staff_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """The stock after a difference, a count, or a loss."""
    return await _moved(state, "adjust_inventory", staff_id, key, body, context)


async def set_buckets(
    state: CommandState, staff_id: UUID, sku: str, bucket_count: int, context: RequestContext
) -> Outcome:
    """How the stock of a SKU is spread now. Saying it twice changes nothing the second time."""
    return await call(
        state.pool,
        "set_inventory_buckets",
        p_staff_id=staff_id,
        p_sku=sku,
        p_bucket_count=bucket_count,
        p_context=context.as_parameter(),
    )


async def _moved(
    state: CommandState, procedure: str, staff_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    outcome = await call(
        state.pool,
        procedure,
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(body),
        **{f"p_{name}": value for name, value in body.items()},
        p_context=context.as_parameter(),
    )
    if outcome.position is not None:
        state.wake.ring()
    return outcome
