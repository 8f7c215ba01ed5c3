"""Merchandising, by staff: prices to come, and what is taken away again. What is saved is saved by services/catalog."""

from uuid import UUID

from app.core.http import RequestContext
from command_api.services.procedures import Outcome, Value, call
from command_api.state import CommandState


async def cancel_price(
    state: CommandState, sku: str, price_change_id: int, staff_id: UUID, context: RequestContext
) -> Outcome:
    """The price that does not come. Raises price_change_not_found, price_applied."""
    return await call(
        state.pool,
        "cancel_price",
        p_staff_id=staff_id,
        p_sku=sku,
        p_price_change_id=price_change_id,
        p_context=context.as_parameter(),
    )


async def delete(
    state: CommandState, procedure: str, key: tuple[str, str], version: int, staff_id: UUID, context: RequestContext
) -> Outcome:
    """``procedure`` for what ``key`` (a parameter and its value) names, of the version that was read."""
    name, value = key
    parameters: dict[str, Value] = {
        "p_staff_id": staff_id,
        name: value,
        "p_expected_version": version,
        "p_context": context.as_parameter(),
    }
    outcome = await call(state.pool, procedure, **parameters)
    if outcome.position is not None:
        state.wake.ring()
    return outcome
