"""Cash that couriers took at the door: remittances of it, what differs in them, and what will not come."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import Context, RequiredVersion, json_response
from app.core.openapi import problems
from app.core.security import CurrentStaff
from command_api.schemas import cash as schemas
from command_api.services import cash
from command_api.state import State

router = APIRouter(prefix="/admin")

STAFF = ("unauthenticated", "forbidden", "validation_failed", "malformed_json")
LineId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.post(
    "/cod-remittances",
    tags=["admin money"],
    status_code=201,
    response_model=schemas.Remittance,
    responses=problems(*STAFF, "payload_too_large", "cod_remittance_differs")
    | {200: {"model": schemas.Remittance, "description": "It was settled before; nothing changed."}},
)
async def settle_cod_remittance(
    body: schemas.RemittanceBody, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Hold what a courier paid out against the cash he took, order by order.

    Known by its courier and reference: sent again it changes nothing, and with other lines it is refused.
    """
    outcome = await cash.settle_body(state, staff.user_id, body.model_dump(), context)
    status = 200 if outcome.replayed else 201
    return json_response(outcome.result, status, position=outcome.position, replayed=outcome.replayed)


@router.post(
    "/cod-remittance-lines/{line_id}/close",
    tags=["admin money"],
    response_model=schemas.ClosedCashLine,
    responses=problems(*STAFF, "cod_line_not_found", "cod_line_state"),
)
async def close_cod_line(
    line_id: LineId, body: schemas.CashClosing, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Say what became of a difference; or book a line of another courier than we thought had the cash."""
    outcome = await cash.close_line(state, staff.user_id, line_id, body.note, context, accept=body.accept)
    return json_response(outcome.result, position=outcome.position)


@router.post(
    "/cod-collections/{order_id}/write-off",
    tags=["admin money"],
    response_model=schemas.Cash,
    responses=problems(*STAFF, "order_not_found", "no_cash_outstanding", "version_mismatch", "precondition_required"),
)
async def write_off_cash(
    order_id: UUID,
    body: schemas.WriteOff,
    staff: CurrentStaff,
    state: State,
    context: Context,
    version: RequiredVersion,
) -> Response:
    """Give up the rest of an order's cash. The shopper's own account stays as it is: he paid."""
    outcome = await cash.write_off(state, staff.user_id, order_id, body.note, version, context)
    return json_response(outcome.result, version=outcome.result["version"], position=outcome.position)
