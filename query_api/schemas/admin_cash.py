"""What the GETs about cash at the door answer. Amounts in paise."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field


class AdminRemittance(BaseModel):
    """What a courier paid out at one time. `lines` counts its verdicts as they are now."""

    id: UUID
    courier: str
    reference: str
    amount: int
    fee: int
    currency: str
    line_count: int
    status: str = Field(description="`open` while its lines come in, then `settled`.")
    received_at: datetime
    recorded_by: UUID
    lines: dict[str, int]
    applied: int = Field(description="How much of amount and fee brought down what the courier owed.")
    open_lines: int = Field(description="Lines that differ and that nothing has explained.")
    created_at: datetime
    settled_at: datetime | None


class AdminRemittanceList(BaseModel):
    """A page of remittances."""

    items: list[AdminRemittance]
    next_cursor: str | None


class AdminRemittanceLine(BaseModel):
    """One order of a remittance beside what was taken at its door."""

    id: int
    remittance_id: UUID
    courier: str
    reference: str
    line_no: int
    tracking_number: str | None
    order_number: str | None
    amount: int
    fee: int
    currency: str
    status: str
    order_id: UUID | None
    our_order_number: str | None
    our_courier: str | None = Field(description="Who has the cash, as far as we know.")
    collected: int | None = Field(description="What was taken at the door; null when nothing is booked yet.")
    outstanding: int | None = Field(description="What is left of it now.")
    due: int | None = Field(description="What was left of it before this line.")
    applied_amount: int
    applied_fee: int
    resolution: str | None = Field(description="paid_later, written_off, or closed by a person.")
    note: str | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    created_at: datetime


class AdminRemittanceLineList(BaseModel):
    """A page of lines."""

    items: list[AdminRemittanceLine]
    next_cursor: str | None


class AdminCash(BaseModel):
    """The cash of one order; `version` is what If-Match takes to write it off."""

    order_id: UUID
    order_number: str
    shipment_id: UUID | None
    tracking_number: str | None
    courier: str | None
    amount: int
    remitted: int
    fee: int
    written_off: int
    outstanding: int
    currency: str
    days: int = Field(description="Since it was taken.")
    version: int
    collected_at: datetime
    updated_at: datetime


class AdminCashList(BaseModel):
    """A page of orders' cash."""

    items: list[AdminCash]
    next_cursor: str | None


class OwedByCourier(BaseModel):
    """What a courier still owes, by the age of the cash; `courier` is null where nobody said who brought it."""

    courier: str | None
    currency: str
    orders: int
    outstanding: int
    oldest_at: datetime
    up_to_7_days: int
    up_to_14_days: int
    up_to_30_days: int
    over_30_days: int


class OwedByCourierList(BaseModel):
    """A page of couriers."""

    items: list[OwedByCourier]
    next_cursor: str | None
