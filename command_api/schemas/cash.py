"""Bodies and answers of staff's work on cash that couriers took at the door. Amounts in paise."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from app.utils.times import Moment
from command_api.schemas.base import Body, Label, Line
from command_api.schemas.money import Reason

Courier = Label
Reference = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[!-~]{1,100}$")]
Amount = Annotated[int, Field(ge=0, le=10**12)]
EXAMPLE = [{"tracking_number": "BD123456789IN", "amount": 97_500, "fee": 2_500}]


class RemittanceLine(Body):
    """What was paid for one order, by its parcel's tracking number or its own number."""

    tracking_number: Line | None = None
    order_number: Line | None = None
    amount: Amount = Field(description="What arrived for the order.")
    fee: Amount = Field(default=0, description="What the courier kept of its cash.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.tracking_number is None and self.order_number is None:
            raise ValueError("a line names a tracking_number or an order_number")
        if self.amount + self.fee == 0:
            raise ValueError("a line is about an amount")
        return self


class RemittanceBody(Body):
    """What a courier paid out at one time. Larger ones than a request may be: `kirana cod settle`."""

    courier: Courier = Field(examples=["BlueDart"], description="As the shipments name their carrier; case is nothing.")
    reference: Reference = Field(examples=["BDCOD20261120"], description="The courier's own, or the bank's UTR.")
    received_at: Moment | None = Field(default=None, description="When the money arrived; now, by default.")
    lines: Annotated[list[RemittanceLine], Field(min_length=1, max_length=1000)] = Field(examples=[EXAMPLE])


class Remittance(BaseModel):
    """What came of a remittance: `lines` counts verdicts, `differing` all but `matched`."""

    id: UUID
    courier: str
    reference: str
    amount: int = Field(description="What arrived: the sum of the lines.")
    fee: int
    currency: str
    line_count: int
    received_at: datetime
    status: str
    lines: dict[str, int]
    applied: int = Field(description="How much of amount and fee brought down what the courier owed.")
    differing: int


class CashClosing(Body):
    """What became of a line that differs."""

    note: Reason = Field(examples=["The courier pays the rest with the next remittance: ticket 4711."])
    accept: bool = Field(
        default=False, description="Of `other_courier`: it was this courier who took the cash; book the line."
    )


class ClosedCashLine(BaseModel):
    """A line that nobody need look at any more, or one that was booked after all."""

    id: int
    remittance_id: UUID
    order_id: UUID | None
    status: str
    due: int | None
    applied_amount: int
    applied_fee: int
    resolution: str | None
    note: str


class WriteOff(Body):
    """Why the rest of the cash will not come."""

    note: Reason = Field(examples=["The courier's rider was robbed: police report 12/2026."])


class Cash(BaseModel):
    """The cash of one order: what was taken, and what became of it."""

    order_id: UUID
    courier: str | None
    amount: int
    remitted: int
    fee: int
    written_off: int
    outstanding: int
    currency: str
    version: int
