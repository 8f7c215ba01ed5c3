"""Bodies and answers of merchandising: prices to come that are called off. Amounts are paise."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel


class CancelledPrice(BaseModel):
    """A price that was to come and does not; `changed` is false where it was called off before."""

    id: int
    sku: str
    price: int
    mrp: int
    status: Literal["cancelled"]
    effective_from: datetime
    changed: bool
