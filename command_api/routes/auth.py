"""Logging in by one-time password, keeping a session, and ending it."""

from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from app.core.http import Context, json_response
from app.core.openapi import problems
from app.core.rate_limit import LimitHeaders
from app.core.security import CurrentPrincipal
from command_api.schemas.auth import LoggedIn, OtpRequest, OtpSent, OtpVerify, RefreshRequest, Tokens
from command_api.services import auth
from command_api.state import State

router = APIRouter(prefix="/auth", tags=["auth"])

CartToken = Annotated[str | None, Header(alias="X-Cart-Token", min_length=16, max_length=128)]
UserAgent = Annotated[str | None, Header(include_in_schema=False)]
NO_STORE = {"Cache-Control": "no-store"}


@router.post("/otp", status_code=202, response_model=OtpSent, responses=problems("otp_rate_limited"))
async def request_otp(body: OtpRequest, context: Context, state: State, headers: LimitHeaders) -> Response:
    """Send a one-time password to a phone, known or not; RateLimit says how many are left this hour."""
    return json_response(await auth.request_otp(state, body.phone, context, headers), 202, headers=NO_STORE)


@router.post("/otp/verify", response_model=LoggedIn, responses=problems("otp_invalid", "otp_expired", "user_blocked"))
async def verify_otp(
    body: OtpVerify, context: Context, state: State, cart_token: CartToken = None, user_agent: UserAgent = None
) -> Response:
    """Log in with the code; the first time makes the user. With X-Cart-Token, the guest's cart becomes the user's."""
    answer = await auth.verify_otp(state, body.phone, body.code, cart_token, user_agent, context)
    return json_response(answer, headers=NO_STORE)


@router.post("/refresh", response_model=Tokens, responses=problems("session_invalid", "refresh_reused", "user_blocked"))
async def refresh_session(body: RefreshRequest, context: Context, state: State) -> Response:
    """Change a refresh token for new tokens. A refresh token that comes twice ends its session."""
    return json_response(await auth.refresh(state, body.refresh_token, context), headers=NO_STORE)


@router.post("/logout", status_code=204, responses=problems("unauthenticated"))
async def log_out(
    principal: CurrentPrincipal,
    context: Context,
    state: State,
    everywhere: Annotated[bool, Query(alias="all", description="End all sessions of this user.")] = False,
) -> Response:
    """End this session, or with all=true every session of the user."""
    await auth.log_out(state, principal, everywhere, context)
    return Response(status_code=204)
