"""Reviews: said and taken back by shoppers, moderated by staff."""

from uuid import UUID

from app.core.http import RequestContext
from command_api.schemas.reviews import Moderation, ReviewBody
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def save(
    state: CommandState,
    user_id: UUID,
    slug: str,
    body: ReviewBody,
    context: RequestContext,
    *,
    create: bool,
    version: int | None = None,
) -> Outcome:
    """The shopper's review of the product: a first one (``create``), or another text of the one that is there.

    Raises review_not_bought, already_exists, review_not_found, version_mismatch, product_not_found, user_blocked.
    """
    outcome = await call(
        state.pool,
        "save_review",
        p_user_id=user_id,
        p_slug=slug,
        p_rating=body.rating,
        p_title=body.title,
        p_body=body.body,
        p_create=create,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def delete(state: CommandState, user_id: UUID, slug: str, context: RequestContext) -> Outcome:
    """Take the shopper's review of the product back. Raises review_not_found, product_not_found."""
    outcome = await call(state.pool, "delete_review", p_user_id=user_id, p_slug=slug, p_context=context.as_parameter())
    return _rung(state, outcome)


async def moderate(
    state: CommandState, staff_id: UUID, review_id: UUID, version: int, body: Moderation, context: RequestContext
) -> Outcome:
    """The review, shown or rejected. Raises forbidden, review_not_found, version_mismatch: nothing unread is shown."""
    outcome = await call(
        state.pool,
        "moderate_review",
        p_staff_id=staff_id,
        p_review_id=review_id,
        p_decision=body.decision,
        p_reason=body.reason,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def _rung(state: CommandState, outcome: Outcome) -> Outcome:
    if outcome.position is not None:
        state.wake.ring()
    return outcome
