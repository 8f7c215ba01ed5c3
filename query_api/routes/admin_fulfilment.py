"""GET of shipments and pick lists, for staff."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from app.models.words import SHIPMENT_STATUSES
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import admin_fulfilment as repository
from query_api.responses import page, private
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import admin_fulfilment as schemas
from query_api.state import QueryState

router = APIRouter(prefix="/admin", tags=["admin fulfilment"])

ShipmentStatus = Literal[SHIPMENT_STATUSES]  # type: ignore[valid-type]
Fulfilment = Annotated[QueryState, allowed("fulfilment.write", "orders.read")]


@router.get("/shipments", response_model=schemas.AdminShipmentList, responses=problems(*REFUSALS))
async def list_shipments(
    state: Fulfilment,
    status: ShipmentStatus | None = None,
    warehouse: Token | None = None,
    order_id: UUID | None = None,
    tracking_number: Annotated[Token | None, Query(description="Whole, as the carrier gave it.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Shipments, newest first."""
    filters = {"status": status, "warehouse": warehouse, "order_id": order_id, "tracking_number": tracking_number}
    name = f"shipments:{status}:{warehouse}:{order_id}:{tracking_number}"
    fetch = lambda *at: repository.listed(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, name, fetch, limit, cursor))


@router.get(
    "/shipments/{shipment_id}",
    response_model=schemas.AdminShipment,
    responses=problems(*REFUSALS, "shipment_not_found"),
)
async def read_shipment(state: Fulfilment, shipment_id: UUID) -> Response:
    """A shipment; its ETag is what If-Match takes."""
    found = await repository.one(state.primary, shipment_id)
    if found is None:
        raise Refused("shipment_not_found")
    return private(found.body, version=found.version)


@router.get(
    "/warehouses/{code}/pick-list",
    response_model=schemas.PickList,
    responses=problems(*REFUSALS, "warehouse_not_found"),
)
async def pick_list(state: Fulfilment, code: Token) -> Response:
    """What is to be fetched from a warehouse's shelves for the shipments that are planned or being picked, by SKU."""
    found = await repository.pick_list(state.primary, code)
    if found is None:
        raise Refused("warehouse_not_found")
    return private(page(found, None))
