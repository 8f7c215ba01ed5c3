"""What a payment gateway answers when it is asked (docs/payment-protocol.md). Amounts are paise."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from command_api.schemas.payments import Currency, GatewayId, Paid, Text


class GatewayPayment(BaseModel):
    """A payment as its gateway knows it."""

    model_config = ConfigDict(frozen=True)

    provider_payment_id: GatewayId
    status: Literal["captured", "failed", "pending"]
    amount: Paid
    currency: Currency
    failure_code: Text | None = None


class PaymentAnswer(BaseModel):
    """What a gateway knows of one attempt: every payment made for it, and whether one may still be made."""

    model_config = ConfigDict(frozen=True)

    payments: Annotated[tuple[GatewayPayment, ...], Field(max_length=100)]
    open: bool


class RefundAnswer(BaseModel):
    """What a gateway knows of a refund."""

    model_config = ConfigDict(frozen=True)

    status: Literal["processed", "failed", "pending", "unknown"]
    provider_refund_id: GatewayId | None = None
    amount: Paid | None = None
    currency: Currency | None = None
    failure_code: Text | None = None

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        if self.status == "processed" and None in {self.provider_refund_id, self.amount, self.currency}:
            raise ValueError("a processed refund needs provider_refund_id, amount, currency")
        return self
