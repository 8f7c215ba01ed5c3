"""Settlement files of gateways and couriers: what they say they paid out, line by line beside our own ledger.

Fees and taxes are theirs and are kept beside: they never change an order.
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

from app.models.base import Base, CreatedAt, MaybeInstant, Paise, UuidPk, ZeroPaise, not_negative, one_of

# What the file's own lines are found to be, and what the ledger has that no file names.
SETTLED_STATUSES = ("matched", "amount_differs", "currency_differs")
LINE_STATUSES = (*SETTLED_STATUSES, "missing_in_ledger", "duplicate", "missing_at_gateway")
_SETTLED = "status IN ('matched', 'amount_differs', 'currency_differs')"


class SettlementFile(Base):
    """A file that was read, known by its contents. ``result`` is what was answered when its last line was in."""

    __tablename__ = "settlement_files"

    id: Mapped[UuidPk]
    provider: Mapped[str] = mapped_column(Text)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[str] = mapped_column(Text)
    layout: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    period_from: Mapped[MaybeInstant]
    period_to: Mapped[MaybeInstant]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    imported_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[CreatedAt]
    closed_at: Mapped[MaybeInstant]

    __table_args__ = (
        UniqueConstraint("provider", "sha256"),
        one_of("status", ("open", "closed")),
        CheckConstraint("length(sha256) = 32", name="sha256_is_whole"),
        CheckConstraint("period_from <= period_to", name="period_runs_forward"),
        CheckConstraint(
            "(status = 'closed') = (result IS NOT NULL) AND (status = 'closed') = (closed_at IS NOT NULL)",
            name="closed_has_result",
        ),
    )


class Settlement(Base):
    """One payout of a gateway, by its id; the totals are those of its lines, counted when a file of it ends."""

    __tablename__ = "settlements"

    id: Mapped[UuidPk]
    provider: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    utr: Mapped[str | None] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    settled_at: Mapped[MaybeInstant]
    line_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    matched_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    payment_total: Mapped[ZeroPaise]
    refund_total: Mapped[ZeroPaise]
    fee_total: Mapped[ZeroPaise]
    tax_total: Mapped[ZeroPaise]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("provider", "reference"),
        *not_negative("payment_total", "refund_total"),
        # a gateway gives a fee back with a refund, so these have either sign
        CheckConstraint("greatest(abs(fee_total), abs(tax_total)) <= 10::numeric ^ 18", name="fees_in_range"),
        CheckConstraint("matched_count BETWEEN 0 AND line_count", name="counts_in_range"),
    )


class SettlementLine(Base):
    """One line of a file, and what it was found to be when it was read; or a movement that no file names.

    Append-only. ``amount`` is positive for payments and refunds; ``fee`` is without its ``tax``.
    """

    __tablename__ = "settlement_lines"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_files.id"))
    line_no: Mapped[int | None] = mapped_column(Integer)
    settlement_id: Mapped[UUID | None] = mapped_column(ForeignKey("settlements.id"))
    row_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    provider: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    provider_ref: Mapped[str] = mapped_column(Text)
    our_id: Mapped[UUID | None]
    amount: Mapped[Paise]
    fee: Mapped[ZeroPaise]
    tax: Mapped[ZeroPaise]
    currency: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[MaybeInstant]
    settled_at: Mapped[MaybeInstant]
    status: Mapped[str] = mapped_column(Text)
    movement_id: Mapped[int | None] = mapped_column(ForeignKey("money_movements.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("file_id", "line_no"),
        one_of("kind", ("payment", "refund")),
        one_of("status", LINE_STATUSES),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("greatest(abs(fee), abs(tax)) <= 10::numeric ^ 15", name="fees_in_range"),
        CheckConstraint(
            "CASE WHEN status = 'missing_at_gateway' THEN line_no IS NULL AND settlement_id IS NULL"
            " AND row_hash IS NULL ELSE line_no > 0 AND settlement_id IS NOT NULL AND length(row_hash) = 32 END",
            name="lines_come_from_files",
        ),
        CheckConstraint(
            "CASE status WHEN 'missing_in_ledger' THEN movement_id IS NULL WHEN 'duplicate' THEN true"
            " ELSE movement_id IS NOT NULL END",
            name="verdict_fits_movement",
        ),
        Index("uq_settlement_lines_settled", "movement_id", unique=True, postgresql_where=text(_SETTLED)),
        Index(
            "uq_settlement_lines_missing",
            "movement_id",
            unique=True,
            postgresql_where=text("status = 'missing_at_gateway'"),
        ),
        Index("ix_settlement_lines_movement_id", "movement_id"),
        Index("ix_settlement_lines_settlement", "settlement_id", "row_hash"),
        Index("ix_settlement_lines_ref", "provider", "kind", "provider_ref"),
        Index("ix_settlement_lines_differing", "id", postgresql_where=text("status <> 'matched'")),
    )


class SettlementResolution(Base):
    """What became of a line that differed: the ledger or a later file caught up, or a person closed it. Append-only."""

    __tablename__ = "settlement_resolutions"

    line_id: Mapped[int] = mapped_column(ForeignKey("settlement_lines.id"), primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text)
    movement_id: Mapped[int | None] = mapped_column(ForeignKey("money_movements.id"), unique=True)
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("kind", ("booked_later", "settled_later", "closed")),
        CheckConstraint("(kind = 'booked_later') = (movement_id IS NOT NULL)", name="booked_names_movement"),
        CheckConstraint(
            "(kind = 'closed') = (staff_id IS NOT NULL) AND (kind = 'closed') = (note IS NOT NULL)",
            name="closed_by_somebody",
        ),
        CheckConstraint("length(note) BETWEEN 1 AND 1000", name="note_length"),
    )
