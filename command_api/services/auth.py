"""Logging in and out: codes, sessions and their tokens."""

from typing import Any
from uuid import UUID

import psycopg
import structlog

from app.core.errors import Refused
from app.core.http import RequestContext
from app.core.problems import refusal_of
from app.core.rate_limit import RateLimitHeaders, Standing
from app.core.security import OTP_DIGITS, Principal, issue_access_token, new_otp, new_token, otp_hash, sha256
from command_api.services.otp_senders import NotSent
from command_api.services.procedures import call
from command_api.state import CommandState

LOGIN = "login"
RATE_LIMITED = "KI060"

log = structlog.get_logger(__name__)


async def request_otp(
    state: CommandState, phone: str, context: RequestContext, headers: RateLimitHeaders, purpose: str = LOGIN
) -> dict[str, Any]:
    """Keep a new code and send it. The answer is the same whether the phone is known, and whether the SMS got out.

    Raises otp_rate_limited (KI060).
    """
    code = new_otp()
    try:
        outcome = await call(
            state.pool,
            "send_otp",
            p_phone=phone,
            p_purpose=purpose,
            p_code_hash=otp_hash(state.settings, phone, code),
            p_ip=context.ip,
            p_context=context.as_parameter(),
        )
    except psycopg.Error as error:
        refused = refusal_of(error) if error.sqlstate == RATE_LIMITED else None
        if refused is None:
            raise
        _tell_limit(headers, refused.extra)
        raise refused from error
    for limit in outcome.result.pop("limits"):
        headers.add(Standing(**limit))
    await deliver(state, phone, code, outcome.result["expires_in"], context)
    return {"phone": phone, "code_length": OTP_DIGITS} | outcome.result


async def deliver(state: CommandState, phone: str, code: str, expires_in: int, context: RequestContext) -> None:
    """Hand a kept code to its sender; one that does not get out is logged, and another can be asked for."""
    try:
        await state.otp_sender.send(phone, code, expires_in)
    except NotSent as error:
        log.warning("otp_not_sent", reason=str(error), request_id=context.request_id)


def _tell_limit(headers: RateLimitHeaders, extra: dict[str, Any]) -> None:
    headers.add(Standing(extra["limit"], extra["quota"], extra["window"], 0, extra["retry_after"]))


async def verify_otp(
    state: CommandState,
    phone: str,
    code: str,
    cart_token: str | None,
    user_agent: str | None,
    context: RequestContext,
) -> dict[str, Any]:
    """A new session for whoever has the code; a guest's cart goes into the user's.

    Raises otp_invalid (counted), otp_expired, user_blocked.
    """
    refresh_token = new_token()
    outcome = await call(
        state.pool,
        "verify_otp",
        p_phone=phone,
        p_purpose=LOGIN,
        p_code_hash=otp_hash(state.settings, phone, code),
        p_refresh_token_hash=sha256(refresh_token),
        p_guest_token_hash=None if cart_token is None else sha256(cart_token),
        p_user_agent=user_agent,
        p_context=context.as_parameter(),
    )
    return logged_in(state, outcome.result, refresh_token)


async def refresh(state: CommandState, refresh_token: str, context: RequestContext) -> dict[str, Any]:
    """The next tokens of a session. Raises session_invalid, refresh_reused (the session is over), user_blocked."""
    following = new_token()
    try:
        outcome = await call(
            state.pool,
            "refresh_session",
            p_refresh_token_hash=sha256(refresh_token),
            p_new_refresh_token_hash=sha256(following),
            p_context=context.as_parameter(),
        )
    except Refused as refused:
        session_id = refused.extra.pop("session_id", None)
        if session_id is not None:
            await state.revocations.add([UUID(str(session_id))])
        raise
    return tokens(state, outcome.result, following)


async def log_out(state: CommandState, principal: Principal, everywhere: bool, context: RequestContext) -> None:
    """End this session, or all of the user's. Access tokens end with it, where Redis can tell."""
    outcome = await call(
        state.pool,
        "revoke_session",
        p_user_id=principal.user_id,
        p_session_id=None if everywhere else principal.session_id,
        p_context=context.as_parameter(),
    )
    await state.revocations.add([UUID(session_id) for session_id in outcome.result["session_ids"]])


def logged_in(state: CommandState, result: dict[str, Any], refresh_token: str) -> dict[str, Any]:
    """The tokens of a new session, and what became of a guest's cart."""
    more = {name: result[name] for name in ("is_new_user", "cart_id", "left_behind")}
    return tokens(state, result, refresh_token) | more


def tokens(state: CommandState, result: dict[str, Any], refresh_token: str) -> dict[str, Any]:
    """The tokens of a session that a procedure made or renewed."""
    user_id, session_id, role = UUID(result["user_id"]), UUID(result["session_id"]), result["role"]
    return {
        "access_token": issue_access_token(state.settings, user_id, session_id, role),
        "token_type": "Bearer",
        "expires_in": state.settings.access_token_seconds,
        "refresh_token": refresh_token,
        "refresh_expires_in": result["refresh_expires_in"],
        "user_id": user_id,
        "role": role,
    }
