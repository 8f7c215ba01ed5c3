"""What a shopper's own GETs answer: cart, orders, profile, addresses, wishlist, coupons. Amounts in paise."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from query_api.schemas.catalog import ProductCard
from query_api.schemas.returns import OrderDocument, OrderReturn


class CartLine(BaseModel):
    """A line of the cart, with the price last shown and what changed since."""

    sku: str
    variant_id: UUID
    product_id: UUID
    product_slug: str
    title: str
    image: str | None
    quantity: int
    unit_price: int
    previous_unit_price: int | None
    mrp: int
    line_total: int
    discount_amount: int
    status: str
    available_quantity: int | None
    backordered_quantity: int = Field(description="Units of the line that are not there yet and will come later.")
    availability: Literal["in_stock", "backorder", "preorder", "out_of_stock"]
    available_from: datetime | None = Field(description="When what comes later is expected.")


class CartCouponLine(BaseModel):
    """A coupon on the cart."""

    code: str
    status: str
    reason: str | None
    discount_amount: int
    free_shipping: bool


class CartPage(BaseModel):
    """The open cart. ``version`` is the ETag."""

    id: UUID
    status: str
    currency: str
    version: int
    items: list[CartLine]
    coupons: list[CartCouponLine]
    subtotal: int
    discount_total: int
    shipping_total: int
    tax_total: int
    grand_total: int
    validated_at: datetime | None
    updated_at: datetime


class OrderCard(BaseModel):
    """An order in a list."""

    id: UUID
    number: str
    status: str
    payment_status: str
    payment_method: str
    currency: str
    grand_total: int
    refunded_total: int
    line_count: int
    unit_count: int
    title: str | None
    hold_expires_at: datetime | None
    created_at: datetime


class OrderList(BaseModel):
    """A page of orders, newest first."""

    items: list[OrderCard]
    next_cursor: str | None


class OrderLine(BaseModel):
    """A frozen line."""

    id: UUID
    line_no: int
    sku: str
    product_id: UUID
    product_slug: str
    title: str
    quantity: int
    unit_price: int
    mrp: int
    gross_amount: int
    discount_amount: int
    net_amount: int
    hsn_code: str | None
    tax_rate_bp: int
    taxable_amount: int
    tax_amount: int
    cgst_amount: int
    sgst_amount: int
    igst_amount: int
    refunded_quantity: int
    refunded_amount: int
    restocked_quantity: int
    backordered_quantity: int = Field(description="Units that still wait for stock.")
    expected_at: datetime | None = Field(description="When they were expected at the time of the order.")


class OrderCoupon(BaseModel):
    """A coupon the order used."""

    code: str
    discount_amount: int
    free_shipping: bool
    status: str


class OrderPayment(BaseModel):
    """An attempt to pay."""

    id: UUID
    attempt_no: int
    method: str
    provider: str
    amount: int
    captured_amount: int
    currency: str
    status: str
    failure_code: str | None
    created_at: datetime
    updated_at: datetime


class OrderRefundLine(BaseModel):
    """The part of a refund for one line."""

    order_item_id: UUID
    sku: str
    quantity: int
    amount: int
    restock: bool
    restocked_quantity: int


class OrderRefund(BaseModel):
    """Money on its way back."""

    id: UUID
    kind: str
    status: str
    amount: int
    shipping_amount: int
    currency: str
    reason: str
    failure_code: str | None
    items: list[OrderRefundLine]
    created_at: datetime
    updated_at: datetime


class ShippedLine(BaseModel):
    """Units of a line that are in a shipment."""

    order_item_id: UUID
    sku: str
    quantity: int


class OrderShipment(BaseModel):
    """Units of the order that travel together: planned, picking, packed, shipped, … or come back."""

    number: str
    status: str
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    items: list[ShippedLine]
    packed_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None


class OrderEvent(BaseModel):
    """Something that happened to the order."""

    type: str
    from_status: str | None
    to_status: str | None
    actor_kind: str
    at: datetime


class OrderDetail(BaseModel):
    """An order with its lines, money and history. ``version`` is the ETag."""

    id: UUID
    number: str
    status: str
    payment_status: str
    payment_method: str
    currency: str
    items: list[OrderLine]
    coupons: list[OrderCoupon]
    subtotal: int
    discount_total: int
    shipping_total: int
    shipping_tax: int
    taxable_total: int
    tax_total: int
    grand_total: int
    waived_total: int = Field(description="Of a cash order: what was called off before it was paid.")
    captured_total: int
    refund_pending_total: int
    refunded_total: int
    hold_expires_at: datetime | None
    shipping_address: dict[str, Any]
    place_of_supply: str
    invoice_number: str | None
    documents: list[OrderDocument] = Field(description="The invoice, then its credit notes.")
    returns: list[OrderReturn]
    exchange_of: UUID | None = Field(description="The order that this one replaces goods of.")
    payments: list[OrderPayment]
    refunds: list[OrderRefund]
    shipments: list[OrderShipment]
    timeline: list[OrderEvent]
    cancel_reason: str | None
    note: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None
    closed_at: datetime | None


class ProfilePage(BaseModel):
    """The caller's profile. ``version`` is the ETag."""

    id: UUID
    phone: str
    email: str | None
    full_name: str | None
    marketing_opt_in: bool
    default_address_id: UUID | None
    staff_role: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class AddressCard(BaseModel):
    """A delivery address."""

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


class AddressList(BaseModel):
    """The caller's addresses, newest first."""

    items: list[AddressCard]
    next_cursor: None = None


class WishlistPage(BaseModel):
    """The products the caller wishes for."""

    items: list[ProductCard]
    next_cursor: None = None


class PublicCoupon(BaseModel):
    """A coupon that anybody may use now."""

    code: str
    name: str
    description: str | None
    kind: str
    percent_bp: int | None
    amount: int | None
    buy_quantity: int | None
    get_quantity: int | None
    get_percent_bp: int | None
    max_discount: int | None
    min_subtotal: int
    first_order_only: bool
    stackable: bool
    scope: str
    starts_at: datetime
    ends_at: datetime | None


class CouponList(BaseModel):
    """Coupons that anybody may use now."""

    items: list[PublicCoupon]
    next_cursor: None = None
