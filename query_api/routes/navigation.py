"""GET of what leads into the catalog: the home page and the category tree."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from app.utils.view_keys import COLLECTION_DOCUMENT
from query_api.freshness import Wanted
from query_api.parameters import Token
from query_api.repositories import navigation
from query_api.responses import stored
from query_api.schemas.navigation import CategoryTree, CollectionPage, HomePage
from query_api.state import State

router = APIRouter(tags=["catalog"])

NOTHING_YET = {
    "home": b'{"banners":[],"collections":[],"bestsellers":[],"new_arrivals":[],"deals":[]}',
    "categories": b'{"items":[]}',
}


async def _document(request: Request, state: State, name: str, wanted: Wanted, missing: str = "") -> Response:
    fresh = await state.freshness.reached(wanted, "navigation")
    found = await navigation.document(state.pool, name)
    if found is None and missing:
        raise Refused(missing)
    if found is None:
        return stored(request, NOTHING_YET[name], stale=not fresh)
    return stored(request, found.body, found.etag, stale=not fresh)


@router.get("/home", response_model=HomePage, responses=problems("invalid_value"), summary="The home page")
async def home(request: Request, state: State, wanted: Wanted) -> Response:
    """Banners, collections, bestsellers of the last thirty days, new arrivals and deals: all in stock."""
    return await _document(request, state, "home", wanted)


@router.get(
    "/collections/{slug}",
    response_model=CollectionPage,
    responses=problems("invalid_value", "collection_not_found"),
    summary="A collection",
)
async def collection(request: Request, state: State, slug: Annotated[Token, Path()], wanted: Wanted) -> Response:
    """What staff put together under one name, while it is shown."""
    return await _document(request, state, f"{COLLECTION_DOCUMENT}{slug}", wanted, "collection_not_found")


@router.get(
    "/categories", response_model=CategoryTree, responses=problems("invalid_value"), summary="The category tree"
)
async def categories(request: Request, state: State, wanted: Wanted) -> Response:
    """Every category with the number of products shown in it and below it."""
    return await _document(request, state, "categories", wanted)
