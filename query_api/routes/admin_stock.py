"""GET for whoever keeps the stock: levels, holds, backorders, transfers, counts."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import admin_stock
from query_api.repositories.admin import Versioned
from query_api.responses import private
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import admin_stock as schemas
from query_api.state import QueryState

router = APIRouter(prefix="/admin", responses=problems(*REFUSALS))

ReservationState = Literal["open", "expired", "consumed", "released"]
BackorderStatus = Literal["promised", "waiting", "allocated", "cancelled"]
TransferStatus = Literal["draft", "in_transit", "received", "cancelled"]
CountStatus = Literal["open", "review", "posted", "cancelled"]

Stock = Annotated[QueryState, allowed("inventory.write", "orders.read")]


@router.get("/inventory", tags=["admin inventory"], response_model=schemas.StockLevelList)
async def levels(
    state: Stock,
    low: Annotated[bool, Query(description="Only what is at or below its threshold.")] = False,
    warehouse: Annotated[Token | None, Query(description="Only this warehouse, and low by what lies there.")] = None,
    sku: Annotated[Token | None, Query(description="How the SKU begins.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """SKUs with their stock per warehouse, their threshold and what is sold beyond the stock, by SKU."""
    filters = {"low": low, "warehouse": warehouse, "sku": sku}
    fetch = lambda *at: admin_stock.levels(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"stock:{low}:{warehouse}:{sku}", fetch, limit, cursor))


@router.get("/reservations", tags=["admin inventory"], response_model=schemas.ReservationList)
async def reservations(
    state: Stock,
    sku: Token | None = None,
    order_id: UUID | None = None,
    held: Annotated[
        ReservationState | None,
        Query(alias="state", description="`open` and `expired` are kept from others; `expired` ends by itself."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Stock that orders hold or have taken, newest first."""
    filters = {"sku": sku, "order_id": order_id, "state": held}
    fetch = lambda *at: admin_stock.reservations(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"reservations:{sku}:{order_id}:{held}", fetch, limit, cursor))


@router.get("/backorders", tags=["admin inventory"], response_model=schemas.BackorderList)
async def backorders(
    state: Stock,
    sku: Token | None = None,
    order_id: UUID | None = None,
    status: BackorderStatus | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Units that were sold beyond the stock, newest first."""
    filters = {"sku": sku, "order_id": order_id, "status": status}
    fetch = lambda *at: admin_stock.backorders(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"backorders:{sku}:{order_id}:{status}", fetch, limit, cursor))


@router.get("/transfers", tags=["admin transfers"], response_model=schemas.TransferList)
async def transfers(
    state: Stock,
    status: TransferStatus | None = None,
    warehouse: Annotated[Token | None, Query(description="At either end.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Transfers between warehouses, newest first."""
    filters = {"status": status, "warehouse": warehouse}
    fetch = lambda *at: admin_stock.transfers(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"transfers:{status}:{warehouse}", fetch, limit, cursor))


@router.get(
    "/transfers/{transfer_id}",
    tags=["admin transfers"],
    response_model=schemas.TransferPage,
    responses=problems(*REFUSALS, "transfer_not_found"),
)
async def transfer(state: Stock, transfer_id: UUID) -> Response:
    """A transfer with its lines; its ETag is what If-Match takes."""
    return _versioned(await admin_stock.transfer(state.primary, transfer_id), "transfer_not_found")


@router.get("/stock-counts", tags=["admin stock counts"], response_model=schemas.StockCountList)
async def counts(
    state: Stock,
    status: CountStatus | None = None,
    warehouse: Token | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Stock counts, newest first."""
    filters = {"status": status, "warehouse": warehouse}
    fetch = lambda *at: admin_stock.counts(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"stock-counts:{status}:{warehouse}", fetch, limit, cursor))


@router.get(
    "/stock-counts/{count_id}",
    tags=["admin stock counts"],
    response_model=schemas.StockCountRow,
    responses=problems(*REFUSALS, "count_not_found"),
)
async def count(state: Stock, count_id: UUID) -> Response:
    """A stock count; its ETag is what If-Match takes."""
    return _versioned(await admin_stock.count(state.primary, count_id), "count_not_found")


@router.get(
    "/stock-counts/{count_id}/lines",
    tags=["admin stock counts"],
    response_model=schemas.StockCountLineList,
    responses=problems(*REFUSALS, "count_not_found"),
)
async def count_lines(
    state: Stock,
    count_id: UUID,
    differing: Annotated[bool, Query(description="Only what was not as the books said.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What was counted, by SKU."""
    if await admin_stock.count(state.primary, count_id) is None:
        raise Refused("count_not_found")
    fetch = lambda *at: admin_stock.count_lines(state.primary, count_id, differing, *at)  # noqa: E731
    return private(await pages.listed(state, f"count-lines:{count_id}:{differing}", fetch, limit, cursor))


def _versioned(found: Versioned | None, missing: str) -> Response:
    if found is None:
        raise Refused(missing)
    return private(found.body, version=found.version)
