"""Checkout, and orders afterwards: the shopper's cancel, the staff's steps."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.core.http import Context, IdempotencyKey, OptionalVersion, RequiredVersion, json_response
from app.core.openapi import KEYED, problems
from app.core.security import CurrentPrincipal, CurrentStaff
from command_api.schemas.orders import CancelRequest, CheckoutRequest, Order, StatusChange
from command_api.services import orders
from command_api.services.procedures import Outcome
from command_api.state import State

router = APIRouter()

AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": Order, "description": "The unpaid order that this very cart has already."}
}
STAFF = (*KEYED, "forbidden", "order_not_found", "order_state", "version_mismatch")


def _order(outcome: Outcome, status: int = 200) -> Response:
    document = outcome.result
    return json_response(
        document, status, version=document["version"], position=outcome.position, replayed=outcome.replayed
    )


@router.post(
    "/checkout",
    tags=["checkout"],
    status_code=201,
    response_model=Order,
    responses=AGAIN
    | problems(
        *KEYED,
        *("cart_not_found", "cart_empty", "cart_changed", "out_of_stock", "address_not_found", "not_serviceable"),
        *("payment_method_unavailable", "coupon_exhausted", "coupon_user_limit", "user_blocked", "user_not_found"),
        "version_mismatch",
    ),
)
async def check_out(
    body: CheckoutRequest,
    principal: CurrentPrincipal,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: OptionalVersion,
) -> Response:
    """Make an order of the open cart. Prepaid, it holds stock, price and coupons until it is paid or expires.

    With If-Match, the cart must still have that version.
    """
    outcome, created = await orders.check_out(state, principal.user_id, key, body.model_dump(), version, context)
    return _order(outcome, 201 if created else 200)


@router.post(
    "/orders/{order_id}/cancel",
    tags=["orders"],
    response_model=Order,
    responses=problems(*KEYED, "order_not_found", "order_state"),
)
async def cancel_order(
    order_id: UUID,
    body: CancelRequest,
    principal: CurrentPrincipal,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Cancel one's own order before it is packed. What was paid is refunded; stock and coupons are freed."""
    return _order(await orders.cancel(state, principal.user_id, order_id, key, body.reason, context))


@router.put(
    "/admin/orders/{order_id}/status",
    tags=["admin orders"],
    response_model=Order,
    responses=problems(*STAFF, "precondition_required"),
)
async def update_status(
    order_id: UUID,
    body: StatusChange,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: RequiredVersion,
) -> Response:
    """Take an order one step further. Delivered cash on delivery is captured; what came back is undone."""
    changes = body.model_dump()
    return _order(await orders.update_status(state, staff.user_id, order_id, key, version, changes, context))


@router.post("/admin/orders/{order_id}/cancel", tags=["admin orders"], response_model=Order, responses=problems(*STAFF))
async def cancel_by_staff(
    order_id: UUID,
    body: CancelRequest,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: OptionalVersion,
) -> Response:
    """Cancel an order that is not shipped yet."""
    return _order(
        await orders.cancel(state, staff.user_id, order_id, key, body.reason, context, as_staff=True, version=version)
    )
