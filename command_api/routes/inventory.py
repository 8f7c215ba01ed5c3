"""Stock keeping, by staff."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import Context, IdempotencyKey, json_response
from app.core.openapi import problems
from app.core.security import CurrentStaff
from command_api.schemas.inventory import Adjustment, BucketCount, Buckets, Receipt, Sku, Stock
from command_api.services import inventory
from command_api.state import State

router = APIRouter(prefix="/admin/inventory", tags=["admin inventory"])

REFUSALS = (
    *("unauthenticated", "forbidden", "idempotency_key_missing", "idempotency_key_reused", "idempotency_in_flight"),
    *("sku_not_found", "warehouse_not_found", "invalid_value"),
)


@router.post("/receipts", status_code=201, response_model=Stock, responses=problems(*REFUSALS))
async def receive_stock(
    body: Receipt, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Receive units of a SKU into a warehouse."""
    outcome = await inventory.receive(state, staff.user_id, key, body.model_dump(), context)
    return json_response(outcome.result, 201, position=outcome.position, replayed=outcome.replayed)


@router.post(
    "/adjustments",
    status_code=201,
    response_model=Stock,
    responses=problems(*REFUSALS, "stock_row_not_found", "stock_below_reserved", "stale_quantity"),
)
async def adjust_stock(
    body: Adjustment, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Correct the stock of a SKU in a warehouse. Units promised to orders can't be taken away."""
    outcome = await inventory.adjust(state, staff.user_id, key, body.model_dump(), context)
    return json_response(outcome.result, 201, position=outcome.position, replayed=outcome.replayed)


@router.put(
    "/{sku}/buckets",
    response_model=Buckets,
    responses=problems("unauthenticated", "forbidden", "sku_not_found", "invalid_value"),
)
async def set_buckets(
    sku: Annotated[Sku, Path()], body: BucketCount, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Spread a SKU's stock over more or fewer rows, while it is on sale."""
    outcome = await inventory.set_buckets(state, staff.user_id, sku, body.bucket_count, context)
    return json_response(outcome.result)
