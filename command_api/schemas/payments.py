"""Bodies and answers of payments, and the events that gateways send. Amounts are paise, times UTC."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from command_api.schemas.orders import MAX_AMOUNT

ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
# The separator of what is signed can't be part of it.
GatewayId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Paid = Annotated[int, Field(strict=True, ge=1, le=MAX_AMOUNT, description="Paise.")]
Text = Annotated[str, StringConstraints(max_length=200)]


class PaymentRequest(BaseModel):
    """How the shopper wants to pay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["upi", "card", "netbanking", "wallet"]
    provider: ProviderName = Field(examples=["sandbox"])


class PaymentProof(BaseModel):
    """What the gateway gave the shopper's client. `signature` is HMAC-SHA256, in hex, of
    `{payment_id}|{provider_payment_id}|{amount}|{currency}` with the secret that provider and store share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider_payment_id: GatewayId
    amount: Paid
    currency: Currency = Field(examples=["INR"])
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Payment(BaseModel):
    """An attempt to pay an order. Give `id` to the gateway as the reference; it is good until `expires_at`."""

    id: UUID
    order_id: UUID
    order_status: str
    order_payment_status: str
    attempt_no: int
    method: str
    provider: str
    provider_payment_id: str | None
    amount: int
    captured_amount: int
    currency: str
    status: str
    failure_code: str | None
    expires_at: datetime | None
    version: int
    created_at: datetime


class VerifiedPayment(Payment):
    """The same after verification. A payment that came too late is captured as well, and on its way back."""

    outcome: Literal["captured", "already_captured"]


class GatewayEvent(BaseModel):
    """An event of a gateway. Types it may have beyond the four that are known are kept, and ignored."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: GatewayId
    type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = Field(
        examples=["payment.captured", "payment.failed", "refund.processed", "refund.failed"]
    )


class KnownEvent(GatewayEvent):
    """An event that changes something, or that matches nothing and is kept as such."""

    type: Literal["payment.captured", "payment.failed", "refund.processed", "refund.failed"]
    payment_id: Text | None = Field(default=None, description="Our payment's id, given to the gateway as reference.")
    refund_id: Text | None = Field(default=None, description="Our refund's id.")
    provider_payment_id: GatewayId | None = None
    provider_refund_id: GatewayId | None = None
    amount: Paid | None = None
    currency: Currency | None = None
    failure_code: Text | None = None

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        needed = {
            "payment.captured": ("provider_payment_id", "amount", "currency"),
            "refund.processed": ("provider_refund_id", "amount", "currency"),
        }
        missing = [name for name in needed.get(self.type, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.type} needs {', '.join(missing)}")
        return self


class EventReceipt(BaseModel):
    """What became of an event. `duplicate` is an event that was received before: its outcome then is given."""

    event_id: str
    outcome: Literal[
        "captured",
        "already_captured",
        "mismatched",
        "failed",
        "refunded",
        "refund_failed",
        "ignored",
        "unmatched",
    ]
    duplicate: bool
