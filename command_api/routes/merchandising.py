"""Merchandising, by staff: prices to come."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import Context, json_response
from app.core.openapi import problems
from app.core.security import CurrentStaff
from command_api.schemas.inventory import Sku
from command_api.schemas.merchandising import CancelledPrice
from command_api.services import merchandising
from command_api.state import State

router = APIRouter(prefix="/admin", tags=["admin merchandising"])

STAFF = ("unauthenticated", "forbidden", "invalid_value")
PriceId = Annotated[int, Path(ge=1, lt=2**63, description="The price's id, as the list of the SKU's prices has it.")]


@router.post(
    "/variants/{sku}/prices/{price_id}/cancel",
    response_model=CancelledPrice,
    responses=problems(*STAFF, "price_change_not_found", "price_applied"),
)
async def cancel_price(
    sku: Annotated[Sku, Path()], price_id: PriceId, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Call off a price that is to come. Called off before: the same answer, and no change."""
    outcome = await merchandising.cancel_price(state, sku, price_id, staff.user_id, context)
    return json_response(outcome.result)
