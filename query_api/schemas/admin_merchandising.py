"""What the GETs of merchandising answer to staff. Amounts are paise."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class AdminPrice(BaseModel):
    """A price of a SKU: `scheduled` is to come, `applied` took effect, `cancelled` never did."""

    id: int
    price: int
    mrp: int
    currency: str
    status: Literal["scheduled", "applied", "cancelled"]
    is_current: bool = Field(description="Whether it is what the SKU costs now.")
    effective_from: datetime
    changed_by: UUID | None
    changed_by_name: str | None
    reason: str | None
    created_at: datetime


class AdminPriceList(BaseModel):
    """A page of a SKU's prices, the latest to take effect first."""

    items: list[AdminPrice]
    next_cursor: str | None
