"""Bodies and answers of webhooks as staff keep them."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.events.catalogue import PATTERN, TYPES, unknown_patterns
from app.events.targets import MAX_URL
from command_api.schemas.base import Body, Line

Url = Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL, pattern=r"^[\x21-\x7e]+$")]
Pattern = Annotated[str, StringConstraints(max_length=60, pattern=PATTERN)]
Topic = Literal["catalog", "orders", "operations"]
EXAMPLE: dict[str, Any] = {
    "url": "https://erp.example/hooks/kirana",
    "description": "The ERP books what is sold.",
    "types": ["order.*", "refund.succeeded"],
    "topics": ["orders"],
}


class WebhookDefinition(Body):
    """Whom to tell of what. ``types`` are types of docs/events.md, ``order.*``, or ``*``; topics narrow them."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    url: Url
    description: Line | None = None
    types: Annotated[list[Pattern], Field(min_length=1, max_length=50)] = Field(default_factory=lambda: ["*"])
    topics: Annotated[list[Topic], Field(min_length=1, max_length=3)] = Field(
        default_factory=lambda: list(get_args(Topic))
    )

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if unknown := unknown_patterns(self.types):
            raise ValueError(f"there is no event {unknown[0]}: the types are {', '.join(one.name for one in TYPES)}")
        return self


class WebhookChange(WebhookDefinition):
    """The same, and whether it is told anything now. Active also ends a ``disabled``."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE | {"status": "active"}]})

    status: Literal["active", "paused"] = "active"


class Rotation(Body):
    """For how many seconds events are signed with the old secret too; a day by default, 0 for not at all."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_seconds": 86_400}]})

    overlap_seconds: Annotated[int, Field(ge=0, le=7 * 86_400)] = 86_400


class Replay(Body):
    """Everything after this outbox position is told again, in order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from_position": 120_000}]})

    from_position: Annotated[int, Field(ge=0, le=2**62)]


class Webhook(BaseModel):
    """A subscriber. ``version`` is its ETag; ``event_position`` is where it is in the outbox."""

    id: UUID
    url: str
    description: str | None
    types: list[str]
    topics: list[str]
    status: Literal["active", "paused", "disabled", "deleted"]
    disabled_reason: str | None
    previous_secret_until: datetime | None
    event_position: int
    version: int
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(Webhook):
    """The only answers that hold the secret: keep it, it is not shown again."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class ReplayedWebhook(Webhook):
    """``behind`` is how many positions there are to go through."""

    behind: int


class Redelivery(BaseModel):
    """The event is told once more, as soon as the ones before it of the same aggregate are."""

    webhook_id: UUID
    event_position: int
    type: str
    status: Literal["pending"]
    status_before: str


class TestResult(BaseModel):
    """How the receiver took a ``webhook.ping``: its status code and the beginning of its answer, or the error."""

    delivered: bool
    status_code: int | None
    error: str | None
    body: str | None
    duration_ms: int
    event: dict[str, Any]
