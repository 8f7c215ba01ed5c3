"""Bodies and answers of returns. Amounts are paise, times UTC."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.models.words import CONDITIONS, RETURN_REASONS
from app.utils.times import Moment
from command_api.schemas.base import Body, Line
from command_api.schemas.inventory import Sku
from command_api.schemas.orders import Amount
from command_api.schemas.refunds import MAX_LINES, MAX_UNITS, Refund, ReturnLine

MAX_PHOTOS = 10
Reason = Literal[RETURN_REASONS]  # type: ignore[valid-type]
Condition = Literal[CONDITIONS]  # type: ignore[valid-type]
PhotoUrl = Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]+)?/[!-~]*$", max_length=500)]


class AskedLine(ReturnLine):
    """Units of one line, and for an exchange what is wanted instead: the same SKU, unless one is named."""

    exchange_sku: Sku | None = None


class ReturnRequest(Body):
    """What the shopper wants to give back, why, and what for. Without lines, everything that is left."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "resolution": "exchange",
                    "reason_code": "size_or_fit",
                    "reason": "A size too small",
                    "lines": [{"sku": "TEE-RED-M", "quantity": 1, "exchange_sku": "TEE-RED-L"}],
                }
            ]
        }
    )

    lines: Annotated[list[AskedLine], Field(min_length=1, max_length=MAX_LINES)] | None = None
    resolution: Literal["refund", "exchange"] = "refund"
    reason_code: Reason
    reason: Line | None = Field(default=None, description="In the shopper's own words.")
    photo_urls: Annotated[list[PhotoUrl], Field(max_length=MAX_PHOTOS)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _exchanges_are_exchanges(self) -> Self:
        if self.resolution == "refund" and any(line.exchange_sku is not None for line in self.lines or ()):
            raise ValueError("exchange_sku goes with the resolution exchange")
        return self


class Approval(Body):
    """Let the goods come, or give the money back without them."""

    note: Line | None = Field(default=None, description="For the shopper.")
    refund_without_return: bool = Field(default=False, description="The shopper keeps the goods and has the money.")
    shipping_amount: Amount = Field(default=0, description="Paise of the delivery charge to give back with it.")

    @model_validator(mode="after")
    def _shipping_needs_a_refund(self) -> Self:
        if self.shipping_amount and not self.refund_without_return:
            raise ValueError("shipping_amount goes with refund_without_return; else it is told with the receipt")
        return self


class Rejection(Body):
    """Why the goods are not taken back."""

    note: Line = Field(description="For the shopper.", examples=["The seal was broken."])


class Dispatch(Body):
    """How the goods come back: a pick-up, a courier's number, or both."""

    carrier: Line | None = Field(default=None, examples=["Delhivery"])
    tracking_number: Line | None = Field(default=None, examples=["DL123456789"])
    pickup_at: Moment | None = None


class Withdrawal(Body):
    """Why nothing will come back after all."""

    note: Line | None = None


class ReceivedLine(Body):
    """What came of one line, and in which state. `restock` by default as the state says."""

    order_item_id: UUID
    quantity: Annotated[int, Field(ge=0, le=MAX_UNITS)]
    condition: Condition = "sellable"
    restock: bool | None = Field(default=None, description="Whether the units go back on the shelf.")
    note: Line | None = None


class Receipt(Body):
    """What came back. Without lines, all of it, fit for sale; a line that is not named did not come."""

    lines: Annotated[list[ReceivedLine], Field(min_length=1, max_length=MAX_LINES)] | None = None
    shipping_amount: Amount = Field(
        default=0, description="Paise of the delivery charge to give back with a refund; an exchange gives none."
    )


class ReturnItem(BaseModel):
    """One line of the return."""

    order_item_id: UUID
    sku: str
    title: str
    quantity: int
    exchange_sku: str | None
    received_quantity: int | None
    condition: str | None
    restock: bool | None
    inspection_note: str | None


class Return(BaseModel):
    """A return as it now is. `version` is its ETag; `settled_as` is what came of it, `refund` what was started now."""

    id: UUID
    number: str
    order_id: UUID
    order_status: str
    status: str
    resolution: str
    reason_code: str
    reason: str | None
    photo_urls: list[str]
    decision_note: str | None
    carrier: str | None
    tracking_number: str | None
    pickup_at: datetime | None
    settled_as: str | None
    settled_reason: str | None
    refund_id: UUID | None
    replacement_order_id: UUID | None
    items: list[ReturnItem]
    refund: Refund | None = None
    version: int
    created_at: datetime
    updated_at: datetime
    decided_at: datetime | None
    received_at: datetime | None
    closed_at: datetime | None
