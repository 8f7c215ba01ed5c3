"""Bodies and answers of invitations and of the store's settings. Amounts are paise, times seconds or UTC."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from app.utils.phones import MobilePhone
from app.utils.states import StateCode
from command_api.schemas.base import Body, Name, one_line
from command_api.schemas.catalog import StaffRole
from command_api.schemas.orders import MAX_AMOUNT, Amount

MINUTE, HOUR, DAY = 60, 3600, 86_400
YEAR = 366 * DAY
GSTIN = r"^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]$"


class Invite(Body):
    """Whom to invite, and into which role."""

    phone: MobilePhone = Field(examples=["+919876543210"])
    role: StaffRole = Field(examples=["support"])


class StaffInvitation(BaseModel):
    """An invitation: `open`, then `accepted`, `revoked` or `expired`."""

    id: UUID
    phone: str
    role: StaffRole
    status: Literal["open", "accepted", "revoked", "expired"]
    invited_by: UUID
    accepted_by: UUID | None
    expires_at: datetime
    closed_at: datetime | None
    created_at: datetime


class NewInvitation(StaffInvitation):
    """The invitation, and how long the code that went out with it is good."""

    code_expires_in: int = Field(description="Seconds; after that a fresh code is asked for.")


class SettingsBody(Body):
    """All of the store's rules. A PUT says every one of them, so that nothing changes unseen."""

    seller_state_code: StateCode = Field(description="The seller's state: decides CGST and SGST, or IGST.")
    hold_seconds: Annotated[int, Field(ge=MINUTE, le=DAY)] = Field(description="How long stock waits for payment.")
    max_cart_lines: Annotated[int, Field(ge=1, le=10_000)]
    max_line_quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    max_cart_coupons: Annotated[int, Field(ge=1, le=20)]
    cod_max_total: Amount = Field(description="The most that is taken in cash at the door.")
    otp_seconds: Annotated[int, Field(ge=30, le=HOUR)]
    otp_max_attempts: Annotated[int, Field(ge=1, le=20)]
    otp_resend_seconds: Annotated[int, Field(ge=0, le=HOUR)]
    otp_per_phone_hour: Annotated[int, Field(ge=1, le=100)]
    otp_per_ip_hour: Annotated[int, Field(ge=1, le=100_000)]
    session_seconds: Annotated[int, Field(ge=HOUR, le=YEAR)]
    idempotency_seconds: Annotated[int, Field(ge=DAY, le=YEAR)]
    return_window_seconds: Annotated[int, Field(ge=0, le=YEAR)]
    refund_approval_above: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = Field(
        description="Refunds by staff above this need a second person; null turns the rule off."
    )
    refund_approval_seconds: Annotated[int, Field(ge=HOUR, le=YEAR)]
    invitation_seconds: Annotated[int, Field(ge=HOUR, le=YEAR)]
    low_stock_threshold: Annotated[int, Field(ge=0, le=1_000_000)]
    returns_need_approval: bool = Field(description="Whether somebody looks at a return before the goods may come.")
    seller_name: Name = Field(description="The legal name on invoices.")
    seller_gstin: Annotated[str, StringConstraints(pattern=GSTIN)] | None = Field(
        description="The seller's GST registration in `seller_state_code`; null for a seller who has none."
    )
    seller_address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(one_line)]
    reviews_need_moderation: bool = Field(description="Whether somebody reads a review before shoppers do.")


class StoreSettings(SettingsBody):
    """The rules as they are. ``version`` is the ETag."""

    version: int
    updated_at: datetime


class SavedSettings(StoreSettings):
    """The rules after the change."""

    changed: bool
