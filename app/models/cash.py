"""Cash that couriers took at the door, and what they have handed over of it since.

A remittance is what a courier pays out at one time, order by order. It is no settlement of a gateway: a gateway pays a
capture once and whole, so a line ticks it off; a courier owes a balance, which several payments may bring down.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import (
    Base,
    CreatedAt,
    Instant,
    MaybeInstant,
    Paise,
    UuidPk,
    Version,
    ZeroPaise,
    not_negative,
    one_of,
)
from app.models.words import COD_LINE_STATUSES

# A line whose order has no cash booked yet waits for it (unknown: its order is not even known); others are judged.


class CodCollection(Base):
    """The cash of one order, from the door to our account. What is left of ``amount`` is with ``courier``.

    ``courier`` is the carrier's name in lower case; null when nobody said who brought the order.
    """

    __tablename__ = "cod_collections"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), unique=True)
    shipment_id: Mapped[UUID | None] = mapped_column(ForeignKey("shipments.id"), index=True)
    courier: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Paise]
    currency: Mapped[str] = mapped_column(Text)
    remitted: Mapped[ZeroPaise]
    fee: Mapped[ZeroPaise]
    written_off: Mapped[ZeroPaise]
    version: Mapped[Version]
    collected_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        *not_negative("remitted", "fee", "written_off"),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("remitted + fee + written_off <= amount", name="no_more_than_was_taken"),
        CheckConstraint("courier = lower(btrim(courier)) AND courier <> ''", name="courier_shape"),
        Index(
            "ix_cod_collections_outstanding",
            "courier",
            "collected_at",
            postgresql_where=text("remitted + fee + written_off < amount"),
        ),
        Index("ix_cod_collections_collected", "collected_at", "order_id"),
    )


class CodRemittance(Base):
    """What a courier paid out at one time, known by his reference. ``amount`` is the sum of its lines' amounts.

    ``content_hash`` is that of the lines: the same reference with others is another paper. ``result`` counts verdicts.
    """

    __tablename__ = "cod_remittances"

    id: Mapped[UuidPk]
    courier: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    amount: Mapped[Paise]
    fee: Mapped[Paise]
    currency: Mapped[str] = mapped_column(Text)
    line_count: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    received_at: Mapped[Instant]
    recorded_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[CreatedAt]
    settled_at: Mapped[MaybeInstant]

    __table_args__ = (
        UniqueConstraint("courier", "reference"),
        one_of("status", ("open", "settled")),
        *not_negative("amount", "fee"),
        CheckConstraint("line_count > 0", name="line_count_positive"),
        CheckConstraint("length(content_hash) = 32", name="content_hash_is_whole"),
        CheckConstraint("courier = lower(btrim(courier)) AND courier <> ''", name="courier_shape"),
        CheckConstraint(
            "(status = 'settled') = (result IS NOT NULL) AND (status = 'settled') = (settled_at IS NOT NULL)",
            name="settled_has_result",
        ),
    )


class CodRemittanceLine(Base):
    """One order of a remittance: what was paid for it, the fee the courier kept, and how that fits what he took.

    ``due`` is what he owed of the order before this line; the ``applied`` amounts are what of the line paid that.
    """

    __tablename__ = "cod_remittance_lines"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    remittance_id: Mapped[UUID] = mapped_column(ForeignKey("cod_remittances.id"))
    line_no: Mapped[int] = mapped_column(Integer)
    tracking_number: Mapped[str | None] = mapped_column(Text)
    order_number: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Paise]
    fee: Mapped[Paise]
    status: Mapped[str] = mapped_column(Text, server_default=text("'unknown'"))
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id"), index=True)
    due: Mapped[int | None] = mapped_column(BigInteger)
    applied_amount: Mapped[ZeroPaise]
    applied_fee: Mapped[ZeroPaise]
    resolution: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    resolved_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    resolved_at: Mapped[MaybeInstant]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("remittance_id", "line_no"),
        one_of("status", COD_LINE_STATUSES),
        one_of("resolution", ("paid_later", "written_off", "closed")),
        CheckConstraint("line_no > 0", name="line_no_positive"),
        CheckConstraint("tracking_number IS NOT NULL OR order_number IS NOT NULL", name="names_something"),
        CheckConstraint("amount >= 0 AND fee >= 0 AND amount + fee > 0", name="amounts_say_something"),
        CheckConstraint(
            "applied_amount BETWEEN 0 AND amount AND applied_fee BETWEEN 0 AND fee", name="applied_in_range"
        ),
        CheckConstraint(
            "CASE status WHEN 'matched' THEN coalesce(due, -1) = amount + fee"
            " WHEN 'short' THEN coalesce(due, -1) > amount + fee"
            " WHEN 'over' THEN coalesce(due, -1) BETWEEN 1 AND amount + fee - 1"
            " WHEN 'already_remitted' THEN coalesce(due, -1) = 0 ELSE due IS NULL END",
            name="verdict_fits_due",
        ),
        CheckConstraint("applied_amount + applied_fee = least(amount + fee, coalesce(due, 0))", name="applied_is_due"),
        CheckConstraint("(order_id IS NULL) = (status = 'unknown')", name="known_names_order"),
        CheckConstraint(
            "(resolution IS NULL) = (resolved_at IS NULL) AND (resolution IS NULL OR status <> 'matched')",
            name="resolved_differences",
        ),
        CheckConstraint(
            "coalesce(resolution IN ('written_off', 'closed'), false) = (resolved_by IS NOT NULL)"
            " AND (resolved_by IS NULL) = (note IS NULL)",
            name="resolved_by_somebody",
        ),
        CheckConstraint("length(note) BETWEEN 1 AND 1000", name="note_length"),
        Index(
            "ix_cod_remittance_lines_differing",
            "id",
            postgresql_where=text("status <> 'matched' AND resolution IS NULL"),
        ),
    )
