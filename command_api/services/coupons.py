"""Coupons as staff keeps them."""

from typing import Any
from uuid import UUID

from app.core.http import RequestContext
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def save(
    state: CommandState,
    staff_id: UUID,
    code: str,
    definition: dict[str, Any],
    version: int | None,
    context: RequestContext,
) -> Outcome:
    """The coupon as it is now. Raises version_mismatch, coupon_not_found (a version of none), invalid_value, forbidden.

    ``definition`` holds JSON values; without ``version`` the coupon is a new one.
    """
    return await call(
        state.pool,
        "save_coupon",
        p_staff_id=staff_id,
        p_code=code,
        p_definition=definition,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
