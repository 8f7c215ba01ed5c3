"""Money, by staff: settlement files against the ledger, attempts that are stuck, orders that somebody looked into."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import Context, OptionalVersion, json_response
from app.core.openapi import problems
from app.core.security import CurrentStaff
from command_api.schemas import money as schemas
from command_api.services import payment_desk, settlements
from command_api.state import State

router = APIRouter(prefix="/admin")

STAFF = ("unauthenticated", "forbidden", "validation_failed", "malformed_json")
LineId = Annotated[int, Path(ge=1, le=2**63 - 1)]


KNOWN: dict[int | str, dict[str, Any]] = {
    200: {"model": schemas.SettlementFileResult, "description": "What came of this very file when it was first read."}
}


@router.post(
    "/settlement-files",
    tags=["admin money"],
    status_code=201,
    response_model=schemas.SettlementFileResult,
    responses=problems(*STAFF, "invalid_value", "payload_too_large", "settlement_file_closed") | KNOWN,
)
async def reconcile_settlement_file(
    body: schemas.SettlementFileBody, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Hold a gateway's settlement file against the ledger. A file is known by its contents: again, it changes nothing.

    Lines that can't be understood are left out and told. Fees and taxes are kept beside and never change an order.
    """
    found = await settlements.reconcile_text(state, staff.user_id, body.model_dump(), context)
    bad = [{"line": line.number, "reason": line.reason} for line in found.bad]
    return json_response(found.result | {"bad": bad}, 200 if found.replayed else 201, replayed=found.replayed)


@router.post(
    "/settlement-lines/{line_id}/close",
    tags=["admin money"],
    response_model=schemas.ClosedLine,
    responses=problems(*STAFF, "settlement_line_not_found", "settlement_line_state"),
)
async def close_line(
    line_id: LineId, body: schemas.Closing, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Say what became of a difference; the line stays as it is, and nobody need look at it any more."""
    outcome = await settlements.close_line(state, staff.user_id, line_id, body.note, context)
    return json_response(outcome.result)


@router.post(
    "/payments/{payment_id}/check",
    tags=["admin money"],
    response_model=schemas.CheckedPayment,
    responses=problems(*STAFF, "payment_not_found", "payment_state"),
)
async def check_payment(payment_id: UUID, staff: CurrentStaff, state: State, context: Context) -> Response:
    """Ask the gateway now what became of an attempt to pay, and book what it took, as its event would have.

    `check_answer` is `away` when the gateway gave no answer: the worker asks again.
    """
    outcome = await payment_desk.check(state, staff.user_id, payment_id, context)
    return json_response(outcome.result, version=outcome.result["version"], position=outcome.position)


@router.post(
    "/orders/{order_id}/attention/clear",
    tags=["admin orders"],
    response_model=schemas.ClearedOrder,
    responses=problems(*STAFF, "order_not_found", "order_state", "version_mismatch"),
)
async def clear_attention(
    order_id: UUID, body: schemas.Closing, staff: CurrentStaff, state: State, context: Context, version: OptionalVersion
) -> Response:
    """Say what became of what an order was flagged for; it leaves the list of what somebody must look at."""
    outcome = await payment_desk.clear_attention(state, staff.user_id, order_id, body.note, version, context)
    return json_response(outcome.result, version=outcome.result["version"], position=outcome.position)
