"""GET of merchandising for the store's people: a SKU's prices."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import admin_merchandising as merchandising
from query_api.responses import private
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import admin_merchandising as schemas
from query_api.state import QueryState

router = APIRouter(prefix="/admin", tags=["admin merchandising"])

Pricing = Annotated[QueryState, allowed("prices.write", "orders.read")]


@router.get(
    "/variants/{sku}/prices", response_model=schemas.AdminPriceList, responses=problems(*REFUSALS, "sku_not_found")
)
async def prices(state: Pricing, sku: Annotated[Token, Path()], limit: Limit = 50, cursor: Cursor = None) -> Response:
    """What a SKU costs, did cost and is to cost, and who said so; the latest to take effect first."""
    variant = await merchandising.variant(state.primary, sku)
    if variant is None:
        raise Refused("sku_not_found")
    fetch = lambda *at: merchandising.prices(state.primary, variant, *at)  # noqa: E731
    return private(await pages.listed(state, f"prices:{variant}", fetch, limit, cursor))
