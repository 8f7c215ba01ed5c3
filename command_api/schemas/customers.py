"""Bodies and answers of what staff and shoppers do about an account."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from command_api.schemas.auth import OtpVerify
from command_api.schemas.base import Body, Line


class BlockReason(Body):
    """Why; it stands in the audit log."""

    reason: Line = Field(examples=["Three orders refused at the door."])


class CustomerStatus(BaseModel):
    """Whether a customer may use the store. ``version`` is the ETag."""

    id: UUID
    status: Literal["active", "blocked"]
    version: int


class ErasureRequest(OtpVerify):
    """The account's own phone, and a login code that was asked for just now."""


class Erased(BaseModel):
    """What was done; nothing leads from here to a person any more."""

    user_id: UUID
    erased_at: datetime
    orders: int = Field(description="Orders that were reduced to what the books need.")
