"""What the GETs for the store's people answer. Amounts in paise."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from query_api.schemas.accounts import OrderDetail


class AdminOrderRow(BaseModel):
    """An order in the operators' list."""

    id: UUID
    number: str
    user_id: UUID
    phone: str | None
    status: str
    payment_status: str
    payment_method: str
    currency: str
    grand_total: int
    captured_total: int
    refund_pending_total: int
    refunded_total: int
    attention: str | None
    hold_expires_at: datetime | None
    city: str | None
    pincode: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class AdminOrderList(BaseModel):
    """A page of orders."""

    items: list[AdminOrderRow]
    next_cursor: str | None


class MoneyMoved(BaseModel):
    """A row of the money ledger."""

    id: int
    kind: str
    provider: str
    provider_ref: str
    amount: int
    created_at: datetime


class HistoryRow(BaseModel):
    """An event of the order, with who did it and what was said."""

    type: str
    from_status: str | None
    to_status: str | None
    actor_kind: str
    actor_id: UUID | None
    detail: dict[str, Any]
    created_at: datetime


class AdminOrder(BaseModel):
    """An order as its shopper sees it, and what only the store's people see. The order's version is the ETag."""

    order: OrderDetail
    user_id: UUID
    phone: str | None
    attention: str | None
    cart_id: UUID
    money_movements: list[MoneyMoved]
    history: list[HistoryRow]


class StockRow(BaseModel):
    """Stock in one bucket of one warehouse."""

    warehouse: str
    is_active: bool
    bucket: int
    on_hand: int
    reserved: int
    version: int
    updated_at: datetime


class StockMoved(BaseModel):
    """A row of the stock ledger."""

    id: int
    warehouse: str
    bucket: int
    kind: str
    quantity: int
    order_id: UUID | None
    refund_id: UUID | None
    actor_id: UUID | None
    reason_code: str | None
    reason: str | None
    reference: str | None
    created_at: datetime


class AdminStock(BaseModel):
    """A SKU's stock."""

    sku: str
    variant_id: UUID
    product_slug: str
    title: str
    variant_title: str
    bucket_count: int
    on_hand: int
    reserved: int
    available: int
    rows: list[StockRow]
    movements: list[StockMoved]


class AdminCoupon(BaseModel):
    """A coupon with its rules, targets and uses. ``version`` is the ETag."""

    id: UUID
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
    starts_at: datetime
    ends_at: datetime | None
    usage_limit: int | None
    per_user_limit: int | None
    used_count: int
    scope: str
    first_order_only: bool
    stackable: bool
    is_public: bool
    is_active: bool
    categories: list[str]
    products: list[str]
    version: int
    created_at: datetime


class AdminCouponList(BaseModel):
    """A page of coupons."""

    items: list[AdminCoupon]
    next_cursor: str | None


class AdminRefund(BaseModel):
    """A refund in the operators' list."""

    id: UUID
    order_id: UUID
    order_number: str
    payment_id: UUID
    method: str
    provider: str
    kind: str
    status: str
    amount: int
    shipping_amount: int
    currency: str
    reason: str
    provider_refund_id: str | None
    failure_code: str | None
    requested_by: UUID | None
    submit_attempts: int
    next_submit_at: datetime
    version: int
    created_at: datetime
    updated_at: datetime


class AdminRefundList(BaseModel):
    """A page of refunds."""

    items: list[AdminRefund]
    next_cursor: str | None


class StaffDid(BaseModel):
    """One thing that a member of staff did."""

    id: int
    staff_id: UUID
    staff_name: str | None
    permission: str
    action: str
    subject_type: str
    subject_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ip: str | None
    request_id: str | None
    created_at: datetime


class AuditLog(BaseModel):
    """A page of what staff did."""

    items: list[StaffDid]
    next_cursor: str | None


class AdminProductRow(BaseModel):
    """A product in the staff's list."""

    id: UUID
    slug: str
    title: str
    status: str
    published_at: datetime | None
    version: int
    updated_at: datetime
    variant_count: int


class AdminProductList(BaseModel):
    """A page of products."""

    items: list[AdminProductRow]
    next_cursor: str | None


class AdminImage(BaseModel):
    """A picture, as staff write it."""

    url: str
    alt_text: str
    position: int
    variant_sku: str | None


class AdminVariant(BaseModel):
    """A variant, as staff write it."""

    sku: str
    title: str
    option_values: list[str]
    price: int
    mrp: int
    tax_class: str
    hsn_code: str | None
    barcode: str | None
    weight_grams: int
    position: int
    max_per_order: int | None
    is_active: bool


class AdminProduct(BaseModel):
    """A product as staff write it. ``version`` is the ETag."""

    id: UUID
    slug: str
    title: str
    description_html: str
    brand: str | None
    category: str | None
    product_type: str | None
    tags: list[str]
    attributes: dict[str, Any]
    options: list[str]
    seo_title: str | None
    seo_description: str | None
    status: str
    published_at: datetime | None
    version: int
    images: list[AdminImage]
    variants: list[AdminVariant]
    created_at: datetime
    updated_at: datetime
