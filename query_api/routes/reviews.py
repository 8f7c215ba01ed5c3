"""GET of reviews: a product's, the caller's own, and all of them for staff."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from app.core.security import CurrentPrincipal
from app.models.words import REVIEW_STATUSES
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import reviews
from query_api.responses import private, stored
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import reviews as schemas
from query_api.state import QueryState, State

router = APIRouter()

Status = Literal[REVIEW_STATUSES]  # type: ignore[valid-type]
Moderator = Annotated[QueryState, allowed("reviews.moderate")]


@router.get(
    "/products/{slug}/reviews",
    tags=["reviews"],
    response_model=schemas.ReviewList,
    responses=problems("product_not_found", "invalid_value"),
)
async def product_reviews(
    request: Request,
    state: State,
    slug: Annotated[Token, Path()],
    sort: Annotated[reviews.Order, Query(description="Of equal stars, `lowest` has the older first.")] = "newest",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """What shoppers say about a product, with the stars of all of them."""
    found = await reviews.summary(state.pool, slug)
    if found is None:
        raise Refused("product_not_found")
    product_id, summary = found
    fetch = lambda *at: reviews.shown(state.pool, product_id, sort, *at)  # noqa: E731
    body = await pages.listed(state, f"product-reviews:{product_id}:{sort}", fetch, limit, cursor)
    return stored(request, body[:-1] + b"," + summary[1:])


@router.get(
    "/me/reviews",
    tags=["reviews"],
    response_model=schemas.MyReviewList,
    responses=problems("unauthenticated", "invalid_value"),
)
async def my_reviews(state: State, principal: CurrentPrincipal, limit: Limit = 20, cursor: Cursor = None) -> Response:
    """The caller's reviews, newest first: those that wait or were rejected too."""
    fetch = lambda *at: reviews.mine(state.primary, principal.user_id, *at)  # noqa: E731
    return private(await pages.listed(state, f"my-reviews:{principal.user_id}", fetch, limit, cursor))


@router.get(
    "/admin/reviews",
    tags=["admin reviews"],
    response_model=schemas.AdminReviewList,
    responses=problems(*REFUSALS),
)
async def list_reviews(
    state: Moderator, status: Status | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Reviews of all products, newest first; `pending` ones in the order in which they wait."""
    fetch = lambda *at: reviews.listed(state.primary, status, *at)  # noqa: E731
    return private(await pages.listed(state, f"reviews:{status}", fetch, limit, cursor))


@router.get(
    "/admin/reviews/{review_id}",
    tags=["admin reviews"],
    response_model=schemas.AdminReview,
    responses=problems(*REFUSALS, "review_not_found"),
)
async def one_review(state: Moderator, review_id: UUID) -> Response:
    """A review; its ETag is what If-Match takes."""
    found = await reviews.one(state.primary, review_id)
    if found is None:
        raise Refused("review_not_found")
    return private(found.body, version=found.version)
