"""Bodies and answers of refunds. Amounts are paise, times UTC."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from command_api.schemas.base import Body, Line
from command_api.schemas.inventory import Sku
from command_api.schemas.orders import MAX_AMOUNT, Amount

MAX_LINES = 1000
MAX_UNITS = 100_000


class ReturnLine(Body):
    """Units of one line of the order, named by the line's id or by its SKU."""

    order_item_id: UUID | None = None
    sku: Sku | None = None
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.order_item_id is None) == (self.sku is None):
            raise ValueError("name the line by order_item_id or by sku")
        return self


class RefundLine(ReturnLine):
    """The same, with the choice whether the units go back on the shelf."""

    restock: bool = False


class RefundAtOnce(Body):
    """What the shopper gives back; without lines, everything that is left."""

    lines: Annotated[list[ReturnLine], Field(min_length=1, max_length=MAX_LINES)] | None = None
    reason: Line = "changed_mind"


class RefundRequest(Body):
    """What staff give back: lines (all that are left if none are named) and shipping, or an amount as goodwill.

    To undo a whole order that is not shipped, cancel it: that frees its coupons and stock as well.
    """

    kind: Literal["return", "cancellation", "goodwill"]
    lines: Annotated[list[RefundLine], Field(min_length=1, max_length=MAX_LINES)] | None = None
    shipping_amount: Amount = 0
    amount: Annotated[int, Field(ge=1, le=MAX_AMOUNT)] | None = Field(
        default=None, description="Paise; of a goodwill refund, and of no other."
    )
    reason: Line

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind == "goodwill") != (self.amount is not None):
            raise ValueError("amount goes with the kind goodwill, and only with it")
        if self.kind == "goodwill" and (self.lines is not None or self.shipping_amount):
            raise ValueError("goodwill has no lines and no shipping")
        if self.kind == "cancellation" and self.lines is None:
            raise ValueError("name the lines; to undo all of an order, cancel it")
        return self


class Settlement(Body):
    """How the store paid a refund out itself, such as the bank's reference."""

    reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,99}$")]


class RefundItem(BaseModel):
    """The part of a refund that is for one line."""

    order_item_id: UUID
    sku: str
    quantity: int
    amount: int
    restock: bool
    restocked_quantity: int


class Refund(BaseModel):
    """Money on its way back: `initiated`, `submitted` to the gateway, then `succeeded` or `failed` (still owed)."""

    id: UUID
    order_id: UUID
    order_status: str
    payment_id: UUID
    kind: str
    status: str
    amount: int
    shipping_amount: int
    currency: str
    reason: str
    provider_refund_id: str | None
    failure_code: str | None
    items: list[RefundItem]
    version: int
    created_at: datetime


class Note(Body):
    """What the second person has to say about it."""

    note: Line | None = Field(default=None, examples=["Spoke to the courier: the parcel is lost."])


class ApprovalLine(BaseModel):
    """A line of the order, as the refund will have it."""

    order_item_id: UUID
    sku: str
    quantity: int
    restock: bool


class RefundApproval(BaseModel):
    """A refund that waits for a second person: `pending`, then `approved`, `declined` or `expired`.

    `amount` is the most that an approval pays; nothing has moved before.
    """

    id: UUID
    order_id: UUID
    kind: str
    reason: str
    lines: list[ApprovalLine] | None
    shipping_amount: int
    amount: int
    currency: str
    status: str
    requested_by: UUID
    decided_by: UUID | None
    decided_at: datetime | None
    note: str | None
    refund_id: UUID | None
    expires_at: datetime
    version: int
    created_at: datetime


class DecidedRefund(RefundApproval):
    """The request as it was decided."""

    refund: Refund | None = Field(description="The refund that the approval started.")
