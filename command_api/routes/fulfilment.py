"""Pick, pack, ship, deliver; and calling lines off before that."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.core.http import Context, IdempotencyKey, RequiredVersion, json_response
from app.core.openapi import KEYED, problems
from app.core.security import CurrentPrincipal, CurrentStaff
from command_api.schemas.fulfilment import LinesToCancel, OrderShipments, ShipmentPlan, ShipmentStep
from command_api.schemas.orders import Order
from command_api.services import fulfilment
from command_api.services.procedures import Outcome
from command_api.state import State

router = APIRouter()

CALLED_OFF = (
    *KEYED,
    "order_not_found",
    "order_state",
    "line_not_cancellable",
    "refund_exceeds_captured",
    "refund_line_invalid",
)


def _answer(outcome: Outcome, status: int = 200) -> Response:
    document = outcome.result
    return json_response(
        document, status, version=document["version"], position=outcome.position, replayed=outcome.replayed
    )


@router.post(
    "/admin/orders/{order_id}/shipments",
    tags=["admin fulfilment"],
    status_code=201,
    response_model=OrderShipments,
    responses=problems(*KEYED, "forbidden", "order_not_found", "order_state", "nothing_to_ship"),
)
async def plan_shipments(
    order_id: UUID, body: ShipmentPlan, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Put what is left of a confirmed order, or some of it, into shipments to pick: one a warehouse."""
    return _answer(await fulfilment.plan(state, staff.user_id, order_id, key, body.model_dump(), context), 201)


@router.put(
    "/admin/shipments/{shipment_id}/status",
    tags=["admin fulfilment"],
    response_model=OrderShipments,
    responses=problems(
        *KEYED,
        *("forbidden", "shipment_not_found", "shipment_state"),
        *("version_mismatch", "precondition_required"),
    ),
)
async def update_shipment(
    shipment_id: UUID,
    body: ShipmentStep,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: RequiredVersion,
) -> Response:
    """Take a shipment one step further. The order follows the slowest of its shipments."""
    changes = body.model_dump()
    return _answer(await fulfilment.update(state, staff.user_id, shipment_id, key, version, changes, context))


@router.post("/orders/{order_id}/lines/cancel", tags=["orders"], response_model=Order, responses=problems(*CALLED_OFF))
async def cancel_lines(
    order_id: UUID,
    body: LinesToCancel,
    principal: CurrentPrincipal,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Call off units of one's own order before they are packed; what was paid for them is refunded."""
    return _answer(await fulfilment.cancel_lines(state, principal.user_id, order_id, key, body.model_dump(), context))


@router.post(
    "/admin/orders/{order_id}/lines/cancel",
    tags=["admin orders"],
    response_model=Order,
    responses=problems(*CALLED_OFF, "forbidden"),
)
async def cancel_lines_by_staff(
    order_id: UUID, body: LinesToCancel, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Call off units of an order before they are packed; what was paid for them is refunded."""
    changes = body.model_dump()
    return _answer(await fulfilment.cancel_lines(state, staff.user_id, order_id, key, changes, context, as_staff=True))
