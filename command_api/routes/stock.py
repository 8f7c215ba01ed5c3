"""Stock operations, by staff: deliveries, transfers, counts, holds, what is sold beyond the stock, what is low."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import Context, IdempotencyKey, RequiredVersion, json_response
from app.core.openapi import KEYED, problems
from app.core.security import CurrentStaff
from command_api.schemas import stock as schemas
from command_api.schemas.inventory import Sku
from command_api.schemas.orders import Order
from command_api.services import stock
from command_api.services.procedures import Outcome
from command_api.state import State

router = APIRouter(prefix="/admin")

STAFF = (*KEYED, "forbidden")
CHANGED = (*STAFF, "version_mismatch", "precondition_required")
TRANSFER = (*CHANGED, "transfer_not_found", "transfer_state")
COUNT = (*CHANGED, "count_not_found", "count_state")
SkuInPath = Annotated[Sku, Path()]


def _answer(outcome: Outcome, status: int = 200, *, versioned: bool = False) -> Response:
    version = int(outcome.result["version"]) if versioned else None
    return json_response(outcome.result, status, version=version, position=outcome.position, replayed=outcome.replayed)


@router.post(
    "/inventory/receipts/bulk",
    status_code=201,
    tags=["admin inventory"],
    response_model=schemas.Received,
    responses=problems(*STAFF, "warehouse_not_found", "stock_lines_invalid"),
)
async def receive_delivery(
    body: schemas.BulkReceipt, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Receive a delivery of up to 500 SKUs at once. Orders that wait for them are served first."""
    return _answer(await stock.receive_delivery(state, staff.user_id, key, body.model_dump(), context), 201)


@router.put(
    "/inventory/{sku}/policy",
    tags=["admin inventory"],
    response_model=schemas.StockPolicy,
    responses=problems("unauthenticated", "forbidden", "sku_not_found", "invalid_value", "backorders_waiting"),
)
async def set_policy(
    sku: SkuInPath, body: schemas.PolicyBody, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Say whether a SKU that ran out is still sold (not: deny; as a backorder or preorder), and how much of it."""
    return _answer(await stock.set_policy(state, staff.user_id, sku, body.model_dump(), context))


@router.put(
    "/inventory/{sku}/low-stock-threshold",
    tags=["admin inventory"],
    response_model=schemas.Threshold,
    responses=problems("unauthenticated", "forbidden", "sku_not_found", "invalid_value"),
)
async def set_threshold(
    sku: SkuInPath, body: schemas.ThresholdBody, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Say at how many units a SKU counts as low; null goes by the store's settings."""
    return _answer(await stock.set_threshold(state, staff.user_id, sku, body.low_stock_threshold, context))


@router.post(
    "/orders/{order_id}/release-hold",
    tags=["admin inventory"],
    response_model=Order,
    responses=problems(*STAFF, "order_not_found", "order_state"),
)
async def release_hold(
    order_id: UUID, body: schemas.Reason, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """End an unpaid order that keeps stock from others: stock, coupons and promises are let go with it."""
    outcome = await stock.release_hold(state, staff.user_id, key, order_id, body.reason, context)
    return _answer(outcome, versioned=True)


@router.post(
    "/transfers",
    status_code=201,
    tags=["admin transfers"],
    response_model=schemas.Transfer,
    responses=problems(*STAFF, "warehouse_not_found", "stock_lines_invalid", "invalid_value"),
)
async def create_transfer(
    body: schemas.TransferDraft, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Write a transfer between two warehouses, as a draft."""
    outcome = await stock.save_transfer(state, staff.user_id, key, body.model_dump(), context)
    return _answer(outcome, 201, versioned=True)


@router.put(
    "/transfers/{transfer_id}",
    tags=["admin transfers"],
    response_model=schemas.Transfer,
    responses=problems(*TRANSFER, "warehouse_not_found", "stock_lines_invalid", "invalid_value"),
)
async def change_transfer(
    transfer_id: UUID,
    body: schemas.TransferDraft,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: RequiredVersion,
) -> Response:
    """Write a draft anew."""
    at = (transfer_id, version)
    return _answer(await stock.save_transfer(state, staff.user_id, key, body.model_dump(), context, at), versioned=True)


@router.post(
    "/transfers/{transfer_id}/dispatch",
    tags=["admin transfers"],
    response_model=schemas.Transfer,
    responses=problems(*TRANSFER, "stock_below_reserved", "stock_row_not_found", "stock_lines_invalid"),
)
async def dispatch_transfer(
    transfer_id: UUID,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: RequiredVersion,
) -> Response:
    """Take the goods off the shelves of the source: they are in transit from now on, and for sale nowhere."""
    at = (transfer_id, version)
    return _answer(await stock.step_transfer(state, staff.user_id, key, "dispatch", at, context), versioned=True)


@router.post(
    "/transfers/{transfer_id}/receive",
    tags=["admin transfers"],
    response_model=schemas.Transfer,
    responses=problems(*TRANSFER, "stock_lines_invalid", "invalid_value"),
)
async def receive_transfer(
    transfer_id: UUID,
    body: schemas.TransferReceipt,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: RequiredVersion,
) -> Response:
    """Put what arrived on the shelves of the destination; what did not arrive is written off as lost."""
    at = (transfer_id, version)
    outcome = await stock.step_transfer(state, staff.user_id, key, "receive", at, context, body.model_dump())
    return _answer(outcome, versioned=True)


@router.post(
    "/transfers/{transfer_id}/cancel",
    tags=["admin transfers"],
    response_model=schemas.Transfer,
    responses=problems(*TRANSFER, "stock_lines_invalid"),
)
async def cancel_transfer(
    transfer_id: UUID,
    body: schemas.Reason,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
    version: RequiredVersion,
) -> Response:
    """Drop a draft, or take what is in transit back to the shelves it came from."""
    at = (transfer_id, version)
    outcome = await stock.step_transfer(state, staff.user_id, key, "cancel", at, context, body.model_dump())
    return _answer(outcome, versioned=True)


@router.post(
    "/stock-counts",
    status_code=201,
    tags=["admin stock counts"],
    response_model=schemas.StockCount,
    responses=problems(*STAFF, "warehouse_not_found"),
)
async def open_count(
    body: schemas.CountOpening, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey
) -> Response:
    """Start a count of a warehouse, or of part of it, while it goes on selling."""
    return _answer(await stock.open_count(state, staff.user_id, key, body.model_dump(), context), 201, versioned=True)


@router.post(
    "/stock-counts/{count_id}/lines",
    tags=["admin stock counts"],
    response_model=schemas.StockCount,
    responses=problems(*STAFF, "count_not_found", "count_state", "count_in_progress", "stock_lines_invalid"),
)
async def record_count(
    count_id: UUID,
    body: schemas.CountedLines,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Write down what was counted of up to 500 SKUs, beside what the books said at that moment."""
    lines = body.model_dump(exclude_none=True)["lines"]
    return _answer(await stock.record_count(state, staff.user_id, key, count_id, lines, context), versioned=True)


@router.post(
    "/stock-counts/{count_id}/review",
    tags=["admin stock counts"],
    response_model=schemas.StockCount,
    responses=problems(*COUNT),
)
async def review_count(
    count_id: UUID, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey, version: RequiredVersion
) -> Response:
    """End the counting, so that the differences can be looked over."""
    at = (count_id, version)
    return _answer(await stock.step_count(state, staff.user_id, key, "review", at, context), versioned=True)


@router.post(
    "/stock-counts/{count_id}/reopen",
    tags=["admin stock counts"],
    response_model=schemas.StockCount,
    responses=problems(*COUNT),
)
async def reopen_count(
    count_id: UUID, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey, version: RequiredVersion
) -> Response:
    """Go back to counting."""
    at = (count_id, version)
    return _answer(await stock.step_count(state, staff.user_id, key, "reopen", at, context), versioned=True)


@router.post(
    "/stock-counts/{count_id}/post",
    tags=["admin stock counts"],
    response_model=schemas.StockCount,
    responses=problems(*COUNT, "stock_below_reserved"),
)
async def post_count(
    count_id: UUID, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey, version: RequiredVersion
) -> Response:
    """Take the differences into the books. What was sold since a SKU was counted does not change its difference."""
    at = (count_id, version)
    return _answer(await stock.step_count(state, staff.user_id, key, "post", at, context), versioned=True)


@router.post(
    "/stock-counts/{count_id}/cancel",
    tags=["admin stock counts"],
    response_model=schemas.StockCount,
    responses=problems(*COUNT),
)
async def cancel_count(
    count_id: UUID, staff: CurrentStaff, state: State, context: Context, key: IdempotencyKey, version: RequiredVersion
) -> Response:
    """Forget a count: the books stay as they are."""
    at = (count_id, version)
    return _answer(await stock.step_count(state, staff.user_id, key, "cancel", at, context), versioned=True)
