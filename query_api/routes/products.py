"""GET of the catalog: lists, product pages, search, suggestions, stock."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.openapi import problems
from query_api.freshness import Wanted
from query_api.pages import products
from query_api.parameters import Filters, ListSort, SearchSort, SearchText, Token, WithFacets
from query_api.responses import PUBLIC, stored
from query_api.schemas.catalog import ProductList, ProductPage, SearchResult, StockList, Suggestion
from query_api.state import State

router = APIRouter(tags=["catalog"])

Skus = Annotated[list[Token], Query(description="SKUs, up to 100.", min_length=1, max_length=100)]
SUGGESTIONS = 8


@router.get(
    "/products",
    response_model=ProductList,
    responses=problems("category_not_found", "invalid_value"),
    summary="List products",
)
async def list_products(
    request: Request,
    state: State,
    filters: Filters,
    wanted: Wanted,
    sort: ListSort = "bestselling",
    facets: WithFacets = True,
) -> Response:
    """Products that pass all filters, with facets. Attributes and options filter as `attr.<name>=<value>`."""
    answer = await products.product_list(state, replace(filters, sort=sort), wanted, facets=facets)
    return stored(request, answer.body, stale=answer.stale, hot="/v1/products")


@router.get(
    "/products/{slug}",
    response_model=ProductPage,
    responses=problems("product_not_found", "invalid_value"),
    summary="A product",
)
async def product(request: Request, state: State, slug: Annotated[Token, Path()], wanted: Wanted) -> Response:
    """A product's page, as it is sold now."""
    answer = await products.product(state, slug, wanted)
    return stored(request, answer.body, answer.etag, stale=answer.stale, hot="/v1/products/{slug}", row=slug)


@router.get("/search", response_model=SearchResult, responses=problems("invalid_value"), summary="Search products")
async def search(
    request: Request,
    state: State,
    q: SearchText,
    filters: Filters,
    wanted: Wanted,
    sort: SearchSort = "relevance",
    facets: WithFacets = True,
) -> Response:
    """What a text finds: stemmed, forgiving of typos, SKU and brand hits first; the filters of the list apply."""
    answer = await products.search_list(state, replace(filters, text=q, sort=sort), wanted, facets=facets)
    return stored(request, answer.body, stale=answer.stale, hot="/v1/search")


@router.get("/search/suggest", response_model=Suggestion, responses=problems(), summary="Suggest while typing")
async def suggest(request: Request, state: State, q: SearchText) -> Response:
    """Queries, brands, categories and products that a text may become."""
    return stored(request, await products.suggestions(state, q, SUGGESTIONS))


@router.get("/inventory", response_model=StockList, responses=problems("invalid_value"), summary="Stock of SKUs")
async def inventory(request: Request, state: State, sku: Skus, wanted: Wanted) -> Response:
    """Units that can be sold now, for each SKU asked for. Checkout asks the store itself again."""
    answer = await products.availability(state, sku, wanted)
    return stored(request, answer.body, cache=PUBLIC, stale=answer.stale)
