"""The catalog and the store's settings, by staff. What is saved whole is saved by one procedure of the same shape."""

from typing import Any
from uuid import UUID

from app.core.http import RequestContext, request_hash
from command_api.services.procedures import Outcome, Value, call
from command_api.state import CommandState

NOT_THERE_YET = 0  # the version that a thing has before it is made


async def save(
    state: CommandState,
    procedure: str,
    key: tuple[str, str],
    body: dict[str, Any],
    version: int | None,
    staff_id: UUID,
    context: RequestContext,
) -> Outcome:
    """``procedure`` with the definition ``body`` of what ``key`` (a parameter and its value) names.

    ``version`` is the one that was read; None says that the thing is not there yet, so nothing is overwritten unseen.
    """
    parameters: dict[str, Value] = {
        "p_staff_id": staff_id,
        key[0]: key[1],
        "p_definition": body,
        "p_expected_version": NOT_THERE_YET if version is None else version,
        "p_context": context.as_parameter(),
    }
    return _rung(state, await call(state.pool, procedure, **parameters))


async def set_product_status(
    state: CommandState, slug: str, body: dict[str, Any], version: int, staff_id: UUID, context: RequestContext
) -> Outcome:
    """The product after it went on or off sale."""
    outcome = await call(
        state.pool,
        "set_product_status",
        p_staff_id=staff_id,
        p_slug=slug,
        p_status=body["status"],
        p_published_at=body["published_at"],
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def set_price(
    state: CommandState, sku: str, body: dict[str, Any], staff_id: UUID, key: str, context: RequestContext
) -> Outcome:
    """The price that a SKU has now, or will have."""
    outcome = await call(
        state.pool,
        "set_price",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(sku, body),
        p_sku=sku,
        p_price=body["price"],
        p_mrp=body["mrp"],
        p_effective_from=body["effective_from"],
        p_reason=body["reason"],
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def grant_role(
    state: CommandState, phone: str, body: dict[str, Any], staff_id: UUID, context: RequestContext
) -> Outcome:
    """Who works for the store now, in which role."""
    return await call(
        state.pool,
        "grant_staff_role",
        p_granted_by=staff_id,
        p_phone=phone,
        p_role=body["role"],
        p_is_active=body["is_active"],
        p_context=context.as_parameter(),
    )


def _rung(state: CommandState, outcome: Outcome) -> Outcome:
    if outcome.position is not None:
        state.wake.ring()
    return outcome
