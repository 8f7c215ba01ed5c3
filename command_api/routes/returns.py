"""Returns: asked for by the shopper, decided and received by staff."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.core.http import Context, IdempotencyKey, OptionalVersion, json_response
from app.core.openapi import KEYED, problems
from app.core.security import CurrentPrincipal, CurrentStaff
from command_api.schemas import returns as schemas
from command_api.services import returns
from command_api.services.procedures import Outcome
from command_api.state import State

router = APIRouter()

SHOPPER = (*KEYED, "return_not_found", "return_state")
STAFF = (*SHOPPER, "forbidden", "version_mismatch")


def _return(outcome: Outcome, status: int = 200) -> Response:
    document = outcome.result
    return json_response(
        document, status, version=document["version"], position=outcome.position, replayed=outcome.replayed
    )


@router.post(
    "/orders/{order_id}/returns",
    tags=["returns"],
    status_code=201,
    response_model=schemas.Return,
    responses=problems(*KEYED, "order_not_found", "order_state", "return_line_invalid", "exchange_unavailable"),
)
async def request_return(
    order_id: UUID,
    body: schemas.ReturnRequest,
    principal: CurrentPrincipal,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Ask to give delivered units back within the return window, for money or for other goods of the same value.

    The money starts on its way, or the other goods leave, when the store has received what comes back. An exchange
    whose goods are sold out by then becomes a refund.
    """
    return _return(await returns.request(state, principal.user_id, order_id, key, body, context), 201)


@router.post(
    "/returns/{return_id}/cancel",
    tags=["returns"],
    response_model=schemas.Return,
    responses=problems(*SHOPPER),
)
async def cancel_return(
    return_id: UUID,
    body: schemas.Withdrawal,
    principal: CurrentPrincipal,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Take a return back, as long as the store has not received the goods."""
    return _return(await returns.cancel(state, principal.user_id, return_id, key, body, context))


@router.post(
    "/admin/returns/{return_id}/approve",
    tags=["admin returns"],
    response_model=schemas.Return,
    responses=problems(*STAFF, "refund_exceeds_captured", "second_person_required"),
)
async def approve_return(
    return_id: UUID,
    body: schemas.Approval,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: OptionalVersion,
) -> Response:
    """Let the goods come back, or refund without them, up to what one person may give away."""
    return _return(await returns.approve(state, staff.user_id, return_id, key, version, body, context))


@router.post(
    "/admin/returns/{return_id}/reject",
    tags=["admin returns"],
    response_model=schemas.Return,
    responses=problems(*STAFF),
)
async def reject_return(
    return_id: UUID,
    body: schemas.Rejection,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: OptionalVersion,
) -> Response:
    """Refuse a return; its units can be asked back again."""
    return _return(await returns.reject(state, staff.user_id, return_id, key, version, body, context))


@router.post(
    "/admin/returns/{return_id}/dispatch",
    tags=["admin returns"],
    response_model=schemas.Return,
    responses=problems(*STAFF),
)
async def dispatch_return(
    return_id: UUID,
    body: schemas.Dispatch,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: OptionalVersion,
) -> Response:
    """Note how the goods come back: a pick-up, a carrier, a tracking number."""
    return _return(await returns.dispatch(state, staff.user_id, return_id, key, version, body, context))


@router.post(
    "/admin/returns/{return_id}/cancel",
    tags=["admin returns"],
    response_model=schemas.Return,
    responses=problems(*STAFF),
)
async def withdraw_return(
    return_id: UUID,
    body: schemas.Withdrawal,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: OptionalVersion,
) -> Response:
    """Give a return up whose goods never came."""
    return _return(await returns.withdraw(state, staff.user_id, return_id, key, version, body, context))


@router.post(
    "/admin/returns/{return_id}/receive",
    tags=["admin returns"],
    response_model=schemas.Return,
    responses=problems(*STAFF, "return_line_invalid", "refund_exceeds_captured"),
)
async def receive_return(
    return_id: UUID,
    body: schemas.Receipt,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: OptionalVersion,
) -> Response:
    """Receive the goods: how many, in which state, what goes on the shelf; refund or exchange follow at once."""
    return _return(await returns.receive(state, staff.user_id, return_id, key, version, body, context))
