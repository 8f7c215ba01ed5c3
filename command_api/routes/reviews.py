"""Reviews: a shopper's own of a product, and their moderation."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import CONSISTENCY_HEADER, Context, OptionalVersion, RequiredVersion, json_response
from app.core.openapi import problems
from app.core.security import CurrentPrincipal, CurrentStaff
from command_api.schemas.base import Slug
from command_api.schemas.reviews import Moderation, Review, ReviewBody
from command_api.services import reviews
from command_api.services.procedures import Outcome
from command_api.state import State

router = APIRouter()

ProductSlug = Annotated[Slug, Path(description="The product's slug.")]
SHOPPER = ("unauthenticated", "user_blocked", "user_not_found", "product_not_found")


def _review(outcome: Outcome, status: int = 200) -> Response:
    return json_response(outcome.result, status, version=outcome.result["version"], position=outcome.position)


@router.post(
    "/products/{slug}/review",
    tags=["reviews"],
    status_code=201,
    response_model=Review,
    responses=problems(*SHOPPER, "already_exists", "review_not_bought"),
)
async def add_review(
    slug: ProductSlug, body: ReviewBody, principal: CurrentPrincipal, state: State, context: Context
) -> Response:
    """Review a product that an order has brought you; one review each. Staff may want to read it first (`pending`)."""
    return _review(await reviews.save(state, principal.user_id, slug, body, context, create=True), 201)


@router.put(
    "/products/{slug}/review",
    tags=["reviews"],
    response_model=Review,
    responses=problems(*SHOPPER, "review_not_found", "version_mismatch"),
)
async def change_review(
    slug: ProductSlug,
    body: ReviewBody,
    principal: CurrentPrincipal,
    state: State,
    context: Context,
    version: OptionalVersion,
) -> Response:
    """Say something else about the product. What staff must read first is not shown meanwhile."""
    return _review(await reviews.save(state, principal.user_id, slug, body, context, create=False, version=version))


@router.delete(
    "/products/{slug}/review",
    tags=["reviews"],
    status_code=204,
    responses=problems("unauthenticated", "product_not_found", "review_not_found"),
)
async def remove_review(slug: ProductSlug, principal: CurrentPrincipal, state: State, context: Context) -> Response:
    """Take your review of the product back."""
    outcome = await reviews.delete(state, principal.user_id, slug, context)
    told = outcome.position
    return Response(status_code=204, headers={} if told is None else {CONSISTENCY_HEADER: str(told)})


@router.post(
    "/admin/reviews/{review_id}/moderate",
    tags=["admin reviews"],
    response_model=Review,
    responses=problems(
        "unauthenticated", "forbidden", "review_not_found", "precondition_required", "version_mismatch", "invalid_value"
    ),
)
async def moderate_review(
    review_id: UUID, body: Moderation, staff: CurrentStaff, state: State, context: Context, version: RequiredVersion
) -> Response:
    """Show a review to shoppers, or reject it with a reason. If-Match is the version that was read."""
    return _review(await reviews.moderate(state, staff.user_id, review_id, version, body, context))
