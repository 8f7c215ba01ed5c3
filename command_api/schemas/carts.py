"""Bodies and answers of carts. Amounts are paise."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from command_api.schemas.base import Body
from command_api.schemas.inventory import Sku

MAX_QUANTITY = 100_000
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
CouponCode = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=32, pattern=r"^[A-Za-z0-9_-]+$"),
]


class NewItem(Body):
    """Units to put into the cart, on top of those of the SKU that are in it."""

    sku: Sku
    quantity: Quantity = 1


class ItemQuantity(Body):
    """How many units of the SKU the cart is to have."""

    quantity: Quantity


class CartCheck(Body):
    """Where the cart would go; without an address only the delivery rules that are for everywhere are looked at."""

    address_id: UUID | None = None


class CouponChoice(Body):
    """A coupon to put on the cart. Case and spaces around the code don't matter."""

    code: CouponCode = Field(examples=["WELCOME10"])


class CartItem(BaseModel):
    """A line. ``unit_price`` is the price shown now; the discount is this line's part of all coupons."""

    sku: str
    variant_id: UUID
    product_id: UUID
    product_slug: str
    title: str
    image: str | None
    quantity: int
    unit_price: int
    previous_unit_price: int | None = Field(description="The price shown before it changed.")
    mrp: int
    line_total: int
    discount_amount: int
    status: Literal["ok", "price_changed", "insufficient_stock", "unavailable"]
    available_quantity: int | None = Field(
        description="Units that this shopper could buy now; of a line that wants more, with what can be ordered ahead."
    )
    backordered_quantity: int = Field(description="Units of the line that are not there yet and will come later.")
    availability: Literal["in_stock", "backorder", "preorder", "out_of_stock"]
    available_from: datetime | None = Field(description="When what comes later is expected.")


class CartCoupon(BaseModel):
    """A coupon on the cart; one that stopped fitting stays, takes nothing off, and says why."""

    code: str
    status: Literal["applied", "inapplicable"]
    reason: (
        Literal[
            "inactive",
            "not_started",
            "ended",
            "exhausted",
            "user_limit",
            "first_order_only",
            "not_stackable",
            "min_subtotal",
            "no_eligible_items",
            "not_enough_items",
            "nothing_left",
        ]
        | None
    )
    discount_amount: int
    free_shipping: bool


class Cart(BaseModel):
    """A cart. ``version`` is its ETag. Lines that are unavailable are in no total; GST is inside the prices."""

    id: UUID
    status: Literal["open", "ordered", "merged"]
    currency: str
    version: int
    items: list[CartItem]
    coupons: list[CartCoupon]
    subtotal: int
    discount_total: int
    shipping_total: int
    tax_total: int = Field(description="The GST inside grand_total.")
    grand_total: int
    validated_at: datetime | None
    updated_at: datetime


class CartProblem(BaseModel):
    """What is in the way of a checkout. Members that a kind has no use for are absent."""

    kind: Literal["price_changed", "insufficient_stock", "unavailable", "quantity_limit", "coupon_inapplicable"]
    sku: str | None = None
    quantity: int | None = None
    available_quantity: int | None = None
    limit: int | None = None
    previous_unit_price: int | None = None
    unit_price: int | None = None
    coupon: str | None = None
    reason: str | None = None


class CheckedCart(Cart):
    """A cart and what is in the way of its checkout. A changed price or coupon is told once."""

    valid: bool
    problems: list[CartProblem]
