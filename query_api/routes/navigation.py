"""GET of what leads into the catalog: the home page and the category tree."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.openapi import problems
from query_api.freshness import Wanted
from query_api.repositories import navigation
from query_api.responses import stored
from query_api.schemas.navigation import CategoryTree, HomePage
from query_api.state import State

router = APIRouter(tags=["catalog"])

NOTHING_YET = {
    "home": b'{"banners":[],"collections":[],"bestsellers":[],"new_arrivals":[],"deals":[]}',
    "categories": b'{"items":[]}',
}


async def _document(request: Request, state: State, name: str, wanted: Wanted) -> Response:
    fresh = await state.freshness.reached(wanted, "navigation")
    found = await navigation.document(state.pool, name)
    if found is None:
        return stored(request, NOTHING_YET[name], stale=not fresh)
    return stored(request, found.body, found.etag, stale=not fresh)


@router.get("/home", response_model=HomePage, responses=problems("invalid_value"), summary="The home page")
async def home(request: Request, state: State, wanted: Wanted) -> Response:
    """Banners, collections, bestsellers of the last thirty days, new arrivals and deals: all in stock."""
    return await _document(request, state, "home", wanted)


@router.get(
    "/categories", response_model=CategoryTree, responses=problems("invalid_value"), summary="The category tree"
)
async def categories(request: Request, state: State, wanted: Wanted) -> Response:
    """Every category with the number of products shown in it and below it."""
    return await _document(request, state, "categories", wanted)
