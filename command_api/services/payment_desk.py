"""What staff do about payments: have a gateway asked at once, and say that an order's money was looked into."""

from uuid import UUID

from app.core.http import RequestContext
from command_api.services.gateway_checks import check_payment
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def check(state: CommandState, staff_id: UUID, payment_id: UUID, context: RequestContext) -> Outcome:
    """Ask the gateway now, and book what it says like an event of its own."""
    asked = await call(
        state.pool,
        "request_payment_check",
        p_staff_id=staff_id,
        p_payment_id=payment_id,
        p_context=context.as_parameter(),
    )
    return _rung(state, await check_payment(state.pool, state.gateway, asked.result))


async def clear_attention(
    state: CommandState, staff_id: UUID, order_id: UUID, note: str, version: int | None, context: RequestContext
) -> Outcome:
    """Somebody has looked into what the order was flagged for."""
    outcome = await call(
        state.pool,
        "clear_order_attention",
        p_staff_id=staff_id,
        p_order_id=order_id,
        p_note=note,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def _rung(state: CommandState, outcome: Outcome) -> Outcome:
    if outcome.position is not None:
        state.wake.ring()
    return outcome
