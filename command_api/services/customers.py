"""Accounts, as staff and their own shoppers act on them: block, let in again, erase."""

from typing import Any
from uuid import UUID

from app.core.http import RequestContext
from app.core.security import otp_hash
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def set_blocked(
    state: CommandState,
    staff_id: UUID,
    user_id: UUID,
    *,
    blocked: bool,
    reason: str,
    version: int | None,
    context: RequestContext,
) -> dict[str, Any]:
    """The customer's status now; a block ends all sessions. Raises user_not_found, is_staff, version_mismatch."""
    outcome = await call(
        state.pool,
        "block_user",
        p_staff_id=staff_id,
        p_user_id=user_id,
        p_blocked=blocked,
        p_reason=reason,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    await _end_sessions(state, outcome)
    return outcome.result


async def erase(state: CommandState, user_id: UUID, phone: str, code: str, context: RequestContext) -> Outcome:
    """What was erased. Raises otp_invalid (counted), otp_expired, invalid_value, is_staff, erasure_refused."""
    outcome = await call(
        state.pool,
        "erase_user",
        p_user_id=user_id,
        p_phone=phone,
        p_code_hash=otp_hash(state.settings, phone, code),
        p_context=context.as_parameter(),
    )
    await _end_sessions(state, outcome)
    if outcome.position is not None:
        state.wake.ring()
    return outcome


async def _end_sessions(state: CommandState, outcome: Outcome) -> None:
    await state.revocations.add([UUID(session_id) for session_id in outcome.result.pop("session_ids")])
