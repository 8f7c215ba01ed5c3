"""Bodies and answers of /auth."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app.utils.phones import MobilePhone
from command_api.schemas.base import Body

RefreshToken = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,128}$")]


class OtpRequest(Body):
    """Ask for a code; a number without a country code is an Indian one."""

    phone: MobilePhone = Field(examples=["+919876543210"])


class OtpSent(BaseModel):
    """The same for a phone that is known and one that is not. Times in seconds."""

    phone: str = Field(description="E.164: what the code was sent to, and what to verify it with.")
    code_length: int
    expires_in: int
    resend_in: int = Field(description="How long to wait before another code may be asked for.")


class OtpVerify(Body):
    """The code that came, for the phone it came to."""

    phone: MobilePhone = Field(examples=["+919876543210"])
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] = Field(examples=["123456"])


class RefreshRequest(Body):
    """The refresh token given last; it is good once."""

    refresh_token: RefreshToken


class Tokens(BaseModel):
    """A session's tokens. Times in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 — the scheme's name
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    user_id: UUID
    role: str | None = Field(description="The staff role; null for a shopper.")


class LeftBehind(BaseModel):
    """Units of a guest's cart that the shopper's cart had no room for."""

    sku: str
    quantity: int


class LoggedIn(Tokens):
    """The tokens of a new session."""

    is_new_user: bool
    cart_id: UUID | None = Field(description="The cart that the guest's cart went into, when there was one.")
    left_behind: list[LeftBehind] = Field(
        description="What of the guest's cart found no room there: a cart has so many lines, a line so many units."
    )
