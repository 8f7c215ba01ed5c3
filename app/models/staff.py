"""Who may run the store, what each role may do, and what each of them did."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, Instant, MaybeInstant, UuidPk, one_of
from app.models.words import STAFF_ROLES


class StaffMember(Base):
    """A user who works for the store, in one role."""

    __tablename__ = "staff_members"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[str] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    added_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (one_of("role", STAFF_ROLES),)


class StaffInvitation(Base):
    """An offer to a phone to work for the store in a role; a phone has at most one that is open.

    Whether an open one is still good is decided by ``expires_at`` when it is used; the sweeper only tidies.
    """

    __tablename__ = "staff_invitations"

    id: Mapped[UuidPk]
    phone: Mapped[str] = mapped_column(Text, index=True)
    role: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    invited_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    accepted_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    expires_at: Mapped[Instant]
    closed_at: Mapped[MaybeInstant]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("role", STAFF_ROLES),
        one_of("status", ("open", "accepted", "revoked", "expired")),
        CheckConstraint(r"phone ~ '^\+[1-9][0-9]{7,14}$'", name="phone_e164"),
        CheckConstraint("(status = 'open') = (closed_at IS NULL)", name="closed_has_time"),
        CheckConstraint("(status = 'accepted') = (accepted_by IS NOT NULL)", name="accepted_by_somebody"),
        Index("uq_staff_invitations_open", "phone", unique=True, postgresql_where=text("status = 'open'")),
        Index("ix_staff_invitations_due", "expires_at", postgresql_where=text("status = 'open'")),
    )


class StaffRolePermission(Base):
    """What a role may do; seeded by a migration, read by record_staff_action."""

    __tablename__ = "staff_role_permissions"

    role: Mapped[str] = mapped_column(Text, primary_key=True)
    permission: Mapped[str] = mapped_column(Text, primary_key=True)

    __table_args__ = (one_of("role", STAFF_ROLES),)


class StaffAction(Base):
    """Audit of one staff write: who, what, on what, before and after, from where. Append-only."""

    __tablename__ = "staff_actions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    permission: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    subject_type: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    ip: Mapped[str | None] = mapped_column(INET)
    request_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]

    __table_args__ = (Index("ix_staff_actions_subject", "subject_type", "subject_id"),)
