"""Webhooks on a database of the test's own, with receivers on this machine allowed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app.core.config import Settings
from app.core.database import command_pool
from app.events.sender import sender
from app.events.signing import Keyring
from app.outbound.deliveries import Deliveries, Pace
from tests.support.builders import call, idempotent, make_staff, one
from tests.support.databases import Database
from tests.support.projecting import announce
from tests.support.receiver import Receiver, receiving

Connection = psycopg.Connection[Any]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def settings(database: Database) -> Settings:
    """As everywhere; this machine may be told."""
    return database.settings.model_copy(update={"webhook_allowed_networks": ("127.0.0.0/8",)})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything, unless its ``answer`` is set."""
    with receiving() as started:
        yield started


@pytest.fixture
def subscribe(settings: Settings, owner: Connection, command: Connection) -> Callable[..., UUID]:
    """``subscribe(url)`` makes a subscriber by CALL, as an owner; its id."""
    staff = make_staff(owner)

    def made(url: str, types: list[str] | None = None, topics: list[str] | None = None, **more: object) -> UUID:
        facts: dict[str, object] = {
            "p_staff_id": staff,
            "p_url": url,
            "p_description": None,
            "p_types": types or ["*"],
            "p_topics": topics or ["catalog", "orders", "operations"],
            "p_secret": Keyring(settings).encrypt(SECRET),
        }
        return UUID(call(command, "create_webhook", **idempotent(), **(facts | more))["id"])

    return made


@pytest.fixture
async def deliveries(settings: Settings) -> AsyncIterator[Deliveries]:
    """What the worker runs, at the test's own pace."""
    async with delivering(settings) as made:
        yield made


@asynccontextmanager
async def delivering(settings: Settings, pace: Pace | None = None) -> AsyncIterator[Deliveries]:
    async with command_pool(settings) as pool, sender(settings) as sending:
        yield Deliveries(pool, sending, Keyring(settings), pace or Pace())


def events(owner: Connection, subject: UUID, count: int = 1) -> int:
    """Append ``product.saved`` events of one product; the last position."""
    return announce(owner, subject, count=count)


def due_now(owner: Connection) -> None:
    """Time passes: every pending delivery is due, every lease is over, every receiver may be asked again."""
    owner.execute(
        "UPDATE store.webhook_deliveries SET next_attempt_at = now() - interval '1 second' WHERE status = 'pending'"
    )
    owner.execute("UPDATE store.webhook_subscribers SET resume_at = NULL")


def statuses(owner: Connection, webhook: UUID) -> dict[str, int]:
    """How many deliveries of a subscriber there are, by status."""
    rows = owner.execute(
        "SELECT status, count(*) FROM store.webhook_deliveries WHERE subscriber_id = %s GROUP BY 1", (webhook,)
    ).fetchall()
    return dict(rows)


def subscriber(owner: Connection, webhook: UUID, column: str) -> Any:
    """One column of a subscriber."""
    return one(owner, f"SELECT {column} FROM store.webhook_subscribers WHERE id = %s", webhook)


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for it; what it is about may happen in another thread or process."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)
