"""Who works for the store: invitations, and how the invited come in; and the store's settings."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header
from starlette.responses import Response

from app.core.http import Context, RequiredVersion, json_response
from app.core.openapi import problems
from app.core.rate_limit import LimitHeaders
from app.core.security import CurrentStaff
from command_api.schemas.auth import LoggedIn, OtpRequest, OtpSent, OtpVerify
from command_api.schemas.staff import Invite, NewInvitation, SavedSettings, SettingsBody, StaffInvitation
from command_api.services import staff as service
from command_api.state import State

router = APIRouter()

UserAgent = Annotated[str | None, Header(include_in_schema=False)]
NO_STORE = {"Cache-Control": "no-store"}
STAFF = ("unauthenticated", "forbidden")


@router.post(
    "/admin/staff/invitations",
    tags=["admin staff"],
    status_code=201,
    response_model=NewInvitation,
    responses=problems(
        *STAFF, "invitation_open", "already_exists", "user_blocked", "invalid_value", "otp_rate_limited"
    ),
)
async def invite_staff(body: Invite, staff: CurrentStaff, state: State, context: Context) -> Response:
    """Invite a phone to work for the store in a role; a code goes to it at once."""
    return json_response(await service.invite(state, staff.user_id, body.phone, body.role, context), 201)


@router.delete(
    "/admin/staff/invitations/{invitation_id}",
    tags=["admin staff"],
    response_model=StaffInvitation,
    responses=problems(*STAFF, "invitation_not_found", "invitation_state"),
)
async def revoke_invitation(invitation_id: UUID, staff: CurrentStaff, state: State, context: Context) -> Response:
    """Take an open invitation back."""
    return json_response(await service.revoke(state, staff.user_id, invitation_id, context))


@router.post(
    "/auth/staff-invitations/otp",
    tags=["auth"],
    status_code=202,
    response_model=OtpSent,
    responses=problems("otp_rate_limited"),
)
async def request_code(body: OtpRequest, context: Context, state: State, headers: LimitHeaders) -> Response:
    """Send a fresh code for an invitation to a phone, invited or not; limited like any other code."""
    return json_response(await service.request_code(state, body.phone, context, headers), 202, headers=NO_STORE)


@router.post(
    "/auth/staff-invitations/accept",
    tags=["auth"],
    response_model=LoggedIn,
    responses=problems("otp_invalid", "otp_expired", "user_blocked", "invitation_not_found", "invitation_state"),
)
async def accept_invitation(body: OtpVerify, context: Context, state: State, user_agent: UserAgent = None) -> Response:
    """Accept an invitation with its code: the answer is a session in the invited role."""
    return json_response(await service.accept(state, body.phone, body.code, user_agent, context), headers=NO_STORE)


@router.put(
    "/admin/settings",
    tags=["admin settings"],
    response_model=SavedSettings,
    responses=problems(*STAFF, "precondition_required", "version_mismatch", "invalid_value"),
)
async def save_settings(
    body: SettingsBody, staff: CurrentStaff, state: State, context: Context, version: RequiredVersion
) -> Response:
    """Replace the store's rules. They hold from the next request on; orders keep what they froze."""
    outcome = await service.save_settings(state, staff.user_id, body.model_dump(mode="json"), version, context)
    return json_response(outcome.result, version=outcome.result["version"])
