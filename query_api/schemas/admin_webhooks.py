"""What the GETs of webhooks answer."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


class AdminWebhook(BaseModel):
    """A subscriber and how it does. ``version`` is the ETag; its secret is nowhere to be read.

    ``event_position`` is the outbox position that its deliveries are laid out up to; ``pending`` of them are not
    delivered. ``failing_since`` is the first failure since the last success.
    """

    id: UUID
    url: str
    description: str | None
    types: list[str]
    topics: list[str]
    status: str
    disabled_reason: str | None
    previous_secret_until: datetime | None
    event_position: int
    consecutive_failures: int
    failing_since: datetime | None
    resume_at: datetime | None
    last_delivered_at: datetime | None
    pending: int
    oldest_pending_at: datetime | None
    created_by: UUID
    version: int
    created_at: datetime
    updated_at: datetime


class AdminWebhookList(BaseModel):
    """A page of webhooks."""

    items: list[AdminWebhook]
    next_cursor: str | None


class AdminDelivery(BaseModel):
    """An event for a webhook, and how its last attempt went. ``run`` grows with each replay.

    ``superseded``: a replay tells it again in a later run. ``failed``: given up after the last attempt.
    """

    event_position: int
    event_id: str
    run: int
    type: str
    subject: UUID
    status: str
    attempts: int
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_status_code: int | None
    last_error: str | None
    last_body: str | None
    last_duration_ms: int | None
    occurred_at: datetime
    created_at: datetime


class AdminDeliveryList(BaseModel):
    """A page of a delivery log."""

    items: list[AdminDelivery]
    next_cursor: str | None
