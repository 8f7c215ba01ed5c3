"""Returns: what a shopper wants to give back, what came of it, and what was exchanged for it."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, MaybeInstant, UuidPk, Version, one_of
from app.models.words import CONDITIONS, RETURN_REASONS, RETURN_STATUSES

# units of a return in one of these can't be asked back a second time
OPEN_RETURN_STATUSES = ("requested", "approved", "in_transit")


class Return(Base):
    """A request to give units of an order back, for money or for other goods. Its history is in the order's.

    ``resolution`` is what was asked for, ``settled_as`` what came of it: an exchange whose goods are sold out becomes a
    refund, and what staff refunded meanwhile is not given back twice.
    """

    __tablename__ = "returns"

    id: Mapped[UuidPk]
    number: Mapped[str] = mapped_column(
        Text, unique=True, server_default=text("'RT' || nextval('store.return_number_seq')")
    )
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    status: Mapped[str] = mapped_column(Text, server_default=text("'requested'"))
    resolution: Mapped[str] = mapped_column(Text)
    reason_code: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    photo_urls: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    decision_note: Mapped[str | None] = mapped_column(Text)
    carrier: Mapped[str | None] = mapped_column(Text)
    tracking_number: Mapped[str | None] = mapped_column(Text)
    pickup_at: Mapped[MaybeInstant]
    settled_as: Mapped[str | None] = mapped_column(Text)
    settled_reason: Mapped[str | None] = mapped_column(Text)
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"), unique=True)
    replacement_order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id"), unique=True)
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    decided_at: Mapped[MaybeInstant]
    received_at: Mapped[MaybeInstant]
    closed_at: Mapped[MaybeInstant]

    __table_args__ = (
        one_of("status", RETURN_STATUSES),
        one_of("resolution", ("refund", "exchange")),
        one_of("reason_code", RETURN_REASONS),
        one_of("settled_as", ("refund", "exchange", "nothing")),
        one_of(
            "settled_reason",
            ("refund_without_goods", "out_of_stock", "already_refunded", "nothing_paid", "nothing_received"),
        ),
        CheckConstraint("cardinality(photo_urls) <= 10", name="photo_urls_few"),
        CheckConstraint(
            "(settled_as IS NOT NULL) = (status IN ('refunded', 'exchanged', 'closed'))", name="settled_when_done"
        ),
        CheckConstraint(
            "COALESCE(settled_as IN ('refund', 'exchange'), false) = (refund_id IS NOT NULL)", name="settled_by_refund"
        ),
        CheckConstraint(
            "COALESCE(settled_as = 'exchange', false) = (replacement_order_id IS NOT NULL)", name="exchanged_for_order"
        ),
        Index("ix_returns_status", "status", "id"),
    )


class ReturnItem(Base):
    """Units of one line of the order on their way back: how many came, in which state, and what is wanted instead."""

    __tablename__ = "return_items"

    id: Mapped[UuidPk]
    return_id: Mapped[UUID] = mapped_column(ForeignKey("returns.id"))
    order_item_id: Mapped[UUID] = mapped_column(ForeignKey("order_items.id"), index=True)
    quantity: Mapped[int] = mapped_column(Integer)
    exchange_variant_id: Mapped[UUID | None] = mapped_column(ForeignKey("product_variants.id"), index=True)
    received_quantity: Mapped[int | None] = mapped_column(Integer)
    condition: Mapped[str | None] = mapped_column(Text)
    restock: Mapped[bool | None]
    inspection_note: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        UniqueConstraint("return_id", "order_item_id"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("received_quantity BETWEEN 0 AND quantity", name="received_within_quantity"),
        one_of("condition", CONDITIONS),
        CheckConstraint("(condition IS NULL) = (COALESCE(received_quantity, 0) = 0)", name="condition_of_what_came"),
    )
