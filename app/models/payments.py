"""Money: attempts to pay, what gateways told us, refunds, and the ledger of every paisa that moved."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import (
    Base,
    CreatedAt,
    Currency,
    Instant,
    MaybeInstant,
    Paise,
    UuidPk,
    Version,
    ZeroPaise,
    one_of,
)

# What a gateway says of an attempt or a refund when it is asked; `away` is no answer.
PAYMENT_ANSWERS = ("captured", "failed", "open", "none", "away")
REFUND_ANSWERS = ("processed", "failed", "pending", "unknown", "away")


class Payment(Base):
    """One attempt to pay one order. At most one attempt of an order is open.

    ``exchange`` is money of another order that went over to this one with the goods exchanged for it; its
    ``source_payment_id`` is the payment that brought it into the store, and the one to give it back through.
    """

    __tablename__ = "payments"

    id: Mapped[UuidPk]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    source_payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"), index=True)
    attempt_no: Mapped[int] = mapped_column(Integer)
    method: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    provider_payment_id: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Paise]
    captured_amount: Mapped[ZeroPaise]
    currency: Mapped[Currency]
    status: Mapped[str] = mapped_column(Text, server_default=text("'created'"))
    failure_code: Mapped[str | None] = mapped_column(Text)
    failed_verifications: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    expires_at: Mapped[MaybeInstant]
    # when the gateway is asked next what became of it; NULL: nobody asks (any more)
    check_at: Mapped[MaybeInstant]
    check_attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    check_answer: Mapped[str | None] = mapped_column(Text)
    checked_at: Mapped[MaybeInstant]
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("order_id", "attempt_no"),
        UniqueConstraint("provider", "provider_payment_id"),
        one_of("method", ("upi", "card", "netbanking", "wallet", "cod", "exchange")),
        one_of("status", ("created", "pending_collection", "captured", "mismatched", "failed", "cancelled")),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("captured_amount >= 0", name="captured_not_negative"),
        CheckConstraint("attempt_no > 0 AND failed_verifications >= 0", name="counts_in_range"),
        CheckConstraint("status <> 'captured' OR captured_amount = amount", name="captured_in_full"),
        CheckConstraint("(method = 'cod') = (provider = 'cod')", name="cod_has_no_gateway"),
        CheckConstraint("check_attempts >= 0", name="check_attempts_not_negative"),
        one_of("check_answer", PAYMENT_ANSWERS),
        Index("ix_payments_to_check", "check_at", postgresql_where=text("check_at IS NOT NULL")),
        CheckConstraint("(method = 'exchange') = (provider = 'exchange')", name="exchange_has_no_gateway"),
        CheckConstraint("(method = 'exchange') = (source_payment_id IS NOT NULL)", name="exchange_has_source"),
        Index(
            "uq_payments_open",
            "order_id",
            unique=True,
            postgresql_where=text("status IN ('created', 'pending_collection')"),
        ),
    )


class PaymentEvent(Base):
    """Inbox of what gateways told us: each event once, whatever came of it. Append-only; old payloads are emptied."""

    __tablename__ = "payment_events"

    id: Mapped[UuidPk]
    provider: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"), index=True)
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    outcome: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("provider", "event_id"),
        Index("ix_payment_events_payload", "created_at", postgresql_where=text("payload <> '{}'")),
        one_of(
            "outcome",
            (
                "captured",
                "already_captured",
                "mismatched",
                "failed",
                "refunded",
                "refund_failed",
                "ignored",
                "unmatched",
            ),
        ),
    )


class MoneyMovement(Base):
    """Ledger of money: captures positive, refunds negative, in paise. Append-only."""

    __tablename__ = "money_movements"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    provider_ref: Mapped[str] = mapped_column(Text)
    amount: Mapped[Paise]
    currency: Mapped[Currency]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("provider", "provider_ref", "kind"),
        one_of("kind", ("capture", "refund")),
        Index("ix_money_movements_provider_created", "provider", "created_at"),
        CheckConstraint("CASE kind WHEN 'capture' THEN amount > 0 ELSE amount < 0 END", name="sign_fits_kind"),
        CheckConstraint("(kind = 'refund') = (refund_id IS NOT NULL)", name="refund_names_itself"),
        Index("uq_money_movements_refund", "refund_id", unique=True, postgresql_where=text("refund_id IS NOT NULL")),
    )


class Refund(Base):
    """Money on its way back to a shopper. ``amount`` counts against the capture until the refund fails.

    ``waived``: it was never paid, and is not asked for at the door; it moves no money.
    """

    __tablename__ = "refunds"

    id: Mapped[UuidPk]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=text("'initiated'"))
    amount: Mapped[Paise]
    shipping_amount: Mapped[ZeroPaise]
    currency: Mapped[Currency]
    reason: Mapped[str] = mapped_column(Text)
    provider_refund_id: Mapped[str | None] = mapped_column(Text)
    failure_code: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    submit_attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    next_submit_at: Mapped[CreatedAt]
    # when the gateway is asked next how it ended; NULL: nobody asks (any more)
    check_at: Mapped[MaybeInstant]
    check_attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    check_answer: Mapped[str | None] = mapped_column(Text)
    checked_at: Mapped[MaybeInstant]
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("kind", ("cancellation", "return", "goodwill", "late_payment", "amount_mismatch")),
        one_of("status", ("initiated", "submitted", "succeeded", "failed", "waived")),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("shipping_amount BETWEEN 0 AND amount", name="shipping_within_amount"),
        CheckConstraint("submit_attempts >= 0", name="submit_attempts_not_negative"),
        CheckConstraint("check_attempts >= 0", name="check_attempts_not_negative"),
        one_of("check_answer", REFUND_ANSWERS),
        Index("ix_refunds_to_check", "check_at", postgresql_where=text("check_at IS NOT NULL")),
        Index(
            "ix_refunds_unsettled", "updated_at", "id", postgresql_where=text("status NOT IN ('succeeded', 'waived')")
        ),
        Index("ix_refunds_to_submit", "next_submit_at", postgresql_where=text("status = 'initiated'")),
    )


class RefundItem(Base):
    """The part of a refund that is for one order line, and how many units go back on the shelf."""

    __tablename__ = "refund_items"

    id: Mapped[UuidPk]
    refund_id: Mapped[UUID] = mapped_column(ForeignKey("refunds.id"))
    order_item_id: Mapped[UUID] = mapped_column(ForeignKey("order_items.id"), index=True)
    quantity: Mapped[int] = mapped_column(Integer)
    amount: Mapped[Paise]
    restock: Mapped[bool]
    restocked_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))

    __table_args__ = (
        UniqueConstraint("refund_id", "order_item_id"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("restocked_quantity BETWEEN 0 AND quantity", name="restocked_within_quantity"),
        CheckConstraint("restock OR restocked_quantity = 0", name="restock_was_chosen"),
    )


class RefundApproval(Base):
    """A refund that staff asked for and that a second person must approve before any money moves.

    ``lines``, ``shipping_amount`` and ``goodwill_amount`` are what was asked; ``amount`` is what that came to.
    Whether a pending one is still good is decided by ``expires_at`` when it is decided; the sweeper only tidies.
    """

    __tablename__ = "refund_approvals"

    id: Mapped[UuidPk]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    lines: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    shipping_amount: Mapped[ZeroPaise]
    goodwill_amount: Mapped[int | None] = mapped_column(BigInteger)
    amount: Mapped[Paise]
    currency: Mapped[Currency]
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending'"))
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    decided_at: Mapped[MaybeInstant]
    note: Mapped[str | None] = mapped_column(Text)
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"), unique=True)
    expires_at: Mapped[Instant]
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("kind", ("cancellation", "return", "goodwill")),
        one_of("status", ("pending", "approved", "declined", "expired")),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("shipping_amount BETWEEN 0 AND amount", name="shipping_within_amount"),
        CheckConstraint("(kind = 'goodwill') = (goodwill_amount IS NOT NULL)", name="goodwill_has_amount"),
        CheckConstraint("goodwill_amount > 0", name="goodwill_positive"),
        CheckConstraint("decided_by <> requested_by", name="two_people"),
        CheckConstraint("(status IN ('approved', 'declined')) = (decided_by IS NOT NULL)", name="decided_by_somebody"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided_has_time"),
        CheckConstraint("(status = 'approved') = (refund_id IS NOT NULL)", name="approved_pays"),
        Index("ix_refund_approvals_due", "expires_at", postgresql_where=text("status = 'pending'")),
    )
