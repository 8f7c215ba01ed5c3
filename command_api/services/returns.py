"""Returns: the shopper asks and may take it back, staff decide, fetch and receive."""

from typing import Any
from uuid import UUID

from app.core.http import RequestContext, request_hash
from command_api.schemas import returns as schemas
from command_api.schemas.base import Body
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def request(
    state: CommandState,
    user_id: UUID,
    order_id: UUID,
    key: str,
    body: schemas.ReturnRequest,
    context: RequestContext,
) -> Outcome:
    """The return that was asked for; approved already where the store looks at none first."""
    wish = body.model_dump(mode="json", exclude_none=True)
    outcome = await call(
        state.pool,
        "request_return",
        p_user_id=user_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(order_id, wish),
        p_order_id=order_id,
        p_resolution=body.resolution,
        p_reason_code=body.reason_code,
        p_reason=body.reason,
        p_lines=wish.get("lines"),
        p_photo_urls=body.photo_urls,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def cancel(
    state: CommandState, user_id: UUID, return_id: UUID, key: str, body: schemas.Withdrawal, context: RequestContext
) -> Outcome:
    """The return, taken back by its shopper before the goods were received."""
    return await _move(state, user_id, return_id, "cancelled", key, None, context, detail=_said(body), as_staff=False)


async def approve(
    state: CommandState,
    staff_id: UUID,
    return_id: UUID,
    key: str,
    version: int | None,
    body: schemas.Approval,
    context: RequestContext,
) -> Outcome:
    """The return, approved; refunded already if the goods are not wanted back."""
    said = body.model_dump(exclude_none=True, include={"note"})
    return await _move(state, staff_id, return_id, "approved", key, version, context, detail=said, refund=body)


async def reject(
    state: CommandState,
    staff_id: UUID,
    return_id: UUID,
    key: str,
    version: int | None,
    body: schemas.Rejection,
    context: RequestContext,
) -> Outcome:
    """The return, rejected; its units can be asked back again."""
    return await _move(state, staff_id, return_id, "rejected", key, version, context, detail=_said(body))


async def dispatch(
    state: CommandState,
    staff_id: UUID,
    return_id: UUID,
    key: str,
    version: int | None,
    body: schemas.Dispatch,
    context: RequestContext,
) -> Outcome:
    """The return, on its way; again with another carrier or number when that changed."""
    return await _move(state, staff_id, return_id, "in_transit", key, version, context, detail=_said(body))


async def withdraw(
    state: CommandState,
    staff_id: UUID,
    return_id: UUID,
    key: str,
    version: int | None,
    body: schemas.Withdrawal,
    context: RequestContext,
) -> Outcome:
    """The return, given up by staff: the goods never came."""
    return await _move(state, staff_id, return_id, "cancelled", key, version, context, detail=_said(body))


async def receive(
    state: CommandState,
    staff_id: UUID,
    return_id: UUID,
    key: str,
    version: int | None,
    body: schemas.Receipt,
    context: RequestContext,
) -> Outcome:
    """The return with what came of it: a refund that has started, or an order for other goods."""
    told = body.model_dump(mode="json", exclude_none=True)
    outcome = await call(
        state.pool,
        "receive_return",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(return_id, told, version),
        p_return_id=return_id,
        p_lines=told.get("lines"),
        p_shipping_amount=body.shipping_amount,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def _move(
    state: CommandState,
    actor_id: UUID,
    return_id: UUID,
    to_status: str,
    key: str,
    version: int | None,
    context: RequestContext,
    *,
    detail: dict[str, Any],
    as_staff: bool = True,
    refund: schemas.Approval | None = None,
) -> Outcome:
    without_goods = refund is not None and refund.refund_without_return
    shipping = refund.shipping_amount if refund is not None else 0
    outcome = await call(
        state.pool,
        "move_return",
        p_actor_id=actor_id,
        p_as_staff=as_staff,
        p_idempotency_key=key,
        p_request_hash=request_hash(return_id, to_status, detail, without_goods, shipping, version),
        p_return_id=return_id,
        p_to_status=to_status,
        p_detail=detail,
        p_without_goods=without_goods,
        p_shipping_amount=shipping,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def _said(body: Body) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude_none=True)


def _rung(state: CommandState, outcome: Outcome) -> Outcome:
    if outcome.position is not None:
        state.wake.ring()
    return outcome
