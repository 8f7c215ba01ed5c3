"""Events out: who is told by webhook, every delivery, and how far the relay to Redis Streams is."""

from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, Instant, MaybeInstant, UuidPk, Version, one_of

SUBSCRIBER_STATUSES = ("active", "paused", "disabled", "deleted")
DELIVERY_STATUSES = ("pending", "delivered", "failed", "superseded")


class WebhookSubscriber(Base):
    """A receiver of events. ``position`` is the outbox position that its deliveries are laid out up to.

    Secrets are encrypted by the application (KIRANA_WEBHOOK_ENCRYPTION_KEYS); the database never sees one.
    ``run`` grows with each replay. ``failing_since`` is the first failure since the last success.
    """

    __tablename__ = "webhook_subscribers"

    id: Mapped[UuidPk]
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    topics: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[str] = mapped_column(Text, server_default=text("'active'"))
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(Text)
    previous_secret: Mapped[str | None] = mapped_column(Text)
    previous_secret_until: Mapped[MaybeInstant]
    run: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    position: Mapped[int] = mapped_column(BigInteger)
    consecutive_failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    failing_since: Mapped[MaybeInstant]
    resume_at: Mapped[MaybeInstant]
    last_delivered_at: Mapped[MaybeInstant]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("status", SUBSCRIBER_STATUSES),
        CheckConstraint("url ~ '^https?://' AND length(url) <= 2000", name="url_shape"),
        CheckConstraint("cardinality(types) BETWEEN 1 AND 50", name="types_in_range"),
        CheckConstraint(
            "cardinality(topics) >= 1 AND topics <@ ARRAY['catalog', 'orders', 'operations']", name="topics_known"
        ),
        CheckConstraint("(status = 'disabled') = (disabled_reason IS NOT NULL)", name="disabled_has_reason"),
        CheckConstraint(
            "(previous_secret IS NULL) = (previous_secret_until IS NULL)", name="previous_secret_has_an_end"
        ),
        CheckConstraint("consecutive_failures >= 0 AND run >= 1 AND position >= 0", name="counters_not_negative"),
    )


class WebhookDelivery(Base):
    """One event for one subscriber, and how its last attempt went. ``claim`` names the attempt under way.

    ``next_attempt_at`` is also the end of the attempt's lease: a worker that dies leaves it to the next one.
    """

    __tablename__ = "webhook_deliveries"

    subscriber_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_subscribers.id"), primary_key=True)
    run: Mapped[int] = mapped_column(Integer, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    view_key: Mapped[UUID] = mapped_column(Uuid)
    type: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending'"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    next_attempt_at: Mapped[Instant] = mapped_column(DateTime(timezone=True), server_default=func.now())
    claim: Mapped[UUID | None] = mapped_column(Uuid)
    last_attempt_at: Mapped[MaybeInstant]
    last_status_code: Mapped[int | None] = mapped_column(SmallInteger)
    last_error: Mapped[str | None] = mapped_column(Text)
    last_body: Mapped[str | None] = mapped_column(Text)
    last_duration_ms: Mapped[int | None] = mapped_column(Integer)
    occurred_at: Mapped[Instant] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("status", DELIVERY_STATUSES),
        CheckConstraint("run >= 1 AND attempts >= 0", name="counters_not_negative"),
        CheckConstraint("last_status_code BETWEEN 100 AND 599", name="status_code_in_range"),
        CheckConstraint("last_duration_ms >= 0", name="duration_not_negative"),
        CheckConstraint("length(last_body) <= 2000 AND length(last_error) <= 500", name="texts_are_short"),
        CheckConstraint("claim IS NULL OR status = 'pending'", name="claims_are_pending"),
        Index(
            "ix_webhook_deliveries_pending",
            "subscriber_id",
            "position",
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "ix_webhook_deliveries_order",
            "subscriber_id",
            "view_key",
            "position",
            postgresql_where=text("status = 'pending'"),
        ),
        Index("ix_webhook_deliveries_ended", "created_at", postgresql_where=text("status <> 'pending'")),
    )


class EventRelay(Base):
    """How far a relay has carried the outbox; ``name`` is ``redis``."""

    __tablename__ = "event_relays"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (CheckConstraint("position >= 0", name="position_not_negative"),)
