"""Checking out and what happens to an order afterwards, by its shopper and by staff."""

from typing import Any
from uuid import UUID

import psycopg

from app.core.http import RequestContext, request_hash
from command_api.services.procedures import Outcome, Value, call
from command_api.services.sweeper import expire_due_orders
from command_api.state import CommandState

OUT_OF_STOCK = "KI001"


async def check_out(
    state: CommandState,
    user_id: UUID,
    key: str,
    body: dict[str, Any],
    cart_version: int | None,
    context: RequestContext,
) -> tuple[Outcome, bool]:
    """The order of the shopper's cart, and whether it is new: the same cart's unpaid order is answered again.

    A hold whose time is over must not make a SKU look sold out because the worker is late: before giving up for
    want of stock, such holds are ended here, and the checkout is tried once more.
    """
    parameters: dict[str, Value] = {
        "p_user_id": user_id,
        "p_idempotency_key": key,
        "p_request_hash": request_hash(body, cart_version),
        "p_address_id": body["address_id"],
        "p_payment_method": body["payment_method"],
        "p_expected_total": body["expected_total"],
        "p_cart_version": cart_version,
        "p_note": body["note"],
        "p_context": context.as_parameter(),
    }
    try:
        outcome = await call(state.pool, "create_order", **parameters)
    except psycopg.Error as error:
        if error.sqlstate != OUT_OF_STOCK or not await expire_due_orders(state.pool):
            raise
        outcome = await call(state.pool, "create_order", **parameters)
    return _rung(state, outcome), bool(outcome.result.pop("created", True))


async def cancel(
    state: CommandState,
    actor_id: UUID,
    order_id: UUID,
    key: str,
    reason: str,
    context: RequestContext,
    *,
    as_staff: bool = False,
    version: int | None = None,
) -> Outcome:
    """The order, cancelled; money that was taken is on its way back."""
    outcome = await call(
        state.pool,
        "cancel_order",
        p_actor_id=actor_id,
        p_as_staff=as_staff,
        p_idempotency_key=key,
        p_request_hash=request_hash(order_id, reason, as_staff, version),
        p_order_id=order_id,
        p_reason=reason,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def update_status(
    state: CommandState,
    staff_id: UUID,
    order_id: UUID,
    key: str,
    version: int,
    body: dict[str, Any],
    context: RequestContext,
) -> Outcome:
    """The order, one step further; what came with the step goes into its history."""
    outcome = await call(
        state.pool,
        "update_order_status",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(order_id, version, body),
        p_order_id=order_id,
        p_to_status=body["status"],
        p_expected_version=version,
        p_detail={name: value for name, value in body.items() if name != "status" and value is not None},
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def _rung(state: CommandState, outcome: Outcome) -> Outcome:
    if outcome.position is not None:
        state.wake.ring()
    return outcome
