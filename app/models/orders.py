"""Orders: what was bought, at which frozen price, and everything that happened to it since."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import (
    Base,
    CreatedAt,
    Currency,
    MaybeInstant,
    Paise,
    UuidPk,
    Version,
    ZeroPaise,
    not_negative,
    one_of,
)
from app.models.words import ORDER_STATUSES

# why a person must look at an order's money
ATTENTIONS = ("amount_mismatch", "paid_after_hold", "overpaid", "refund_mismatch", "refunded_twice")
ACTOR_KINDS = ("customer", "staff", "system", "gateway")


class OrderStatusTransition(Base):
    """A step an order may take, and who may make it; seeded by a migration, read by the procedures and the audit."""

    __tablename__ = "order_status_transitions"

    from_status: Mapped[str] = mapped_column(Text, primary_key=True)
    to_status: Mapped[str] = mapped_column(Text, primary_key=True)
    by_staff: Mapped[bool]

    __table_args__ = (one_of("from_status", ORDER_STATUSES), one_of("to_status", ORDER_STATUSES))


class Order(Base):
    """An order. Amounts are paise; prices include GST, so ``taxable_total + tax_total = grand_total``."""

    __tablename__ = "orders"

    id: Mapped[UuidPk]
    number: Mapped[str] = mapped_column(
        Text, unique=True, server_default=text("'KR' || nextval('store.order_number_seq')")
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    cart_id: Mapped[UUID] = mapped_column(ForeignKey("carts.id"), index=True)
    cart_version: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(Text)
    payment_method: Mapped[str] = mapped_column(Text)
    payment_status: Mapped[str] = mapped_column(Text, server_default=text("'unpaid'"))
    currency: Mapped[Currency]
    subtotal: Mapped[Paise]
    discount_total: Mapped[ZeroPaise]
    shipping_total: Mapped[ZeroPaise]
    shipping_tax: Mapped[ZeroPaise]
    taxable_total: Mapped[ZeroPaise]
    tax_total: Mapped[ZeroPaise]
    grand_total: Mapped[Paise]
    # of a cash order: what was called off before it was paid, and is not asked for at the door
    waived_total: Mapped[ZeroPaise]
    captured_total: Mapped[ZeroPaise]
    refund_pending_total: Mapped[ZeroPaise]
    refunded_total: Mapped[ZeroPaise]
    hold_expires_at: Mapped[MaybeInstant]
    shipping_address: Mapped[dict[str, Any]] = mapped_column(JSONB)
    place_of_supply: Mapped[str] = mapped_column(Text)
    attention: Mapped[str | None] = mapped_column(Text)
    cancel_reason: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    confirmed_at: Mapped[MaybeInstant]
    closed_at: Mapped[MaybeInstant]

    __table_args__ = (
        one_of("status", ORDER_STATUSES),
        one_of("payment_method", ("prepaid", "cod")),
        one_of("payment_status", ("unpaid", "paid", "partially_refunded", "refunded")),
        one_of("attention", ATTENTIONS),
        *not_negative(
            "subtotal",
            "discount_total",
            "shipping_total",
            "shipping_tax",
            "taxable_total",
            "tax_total",
            "grand_total",
            "captured_total",
            "refund_pending_total",
            "refunded_total",
        ),
        CheckConstraint("waived_total BETWEEN 0 AND grand_total", name="waived_within_total"),
        CheckConstraint("grand_total = subtotal - discount_total + shipping_total", name="totals_add_up"),
        CheckConstraint("taxable_total + tax_total = grand_total", name="tax_adds_up"),
        CheckConstraint("refunded_total + refund_pending_total <= captured_total", name="refunds_within_captured"),
        CheckConstraint("status <> 'pending_payment' OR hold_expires_at IS NOT NULL", name="pending_has_expiry"),
        Index("ix_orders_attention", "updated_at", "id", postgresql_where=text("attention IS NOT NULL")),
        Index("ix_orders_user_created", "user_id", "created_at", "id"),
        Index("uq_orders_pending_user", "user_id", unique=True, postgresql_where=text("status = 'pending_payment'")),
        Index(
            "uq_orders_live_cart",
            "cart_id",
            "cart_version",
            unique=True,
            postgresql_where=text("status NOT IN ('cancelled', 'expired')"),
        ),
        Index("ix_orders_due", "hold_expires_at", postgresql_where=text("status = 'pending_payment'")),
        {"postgresql_with": {"fillfactor": "80"}},
    )


class OrderItem(Base):
    """A frozen line: price, discount and GST as sold. ``net_amount`` is what the shopper pays for it."""

    __tablename__ = "order_items"

    id: Mapped[UuidPk]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    line_no: Mapped[int] = mapped_column(Integer)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.id"), index=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"), index=True)
    sku: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    hsn_code: Mapped[str | None] = mapped_column(Text)
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[Paise]
    mrp: Mapped[Paise]
    gross_amount: Mapped[Paise]
    discount_amount: Mapped[ZeroPaise]
    net_amount: Mapped[Paise]
    tax_rate_bp: Mapped[int] = mapped_column(Integer)
    taxable_amount: Mapped[Paise]
    tax_amount: Mapped[Paise]
    cgst_amount: Mapped[ZeroPaise]
    sgst_amount: Mapped[ZeroPaise]
    igst_amount: Mapped[ZeroPaise]
    refunded_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    refunded_amount: Mapped[ZeroPaise]
    restocked_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))

    __table_args__ = (
        UniqueConstraint("order_id", "line_no"),
        UniqueConstraint("order_id", "variant_id"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_price > 0 AND mrp >= unit_price", name="prices_in_range"),
        CheckConstraint("gross_amount = unit_price * quantity", name="gross_adds_up"),
        CheckConstraint("discount_amount BETWEEN 0 AND gross_amount", name="discount_within_gross"),
        CheckConstraint("net_amount = gross_amount - discount_amount", name="net_adds_up"),
        CheckConstraint("taxable_amount + tax_amount = net_amount", name="tax_adds_up"),
        CheckConstraint("cgst_amount + sgst_amount + igst_amount = tax_amount", name="tax_split_adds_up"),
        CheckConstraint("tax_rate_bp BETWEEN 0 AND 10000", name="rate_in_range"),
        *not_negative("taxable_amount", "tax_amount", "cgst_amount", "sgst_amount", "igst_amount"),
        CheckConstraint("refunded_quantity BETWEEN 0 AND quantity", name="refunded_within_quantity"),
        CheckConstraint("refunded_amount BETWEEN 0 AND net_amount", name="refunded_within_net"),
        CheckConstraint("restocked_quantity BETWEEN 0 AND quantity", name="restocked_within_quantity"),
    )


class OrderEvent(Base):
    """What happened to an order, in order. Append-only."""

    __tablename__ = "order_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    type: Mapped[str] = mapped_column(Text)
    from_status: Mapped[str | None] = mapped_column(Text)
    to_status: Mapped[str | None] = mapped_column(Text)
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("actor_kind", ACTOR_KINDS),
        one_of("from_status", ORDER_STATUSES),
        one_of("to_status", ORDER_STATUSES),
    )


class ShippingRule(Base):
    """What delivery costs, and where the store delivers. The first matching active rule (by priority) decides."""

    __tablename__ = "shipping_rules"

    id: Mapped[UuidPk]
    name: Mapped[str] = mapped_column(Text, unique=True)
    priority: Mapped[int] = mapped_column(Integer, server_default=text("100"))
    pincode_prefix: Mapped[str | None] = mapped_column(Text)
    state_code: Mapped[str | None] = mapped_column(Text)
    min_subtotal: Mapped[ZeroPaise]
    is_serviceable: Mapped[bool] = mapped_column(server_default=text("true"))
    cod_allowed: Mapped[bool] = mapped_column(server_default=text("true"))
    charge: Mapped[ZeroPaise]
    tax_rate_bp: Mapped[int] = mapped_column(Integer, server_default=text("1800"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[Version]

    __table_args__ = (
        CheckConstraint("charge >= 0 AND min_subtotal >= 0", name="amounts_not_negative"),
        CheckConstraint("pincode_prefix ~ '^[1-9][0-9]{0,5}$'", name="pincode_prefix_shape"),
        CheckConstraint("state_code ~ '^[A-Z]{2}$'", name="state_code_shape"),
        CheckConstraint("tax_rate_bp BETWEEN 0 AND 10000", name="rate_in_range"),
    )
