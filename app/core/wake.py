"""The projector's bell: a best-effort PUBLISH after a command, so that views follow in milliseconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio as redis

from app.core.config import Settings
from app.core.metrics import current_metrics
from app.core.redis_clients import AWAY, new_client

WAKE_CHANNEL = "kirana:wake"
REDIS_TIMEOUT_SECONDS = 0.25


@asynccontextmanager
async def redis_client(settings: Settings) -> AsyncIterator[redis.Redis]:
    """A Redis client that gives up quickly: Redis is an aid here, never a condition."""
    client = new_client(settings.redis_dsn(), REDIS_TIMEOUT_SECONDS)
    try:
        yield client
    finally:
        await client.aclose()


class ProjectorWake:
    """Rings without making the caller wait; one ring under way serves all commands of that moment."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._ringing: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Tell the projector that there is something to read. Never raises, never waits."""
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._publish())

    async def _publish(self) -> None:
        try:
            await self._client.publish(WAKE_CHANNEL, b"1")
        except AWAY:
            # The projector polls anyway; a lost ring costs a quarter of a second.
            current_metrics().redis_failures.labels("wake").inc()
