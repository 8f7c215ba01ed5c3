"""Giving money back: by the shopper's return, by staff."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.core.http import Context, IdempotencyKey, json_response
from app.core.openapi import KEYED, problems
from app.core.security import CurrentPrincipal, CurrentStaff
from command_api.schemas.refunds import (
    DecidedRefund,
    Note,
    Refund,
    RefundApproval,
    RefundAtOnce,
    RefundRequest,
    Settlement,
)
from command_api.services import refunds
from command_api.services.procedures import Outcome
from command_api.state import State

router = APIRouter()

LINES = (*KEYED, "order_not_found", "order_state", "refund_exceeds_captured", "refund_line_invalid")
AT_ONCE = (
    "order_not_found",
    "order_state",
    "refund_exceeds_captured",
    "return_line_invalid",
    "return_needs_approval",
)
STAFF = (*KEYED, "forbidden", "refund_not_found", "refund_state")
DECISION = (*KEYED, "forbidden", "refund_approval_not_found", "refund_approval_state", "second_person_required")
WAITS: dict[int | str, dict[str, Any]] = {
    202: {"model": RefundApproval, "description": "The refund waits for a second person's approval."}
}


def _refund(outcome: Outcome, status: int = 200) -> Response:
    document = outcome.result
    return json_response(
        document, status, version=document["version"], position=outcome.position, replayed=outcome.replayed
    )


@router.post(
    "/orders/{order_id}/refunds",
    tags=["refunds"],
    status_code=201,
    response_model=Refund,
    responses=problems(*KEYED, *AT_ONCE),
    deprecated=True,
)
async def refund_at_once(
    order_id: UUID,
    body: RefundAtOnce,
    principal: CurrentPrincipal,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Return units of a delivered order and have their money back at once, where the store looks at no return first.

    It is a return like one of `POST /v1/orders/{order_id}/returns`, asked for, approved and refunded in one step; a
    store that wants to see returns first (`returns_need_approval`) refuses it. New clients ask for a return.
    """
    outcome = await refunds.refund_at_once(state, principal.user_id, order_id, key, body.model_dump(), context)
    return _refund(outcome, 201)


@router.post(
    "/admin/orders/{order_id}/refunds",
    tags=["admin refunds"],
    status_code=201,
    response_model=Refund,
    responses=problems(*LINES, "forbidden", "invalid_value") | WAITS,
)
async def refund_by_staff(
    order_id: UUID,
    body: RefundRequest,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Give money back: lines and shipping, with or without restocking, or an amount as goodwill.

    Above the store's `refund_approval_above` nothing is paid yet: the answer is 202 with a request that another
    member of staff approves or declines. What one person refunds of one order alone is counted together.
    """
    outcome = await refunds.refund_by_staff(state, staff.user_id, order_id, key, body.model_dump(), context)
    return _refund(outcome, 202 if refunds.waits(outcome) else 201)


@router.post(
    "/admin/refunds/{refund_id}/settle",
    tags=["admin refunds"],
    response_model=Refund,
    responses=problems(*STAFF, "already_exists", "second_person_required"),
)
async def settle_refund(
    refund_id: UUID, body: Settlement, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Book that the store paid a refund out itself: of a cash order, or one that its gateway failed.

    Above the store's `refund_approval_above` somebody else does this than who started the refund.
    """
    return _refund(await refunds.settle(state, staff.user_id, refund_id, key, body.reference, context))


@router.post(
    "/admin/refunds/{refund_id}/retry",
    tags=["admin refunds"],
    response_model=Refund,
    responses=problems(*STAFF),
)
async def retry_refund(
    refund_id: UUID, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Have a refund that failed sent to its gateway again."""
    return _refund(await refunds.retry(state, staff.user_id, refund_id, key, context))


@router.post(
    "/admin/refund-approvals/{approval_id}/approve",
    tags=["admin refunds"],
    response_model=DecidedRefund,
    responses=problems(
        *DECISION, "refund_changed", "order_state", "refund_exceeds_captured", "refund_line_invalid", "invalid_value"
    ),
)
async def approve_refund(
    approval_id: UUID, body: Note, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Approve a colleague's refund: all is checked again, and the money starts on its way in the same transaction."""
    return _refund(
        await refunds.decide(state, staff.user_id, approval_id, key, approve=True, note=body.note, context=context)
    )


@router.post(
    "/admin/refund-approvals/{approval_id}/decline",
    tags=["admin refunds"],
    response_model=DecidedRefund,
    responses=problems(*DECISION),
)
async def decline_refund(
    approval_id: UUID, body: Note, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Decline a colleague's refund; nothing is paid."""
    return _refund(
        await refunds.decide(state, staff.user_id, approval_id, key, approve=False, note=body.note, context=context)
    )
