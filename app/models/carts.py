"""Carts, of shoppers and of guests, with the prices last shown."""

from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
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


class Cart(Base):
    """A cart. ``version`` is its ETag; ``validated_version`` is the version checkout may use."""

    __tablename__ = "carts"

    id: Mapped[UuidPk]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    guest_token_hash: Mapped[bytes | None]
    status: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    currency: Mapped[Currency]
    subtotal: Mapped[ZeroPaise]
    discount_total: Mapped[ZeroPaise]
    shipping_total: Mapped[ZeroPaise]
    tax_total: Mapped[ZeroPaise]
    grand_total: Mapped[ZeroPaise]
    version: Mapped[Version]
    validated_version: Mapped[int | None] = mapped_column(BigInteger)
    validated_at: Mapped[MaybeInstant]
    merged_into_id: Mapped[UUID | None] = mapped_column(ForeignKey("carts.id"), index=True)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("status", ("open", "ordered", "merged")),
        *not_negative("subtotal", "discount_total", "shipping_total", "tax_total", "grand_total"),
        CheckConstraint("num_nonnulls(user_id, guest_token_hash) = 1", name="one_owner"),
        CheckConstraint("discount_total <= subtotal", name="discount_within_subtotal"),
        CheckConstraint("grand_total = subtotal - discount_total + shipping_total", name="totals_add_up"),
        CheckConstraint("(status = 'merged') = (merged_into_id IS NOT NULL)", name="merged_says_where"),
        Index("uq_carts_open_user", "user_id", unique=True, postgresql_where=text("status = 'open'")),
        Index("uq_carts_open_guest", "guest_token_hash", unique=True, postgresql_where=text("status = 'open'")),
        # by creation, which never changes: a cart's changes stay on its page (HOT)
        Index("ix_carts_guest_created", "created_at", postgresql_where=text("guest_token_hash IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "80"}},
    )


class CartItem(Base):
    """A line of a cart. ``unit_price`` is the price last shown; ``status`` flags what changed since."""

    __tablename__ = "cart_items"

    id: Mapped[UuidPk]
    cart_id: Mapped[UUID] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"))
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.id"), index=True)
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[Paise]
    mrp: Mapped[Paise]
    previous_unit_price: Mapped[int | None] = mapped_column(BigInteger)
    discount_amount: Mapped[ZeroPaise]
    status: Mapped[str] = mapped_column(Text, server_default=text("'ok'"))
    available_quantity: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    backordered_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))

    __table_args__ = (
        UniqueConstraint("cart_id", "variant_id"),
        CheckConstraint("backordered_quantity BETWEEN 0 AND quantity", name="backordered_within_quantity"),
        one_of("status", ("ok", "price_changed", "insufficient_stock", "unavailable")),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_price > 0 AND mrp >= unit_price", name="prices_in_range"),
        CheckConstraint("discount_amount BETWEEN 0 AND unit_price * quantity", name="discount_within_line"),
        CheckConstraint("previous_unit_price > 0", name="previous_price_positive"),
        *not_negative("available_quantity"),
    )


class CartCoupon(Base):
    """A coupon put on a cart, in the order it was applied, with what it takes off now."""

    __tablename__ = "cart_coupons"

    cart_id: Mapped[UUID] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"), primary_key=True)
    coupon_id: Mapped[UUID] = mapped_column(ForeignKey("coupons.id"), primary_key=True, index=True)
    position: Mapped[int] = mapped_column(SmallInteger)
    discount_amount: Mapped[ZeroPaise]
    free_shipping: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = mapped_column(Text, server_default=text("'applied'"))
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("cart_id", "position"),
        one_of("status", ("applied", "inapplicable")),
        *not_negative("discount_amount"),
    )
