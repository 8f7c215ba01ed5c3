"""Bringing people into the store's staff, and the rules that staff set for the store."""

from typing import Any
from uuid import UUID

from app.core.http import RequestContext
from app.core.rate_limit import RateLimitHeaders
from app.core.security import new_otp, new_token, otp_hash, sha256
from command_api.services import auth
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState

STAFF_INVITE = "staff_invite"


async def invite(state: CommandState, staff_id: UUID, phone: str, role: str, context: RequestContext) -> dict[str, Any]:
    """The open invitation; its code is on its way. Raises invitation_open, already_exists, otp_rate_limited, …"""
    code = new_otp()
    outcome = await call(
        state.pool,
        "invite_staff",
        p_staff_id=staff_id,
        p_phone=phone,
        p_role=role,
        p_code_hash=otp_hash(state.settings, phone, code),
        p_context=context.as_parameter(),
    )
    await auth.deliver(state, phone, code, outcome.result["code_expires_in"], context)
    return outcome.result


async def request_code(
    state: CommandState, phone: str, context: RequestContext, headers: RateLimitHeaders
) -> dict[str, Any]:
    """Send a fresh code for an invitation. The answer is the same whether the phone is invited or not."""
    return await auth.request_otp(state, phone, context, headers, STAFF_INVITE)


async def accept(
    state: CommandState, phone: str, code: str, user_agent: str | None, context: RequestContext
) -> dict[str, Any]:
    """A session in the invited role. Raises otp_invalid (counted), otp_expired, invitation_not_found, …"""
    refresh_token = new_token()
    outcome = await call(
        state.pool,
        "accept_staff_invitation",
        p_phone=phone,
        p_code_hash=otp_hash(state.settings, phone, code),
        p_refresh_token_hash=sha256(refresh_token),
        p_user_agent=user_agent,
        p_context=context.as_parameter(),
    )
    return auth.logged_in(state, outcome.result, refresh_token)


async def revoke(state: CommandState, staff_id: UUID, invitation_id: UUID, context: RequestContext) -> dict[str, Any]:
    """The invitation, taken back. Raises invitation_not_found, invitation_state."""
    outcome = await call(
        state.pool,
        "revoke_staff_invitation",
        p_staff_id=staff_id,
        p_invitation_id=invitation_id,
        p_context=context.as_parameter(),
    )
    return outcome.result


async def save_settings(
    state: CommandState, staff_id: UUID, definition: dict[str, Any], version: int, context: RequestContext
) -> Outcome:
    """The store's rules as they are now. Raises version_mismatch."""
    return await call(
        state.pool,
        "save_settings",
        p_staff_id=staff_id,
        p_definition=definition,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
