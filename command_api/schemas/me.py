"""Bodies and answers of the shopper's own data: profile, addresses, wishlist."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from app.utils.phones import Phone
from app.utils.states import StateCode
from command_api.schemas.base import Body, Label, Line, Name, one_line

Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$"),
    AfterValidator(one_line),
]
Pincode = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[1-9][0-9]{5}$")]


class ProfileChange(Body):
    """What to change; a member that is absent stays, null clears."""

    full_name: Name | None = None
    email: Email | None = None
    marketing_opt_in: bool = False

    @model_validator(mode="after")
    def _something(self) -> "ProfileChange":
        if not self.model_fields_set:
            raise ValueError("must change at least one member")
        return self


class Profile(BaseModel):
    """A user, as that user sees it. ``version`` is the ETag."""

    id: UUID
    phone: str
    full_name: str | None
    email: str | None
    marketing_opt_in: bool
    default_address_id: UUID | None
    version: int
    created_at: datetime
    updated_at: datetime


class AddressFields(Body):
    """A delivery address in India."""

    label: Label | None = Field(default=None, examples=["Home"])
    recipient_name: Name
    phone: Phone = Field(description="Whom the courier calls.", examples=["+919876543210"])
    line1: Line
    line2: Line | None = None
    landmark: Line | None = None
    city: Name
    state_code: StateCode = Field(description="ISO 3166-2 code of the state, without IN-.", examples=["KA"])
    pincode: Pincode = Field(examples=["560001"])
    country: Literal["IN"] = "IN"


class NewAddress(AddressFields):
    """A delivery address to add; the first one becomes the default."""

    is_default: bool = False


class Address(BaseModel):
    """A delivery address of the user."""

    id: UUID
    label: str | None
    recipient_name: str
    phone: str
    line1: str
    line2: str | None
    landmark: str | None
    city: str
    state_code: str
    pincode: str
    country: str
    is_default: bool
    created_at: datetime
    updated_at: datetime
