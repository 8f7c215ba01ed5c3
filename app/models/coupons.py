"""Coupons: what they give, to whom, how often, and every use of them."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, Instant, MaybeInstant, UuidPk, Version, ZeroPaise, one_of


class Coupon(Base):
    """A coupon. Exactly the columns of its ``kind`` are set.

    ``used_count`` is the number of its live uses while there is a ``usage_limit``, else 0: a counter on a coupon
    that everybody uses would make its row a queue.
    """

    __tablename__ = "coupons"

    id: Mapped[UuidPk]
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    percent_bp: Mapped[int | None] = mapped_column(Integer)
    amount: Mapped[int | None] = mapped_column(BigInteger)
    buy_quantity: Mapped[int | None] = mapped_column(Integer)
    get_quantity: Mapped[int | None] = mapped_column(Integer)
    get_percent_bp: Mapped[int | None] = mapped_column(Integer)
    max_discount: Mapped[int | None] = mapped_column(BigInteger)
    min_subtotal: Mapped[ZeroPaise]
    starts_at: Mapped[Instant]
    ends_at: Mapped[MaybeInstant]
    usage_limit: Mapped[int | None] = mapped_column(Integer)
    per_user_limit: Mapped[int | None] = mapped_column(Integer)
    used_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    scope: Mapped[str] = mapped_column(Text, server_default=text("'all'"))
    first_order_only: Mapped[bool] = mapped_column(server_default=text("false"))
    stackable: Mapped[bool] = mapped_column(server_default=text("false"))
    is_public: Mapped[bool] = mapped_column(server_default=text("false"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("kind", ("percent", "fixed", "free_shipping", "buy_x_get_y")),
        one_of("scope", ("all", "categories", "products")),
        CheckConstraint("code ~ '^[A-Z0-9][A-Z0-9_-]{2,31}$'", name="code_shape"),
        CheckConstraint("(kind = 'percent') = (percent_bp IS NOT NULL)", name="percent_has_rate"),
        CheckConstraint("(kind = 'fixed') = (amount IS NOT NULL)", name="fixed_has_amount"),
        CheckConstraint(
            "CASE WHEN kind = 'buy_x_get_y' THEN num_nonnulls(buy_quantity, get_quantity, get_percent_bp) = 3"
            " ELSE num_nonnulls(buy_quantity, get_quantity, get_percent_bp) = 0 END",
            name="buy_x_get_y_has_counts",
        ),
        CheckConstraint("percent_bp BETWEEN 1 AND 10000", name="percent_in_range"),
        CheckConstraint("get_percent_bp BETWEEN 1 AND 10000", name="get_percent_in_range"),
        CheckConstraint("buy_quantity > 0 AND get_quantity > 0", name="counts_positive"),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("max_discount > 0", name="max_discount_positive"),
        CheckConstraint("min_subtotal >= 0", name="min_subtotal_not_negative"),
        CheckConstraint("ends_at > starts_at", name="window_in_order"),
        CheckConstraint("usage_limit > 0 AND per_user_limit > 0", name="limits_positive"),
        CheckConstraint("used_count >= 0 AND used_count <= usage_limit", name="used_within_limit"),
    )


class CouponTarget(Base):
    """A category (with its descendants) or a product that a scoped coupon is for."""

    __tablename__ = "coupon_targets"

    id: Mapped[UuidPk]
    coupon_id: Mapped[UUID] = mapped_column(ForeignKey("coupons.id", ondelete="CASCADE"))
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id"), index=True)
    product_id: Mapped[UUID | None] = mapped_column(ForeignKey("products.id"), index=True)

    __table_args__ = (
        CheckConstraint("num_nonnulls(category_id, product_id) = 1", name="one_target"),
        Index(
            "uq_coupon_targets_target",
            "coupon_id",
            "category_id",
            "product_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )


class CouponUsage(Base):
    """One use of a coupon by one order: claimed at checkout, used when confirmed, released when it falls through."""

    __tablename__ = "coupon_usage"

    id: Mapped[UuidPk]
    coupon_id: Mapped[UUID] = mapped_column(ForeignKey("coupons.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    discount_amount: Mapped[ZeroPaise]
    free_shipping: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = mapped_column(Text, server_default=text("'claimed'"))
    created_at: Mapped[CreatedAt]
    closed_at: Mapped[MaybeInstant]

    __table_args__ = (
        one_of("status", ("claimed", "used", "released")),
        CheckConstraint("discount_amount >= 0", name="discount_not_negative"),
        Index("ix_coupon_usage_coupon_user", "coupon_id", "user_id"),
        Index(
            "uq_coupon_usage_live",
            "coupon_id",
            "order_id",
            unique=True,
            postgresql_where=text("status <> 'released'"),
        ),
    )
