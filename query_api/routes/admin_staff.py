"""GET for whoever runs the team: roles, invitations, refunds that wait for a second person, customers, settings."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import admin_staff, customers
from query_api.repositories.admin import Versioned
from query_api.responses import page, private
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import admin_staff as schemas
from query_api.state import QueryState

router = APIRouter(prefix="/admin", responses=problems(*REFUSALS))

InvitationStatus = Literal["open", "accepted", "revoked", "expired"]
ApprovalStatus = Literal["pending", "approved", "declined", "expired"]
CustomerStatus = Literal["active", "blocked", "erased"]
Beginning = Annotated[Token | None, Query(min_length=3, description="How it begins; at least three characters.")]

Staff = Annotated[QueryState, allowed("staff.read")]
Approvals = Annotated[QueryState, allowed("refunds.approve", "orders.read")]
Customers = Annotated[QueryState, allowed("customers.read")]
Settings = Annotated[QueryState, allowed("settings.write", "orders.read")]


@router.get("/roles", tags=["admin staff"], response_model=schemas.StaffRoleList)
async def roles(state: Staff) -> Response:
    """Every role, and the permissions it has."""
    return private(page(await admin_staff.roles(state.primary), None))


@router.get("/staff/invitations", tags=["admin staff"], response_model=schemas.AdminInvitationList)
async def invitations(
    state: Staff, status: InvitationStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Invitations, newest first."""
    fetch = lambda *at: admin_staff.invitations(state.primary, status, *at)  # noqa: E731
    return private(await pages.listed(state, f"invitations:{status}", fetch, limit, cursor))


@router.get("/refund-approvals", tags=["admin refunds"], response_model=schemas.AdminRefundApprovalList)
async def refund_approvals(
    state: Approvals, status: ApprovalStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Refunds that wait, or waited, for a second person, newest first."""
    fetch = lambda *at: admin_staff.refund_approvals(state.primary, status, *at)  # noqa: E731
    return private(await pages.listed(state, f"refund-approvals:{status}", fetch, limit, cursor))


@router.get(
    "/refund-approvals/{approval_id}",
    tags=["admin refunds"],
    response_model=schemas.AdminRefundApproval,
    responses=problems(*REFUSALS, "refund_approval_not_found"),
)
async def refund_approval(state: Approvals, approval_id: UUID) -> Response:
    """A refund that waits, or waited, for a second person."""
    return _found(await admin_staff.refund_approval(state.primary, approval_id), "refund_approval_not_found")


@router.get("/customers", tags=["admin customers"], response_model=schemas.AdminCustomerList)
async def list_customers(
    state: Customers,
    phone: Beginning = None,
    email: Beginning = None,
    name: Beginning = None,
    status: CustomerStatus | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Customers, newest first, found by how their phone (E.164), e-mail or name begins; erased ones when asked for."""
    asked = {"phone": phone, "email": email, "name": name}
    prefixes = {field: text for field, text in asked.items() if text is not None}
    fetch = lambda *at: customers.customers(state.primary, prefixes, status, *at)  # noqa: E731
    return private(await pages.listed(state, f"customers:{prefixes}:{status}", fetch, limit, cursor))


@router.get(
    "/customers/{user_id}",
    tags=["admin customers"],
    response_model=schemas.AdminCustomer,
    responses=problems(*REFUSALS, "user_not_found"),
)
async def customer(state: Customers, user_id: UUID) -> Response:
    """A customer with addresses, orders in numbers, and the latest twenty of them; the ETag is for If-Match."""
    return _found(await customers.customer(state.primary, user_id), "user_not_found")


@router.get("/settings", tags=["admin settings"], response_model=schemas.AdminSettings)
async def settings(state: Settings) -> Response:
    """The store's rules; the ETag is what If-Match of the PUT takes."""
    return _found(await admin_staff.settings(state.primary), "not_found")


def _found(document: Versioned | None, missing: str) -> Response:
    if document is None:
        raise Refused(missing)
    return private(document.body, version=document.version)
