"""Merchandising, by staff: prices to come."""

from uuid import UUID

from app.core.http import RequestContext
from command_api.services.procedures import Outcome, call
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
