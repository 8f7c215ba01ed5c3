"""Bodies and answers of checkout and orders. Amounts are paise, times UTC."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from command_api.schemas.base import Body, Line

MAX_AMOUNT = 10**15
Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT, description="Paise.")]


class CheckoutRequest(Body):
    """What to do with the open cart."""

    address_id: UUID
    payment_method: Literal["prepaid", "cod"]
    expected_total: Amount | None = Field(
        default=None, description="The total the shopper saw; another total is refused with `cart_changed`."
    )
    note: Line | None = Field(default=None, description="For the courier or the store.")


class CancelRequest(Body):
    """Why the order is cancelled."""

    reason: Line = "changed_mind"


class StatusChange(Body):
    """The next step of an order, and what is worth keeping about it."""

    status: Literal["processing", "packed", "shipped", "out_for_delivery", "delivered", "returned_to_origin"]
    carrier: Line | None = None
    tracking_number: Line | None = None
    note: Line | None = None
    restock: bool | None = Field(
        default=None, description="With `returned_to_origin`: whether the goods are fit for sale (the default)."
    )


class OrderItem(BaseModel):
    """A line as sold: `net_amount` is what the shopper pays for it, GST included."""

    id: UUID
    line_no: int
    sku: str
    title: str
    quantity: int
    unit_price: int
    discount_amount: int
    net_amount: int
    tax_amount: int
    refunded_quantity: int
    backordered_quantity: int = Field(description="Units that still wait for stock.")
    expected_at: datetime | None = Field(description="When they were expected at the time of the order.")


class OrderRefund(BaseModel):
    """Money of the order on its way back, or back."""

    id: UUID
    payment_id: UUID
    kind: str
    status: str
    amount: int
    shipping_amount: int


class ShippingAddress(BaseModel):
    """The address as it was at checkout."""

    id: UUID
    recipient_name: str
    phone: str
    line1: str
    line2: str | None
    landmark: str | None
    city: str
    state_code: str
    pincode: str
    country: str


class Order(BaseModel):
    """An order as it now is. `version` is its ETag; a prepaid one is held until `hold_expires_at`."""

    id: UUID
    number: str
    status: str
    payment_status: str
    payment_method: str
    currency: str
    items: list[OrderItem]
    subtotal: int
    discount_total: int
    shipping_total: int
    tax_total: int
    grand_total: int
    waived_total: int = Field(description="Of a cash order: what was called off before it was paid.")
    captured_total: int
    refunded_total: int
    refund_pending_total: int
    refunds: list[OrderRefund]
    hold_expires_at: datetime | None
    shipping_address: ShippingAddress
    cancel_reason: str | None
    note: str | None
    version: int
    created_at: datetime
