"""Parcels on their way, and lines that are called off before they are packed."""

from typing import Any
from uuid import UUID

from app.core.http import RequestContext, request_hash
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def plan(
    state: CommandState, staff_id: UUID, order_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """The order's shipments, with those that were planned now."""
    outcome = await call(
        state.pool,
        "plan_shipments",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(order_id, body),
        p_order_id=order_id,
        p_warehouse_code=body["warehouse_code"],
        p_lines=body["lines"],
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def update(
    state: CommandState,
    staff_id: UUID,
    shipment_id: UUID,
    key: str,
    version: int,
    body: dict[str, Any],
    context: RequestContext,
) -> Outcome:
    """The order's shipments, with this one a step further."""
    outcome = await call(
        state.pool,
        "update_shipment",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(shipment_id, version, body),
        p_shipment_id=shipment_id,
        p_to_status=body["status"],
        p_expected_version=version,
        p_detail={name: value for name, value in body.items() if name != "status" and value is not None},
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def cancel_lines(
    state: CommandState,
    actor_id: UUID,
    order_id: UUID,
    key: str,
    body: dict[str, Any],
    context: RequestContext,
    *,
    as_staff: bool = False,
) -> Outcome:
    """The order without these units; their money is on its way back."""
    outcome = await call(
        state.pool,
        "cancel_order_lines",
        p_actor_id=actor_id,
        p_as_staff=as_staff,
        p_idempotency_key=key,
        p_request_hash=request_hash(order_id, body, as_staff),
        p_order_id=order_id,
        p_lines=body["lines"],
        p_reason=body["reason"],
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def _rung(state: CommandState, outcome: Outcome) -> Outcome:
    if outcome.position is not None:
        state.wake.ring()
    return outcome
