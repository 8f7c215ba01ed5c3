"""What the GETs about staff, customers, refund requests and settings answer. Amounts in paise, times in seconds."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from query_api.schemas.accounts import AddressCard


class StaffRole(BaseModel):
    """A role, what it may do, and how many people work in it."""

    role: str
    permissions: list[str]
    members: int


class StaffRoleList(BaseModel):
    """All roles, the owner first."""

    items: list[StaffRole]
    next_cursor: None = None


class AdminInvitation(BaseModel):
    """An invitation to work for the store."""

    id: UUID
    phone: str
    role: str
    status: str
    invited_by: UUID
    accepted_by: UUID | None
    expires_at: datetime
    closed_at: datetime | None
    created_at: datetime


class AdminInvitationList(BaseModel):
    """A page of invitations."""

    items: list[AdminInvitation]
    next_cursor: str | None


class AdminRefundApproval(BaseModel):
    """A refund that waits, or waited, for a second person. ``version`` is the ETag."""

    id: UUID
    order_id: UUID
    order_number: str
    kind: str
    reason: str
    lines: list[dict[str, Any]] | None
    shipping_amount: int
    amount: int
    currency: str
    status: str
    requested_by: UUID
    decided_by: UUID | None
    decided_at: datetime | None
    note: str | None
    refund_id: UUID | None
    expires_at: datetime
    version: int
    created_at: datetime


class AdminRefundApprovalList(BaseModel):
    """A page of refund requests."""

    items: list[AdminRefundApproval]
    next_cursor: str | None


class AdminCustomerRow(BaseModel):
    """A customer in the list."""

    id: UUID
    phone: str | None
    email: str | None
    full_name: str | None
    status: str
    marketing_opt_in: bool
    staff_role: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class AdminCustomerList(BaseModel):
    """A page of customers."""

    items: list[AdminCustomerRow]
    next_cursor: str | None


class OrderSummary(BaseModel):
    """A customer's orders in numbers."""

    orders: int
    fallen_through: int
    returned: int
    paid: int
    refunded: int
    refund_pending: int
    first_order_at: datetime | None
    last_order_at: datetime | None


class CustomerOrder(BaseModel):
    """One of a customer's latest orders."""

    id: UUID
    number: str
    status: str
    payment_status: str
    payment_method: str
    currency: str
    grand_total: int
    refunded_total: int
    attention: str | None
    created_at: datetime


class AdminCustomer(AdminCustomerRow):
    """A customer with addresses and orders. ``version`` is the ETag."""

    addresses: list[AddressCard]
    summary: OrderSummary
    latest_orders: list[CustomerOrder]


class AdminSettings(BaseModel):
    """The store's rules. ``version`` is the ETag."""

    seller_state_code: str
    hold_seconds: int
    max_cart_lines: int
    max_line_quantity: int
    max_cart_coupons: int
    cod_max_total: int
    otp_seconds: int
    otp_max_attempts: int
    otp_resend_seconds: int
    otp_per_phone_hour: int
    otp_per_ip_hour: int
    session_seconds: int
    idempotency_seconds: int
    return_window_seconds: int
    refund_approval_above: int | None
    refund_approval_seconds: int
    invitation_seconds: int
    low_stock_threshold: int
    returns_need_approval: bool
    seller_name: str
    seller_gstin: str | None
    seller_address: str
    reviews_need_moderation: bool
    version: int
    updated_at: datetime


class CustomerData(BaseModel):
    """All that is kept of the caller. Amounts in paise."""

    profile: dict[str, Any]
    addresses: list[dict[str, Any]]
    carts: list[dict[str, Any]]
    wishlist: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    payment_events: list[dict[str, Any]]
    reviews: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    codes: list[dict[str, Any]]
