"""Bodies and answers of coupons as staff sees them. Amounts are paise, rates basis points (1000 = 10 %)."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.utils.times import Moment
from command_api.schemas.base import Body, Line, Name, Slug

MAX_PAISE = 10**12
MAX_COUNT = 2**31 - 1
Paise = Annotated[int, Field(ge=1, le=MAX_PAISE)]
Rate = Annotated[int, Field(ge=1, le=10_000)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Units = Annotated[int, Field(ge=1, le=1000)]
Targets = Annotated[list[Slug], Field(max_length=500)]
Kind = Literal["percent", "fixed", "free_shipping", "buy_x_get_y"]
Scope = Literal["all", "categories", "products"]

OF_KIND: dict[str, tuple[str, ...]] = {
    "percent": ("percent_bp",),
    "fixed": ("amount",),
    "free_shipping": (),
    "buy_x_get_y": ("buy_quantity", "get_quantity", "get_percent_bp"),
}


class CouponDefinition(Body):
    """All that is said about a coupon; what is left out gets its default.

    ``buy_x_get_y``: for every ``buy_quantity + get_quantity`` units in the cart, the ``get_quantity`` cheapest are
    ``get_percent_bp`` cheaper. ``categories`` count with their descendants.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "10 % off the first order",
                    "kind": "percent",
                    "percent_bp": 1000,
                    "max_discount": 25000,
                    "first_order_only": True,
                    "per_user_limit": 1,
                    "is_public": True,
                }
            ]
        }
    )

    name: Name
    description: Line | None = None
    kind: Kind
    percent_bp: Rate | None = None
    amount: Paise | None = None
    buy_quantity: Units | None = None
    get_quantity: Units | None = None
    get_percent_bp: Rate | None = None
    max_discount: Paise | None = Field(default=None, description="The most it takes off one order.")
    min_subtotal: Annotated[int, Field(ge=0, le=MAX_PAISE)] = 0
    starts_at: Moment | None = Field(default=None, description="From when on; now, if it is left out.")
    ends_at: Moment | None = None
    usage_limit: Count | None = Field(default=None, description="Uses by all shoppers together.")
    per_user_limit: Count | None = None
    scope: Scope = "all"
    categories: Targets = Field(default_factory=list)
    products: Targets = Field(default_factory=list)
    first_order_only: bool = False
    stackable: bool = Field(default=False, description="Whether it goes together with others that are stackable.")
    is_public: bool = Field(default=False, description="Whether shoppers see it listed.")
    is_active: bool = True

    @model_validator(mode="after")
    def _members_fit_the_kind(self) -> Self:
        for kind, members in OF_KIND.items():
            for member in members:
                if (getattr(self, member) is not None) != (kind == self.kind):
                    raise ValueError(f"{member} goes with the kind {kind}, and only with it")
        for scope in ("categories", "products"):
            if bool(getattr(self, scope)) != (self.scope == scope):
                raise ValueError(f"{scope} go with the scope {scope}, and only with it")
        if self.starts_at is not None and self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be after starts_at")
        return self


class Coupon(BaseModel):
    """A coupon. ``version`` is its ETag; its uses are counted only while there is a ``usage_limit``."""

    id: UUID
    code: str
    name: str
    description: str | None
    kind: Kind
    percent_bp: int | None
    amount: int | None
    buy_quantity: int | None
    get_quantity: int | None
    get_percent_bp: int | None
    max_discount: int | None
    min_subtotal: int
    starts_at: datetime
    ends_at: datetime | None
    usage_limit: int | None
    per_user_limit: int | None
    used_count: int | None
    scope: Scope
    categories: list[str]
    products: list[str]
    first_order_only: bool
    stackable: bool
    is_public: bool
    is_active: bool
    version: int
