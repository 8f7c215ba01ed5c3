"""Customers, by staff; and a shopper's own right to be forgotten."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.core.http import Context, OptionalVersion, json_response
from app.core.openapi import problems
from app.core.security import CurrentPrincipal, CurrentStaff
from command_api.schemas.customers import BlockReason, CustomerStatus, Erased, ErasureRequest
from command_api.services import customers
from command_api.state import State

router = APIRouter()

STAFF = ("unauthenticated", "forbidden", "user_not_found", "version_mismatch")


@router.post(
    "/admin/customers/{user_id}/block",
    tags=["admin customers"],
    response_model=CustomerStatus,
    responses=problems(*STAFF, "is_staff"),
)
async def block_customer(
    user_id: UUID, body: BlockReason, staff: CurrentStaff, state: State, context: Context, version: OptionalVersion
) -> Response:
    """Block a customer: all sessions end, and no login, refresh or checkout succeeds."""
    found = await customers.set_blocked(
        state, staff.user_id, user_id, blocked=True, reason=body.reason, version=version, context=context
    )
    return json_response(found, version=found["version"])


@router.post(
    "/admin/customers/{user_id}/unblock",
    tags=["admin customers"],
    response_model=CustomerStatus,
    responses=problems(*STAFF),
)
async def unblock_customer(
    user_id: UUID, body: BlockReason, staff: CurrentStaff, state: State, context: Context, version: OptionalVersion
) -> Response:
    """Let a blocked customer in again; they log in anew."""
    found = await customers.set_blocked(
        state, staff.user_id, user_id, blocked=False, reason=body.reason, version=version, context=context
    )
    return json_response(found, version=found["version"])


@router.post(
    "/me/erasure",
    tags=["profile"],
    response_model=Erased,
    responses=problems(
        "unauthenticated",
        "otp_invalid",
        "otp_expired",
        "user_not_found",
        "is_staff",
        "erasure_refused",
        "invalid_value",
    ),
)
async def erase_profile(body: ErasureRequest, principal: CurrentPrincipal, state: State, context: Context) -> Response:
    """Erase the account, for good. Ask for a login code first: POST /v1/auth/otp, and send it here.

    Refused while an order is open or money is on its way, with which ones. Orders stay without their shopper.
    """
    outcome = await customers.erase(state, principal.user_id, body.phone, body.code, context)
    return json_response(outcome.result, position=outcome.position)
