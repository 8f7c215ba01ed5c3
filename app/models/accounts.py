"""Shoppers, how they prove who they are, where they live, and what they wish for."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, Instant, MaybeInstant, UuidPk, Version, one_of


class User(Base):
    """A shopper (or a member of staff, who is a user with a row in staff_members)."""

    __tablename__ = "users"

    id: Mapped[UuidPk]
    phone: Mapped[str | None] = mapped_column(Text, unique=True)
    email: Mapped[str | None] = mapped_column(Text)
    full_name: Mapped[str | None] = mapped_column(Text)
    marketing_opt_in: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = mapped_column(Text, server_default=text("'active'"))
    default_address_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("addresses.id", use_alter=True, ondelete="SET NULL"), index=True
    )
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("status", ("active", "blocked", "erased")),
        CheckConstraint(r"phone ~ '^\+[1-9][0-9]{7,14}$'", name="phone_e164"),
        CheckConstraint("phone IS NOT NULL OR status = 'erased'", name="phone_unless_erased"),
        # staff look for shoppers by how a phone, an e-mail or a name begins
        Index("ix_users_phone_prefix", "phone", postgresql_ops={"phone": "text_pattern_ops"}),
        Index(
            "ix_users_email_prefix",
            func.lower(text("email")).label("prefix"),
            postgresql_ops={"prefix": "text_pattern_ops"},
        ),
        Index(
            "ix_users_name_prefix",
            func.lower(text("full_name")).label("prefix"),
            postgresql_ops={"prefix": "text_pattern_ops"},
        ),
    )


class OtpVerification(Base):
    """One one-time password sent to one phone; only its keyed hash is kept."""

    __tablename__ = "otp_verifications"

    id: Mapped[UuidPk]
    phone: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text, server_default=text("'login'"))
    code_hash: Mapped[bytes]
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending'"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    max_attempts: Mapped[int] = mapped_column(SmallInteger)
    request_ip: Mapped[str | None] = mapped_column(INET)
    expires_at: Mapped[Instant]
    verified_at: Mapped[MaybeInstant]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("status", ("pending", "verified", "superseded", "exhausted")),
        one_of("purpose", ("login", "staff_invite")),
        CheckConstraint("attempts BETWEEN 0 AND max_attempts", name="attempts_in_range"),
        Index(
            "uq_otp_verifications_pending", "phone", "purpose", unique=True, postgresql_where=text("status = 'pending'")
        ),
        Index("ix_otp_verifications_phone_created", "phone", "created_at"),
        Index("ix_otp_verifications_ip_created", "request_ip", "created_at"),
        Index("ix_otp_verifications_created", "created_at"),
    )


class Session(Base):
    """A login: the family of its rotated refresh tokens. Its id is the JWT's ``sid``."""

    __tablename__ = "sessions"

    id: Mapped[UuidPk]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[str] = mapped_column(Text, server_default=text("'active'"))
    revoked_reason: Mapped[str | None] = mapped_column(Text)
    user_agent: Mapped[str | None] = mapped_column(Text)
    ip: Mapped[str | None] = mapped_column(INET)
    expires_at: Mapped[Instant]
    last_used_at: Mapped[CreatedAt]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("status", ("active", "revoked")),
        one_of("revoked_reason", ("logout", "logout_all", "refresh_reuse", "blocked", "erased")),
        CheckConstraint("(status = 'revoked') = (revoked_reason IS NOT NULL)", name="revoked_has_reason"),
        Index("ix_sessions_expires", "expires_at"),
    )


class RefreshToken(Base):
    """One refresh token (its SHA-256) of a session; used once, then only a trap for reuse."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    expires_at: Mapped[Instant]
    used_at: Mapped[MaybeInstant]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash_sha256"),
        Index("ix_refresh_tokens_session_expires", "session_id", "expires_at"),
    )


class Address(Base):
    """A delivery address. Orders freeze a copy, so a shopper may change or remove it at will."""

    __tablename__ = "addresses"

    id: Mapped[UuidPk]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    label: Mapped[str | None] = mapped_column(Text)
    recipient_name: Mapped[str] = mapped_column(Text)
    phone: Mapped[str] = mapped_column(Text)
    line1: Mapped[str] = mapped_column(Text)
    line2: Mapped[str | None] = mapped_column(Text)
    landmark: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str] = mapped_column(Text)
    state_code: Mapped[str] = mapped_column(Text)
    pincode: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(Text, server_default=text("'IN'"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("pincode ~ '^[1-9][0-9]{5}$'", name="pincode_shape"),
        CheckConstraint("state_code ~ '^[A-Z]{2}$'", name="state_code_shape"),
        CheckConstraint("country = 'IN'", name="country_served"),
    )


class Wishlist(Base):
    """One product that one shopper wishes for."""

    __tablename__ = "wishlists"

    id: Mapped[UuidPk]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"), index=True)
    created_at: Mapped[CreatedAt]

    __table_args__ = (UniqueConstraint("user_id", "product_id"),)
