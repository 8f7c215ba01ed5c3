"""What the machinery itself keeps: settings, idempotency keys, the outbox, and which procedures are installed."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, Instant, Paise, Version, not_negative, one_of


class StoreSettings(Base):
    """The store's rules as numbers: one row, read by the procedures. Amounts in paise, times in seconds.

    Staff change it with save_settings; ``refund_approval_above`` NULL turns the two-person rule off.
    """

    __tablename__ = "store_settings"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default=text("1"))
    seller_state_code: Mapped[str] = mapped_column(Text, server_default=text("'KA'"))
    hold_seconds: Mapped[int] = mapped_column(Integer, server_default=text("900"))
    max_cart_lines: Mapped[int] = mapped_column(Integer, server_default=text("1000"))
    max_line_quantity: Mapped[int] = mapped_column(Integer, server_default=text("100000"))
    max_cart_coupons: Mapped[int] = mapped_column(Integer, server_default=text("5"))
    cod_max_total: Mapped[Paise] = mapped_column(server_default=text("5000000"))
    otp_seconds: Mapped[int] = mapped_column(Integer, server_default=text("300"))
    otp_max_attempts: Mapped[int] = mapped_column(Integer, server_default=text("5"))
    otp_resend_seconds: Mapped[int] = mapped_column(Integer, server_default=text("30"))
    otp_per_phone_hour: Mapped[int] = mapped_column(Integer, server_default=text("5"))
    otp_per_ip_hour: Mapped[int] = mapped_column(Integer, server_default=text("30"))
    session_seconds: Mapped[int] = mapped_column(Integer, server_default=text("2592000"))
    idempotency_seconds: Mapped[int] = mapped_column(Integer, server_default=text("2592000"))
    return_window_seconds: Mapped[int] = mapped_column(Integer, server_default=text("864000"))
    refund_approval_above: Mapped[int | None] = mapped_column(BigInteger, server_default=text("1000000"))
    refund_approval_seconds: Mapped[int] = mapped_column(Integer, server_default=text("604800"))
    invitation_seconds: Mapped[int] = mapped_column(Integer, server_default=text("604800"))
    version: Mapped[Version]
    updated_at: Mapped[CreatedAt]
    low_stock_threshold: Mapped[int] = mapped_column(Integer, server_default=text("5"))
    returns_need_approval: Mapped[bool] = mapped_column(server_default=text("false"))
    seller_name: Mapped[str] = mapped_column(Text, server_default=text("'Kirana'"))
    seller_gstin: Mapped[str | None] = mapped_column(Text)
    seller_address: Mapped[str] = mapped_column(Text, server_default=text("''"))
    reviews_need_moderation: Mapped[bool] = mapped_column(server_default=text("true"))

    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint(
            "seller_gstin ~ '^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]$'",
            name="seller_gstin_shape",
        ),
        CheckConstraint(
            "least(hold_seconds, max_cart_lines, max_line_quantity, max_cart_coupons, otp_seconds, otp_max_attempts,"
            " otp_per_phone_hour, otp_per_ip_hour, session_seconds, idempotency_seconds) > 0",
            name="limits_positive",
        ),
        CheckConstraint("least(refund_approval_seconds, invitation_seconds) > 0", name="requests_last"),
        *not_negative(
            "cod_max_total",
            "otp_resend_seconds",
            "return_window_seconds",
            "refund_approval_above",
            "low_stock_threshold",
        ),
    )


class IdempotencyKey(Base):
    """A command that was done: same principal, operation, key and body get the stored answer again."""

    __tablename__ = "idempotency_keys"

    principal: Mapped[str] = mapped_column(Text, primary_key=True)
    operation: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    result: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]

    __table_args__ = (
        CheckConstraint("length(key) BETWEEN 1 AND 255", name="key_length"),
        Index("ix_idempotency_keys_expires", "expires_at"),
    )


class Outbox(Base):
    """What changed, appended in the transaction that changed it. Append-only; partitioned by position.

    ``topic`` and ``view_key`` name the view row it touches (a product or an order; nothing for ``operations``);
    ``aggregate_*`` what changed.
    """

    __tablename__ = "outbox"

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True, cache=1), primary_key=True)
    topic: Mapped[str] = mapped_column(Text)
    view_key: Mapped[UUID] = mapped_column(Uuid)
    aggregate_type: Mapped[str] = mapped_column(Text)
    aggregate_id: Mapped[UUID] = mapped_column(Uuid)
    aggregate_version: Mapped[int] = mapped_column(BigInteger)
    type: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    traceparent: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("topic", ("catalog", "orders", "operations")),
        {"postgresql_partition_by": "RANGE (position)"},
    )


class ProcedureChecksum(Base):
    """Which text of each procedure was installed last, and what the database made of it."""

    __tablename__ = "procedure_checksums"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    file_sha256: Mapped[str] = mapped_column(Text)
    definition_md5: Mapped[str] = mapped_column(Text)
    installed_at: Mapped[CreatedAt]
