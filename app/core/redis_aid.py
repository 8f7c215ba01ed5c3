"""Redis where it is an aid: asked when it is there, done without when it is not."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis.asyncio as redis
import structlog

from app.core.metrics import current_metrics
from app.core.redis_clients import AWAY

PAUSE_SECONDS = 1.0

Answer = TypeVar("Answer")
log = structlog.get_logger(__name__)


class RedisAid:
    """Runs operations that may fail: an error or a time-out answers None, and Redis is left alone for a second.

    The pause keeps a Redis that hangs from adding its time-out to every request.
    """

    def __init__(self, client: redis.Redis, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._client = client
        self._pause_seconds = pause_seconds
        self._resume_at = 0.0

    async def attempt(self, operation: Callable[[redis.Redis], Awaitable[Answer]]) -> Answer | None:
        """What ``operation`` answers, or None when Redis is away. Never raises a Redis or network error."""
        if time.monotonic() < self._resume_at:
            return None
        try:
            return await operation(self._client)
        except AWAY as error:
            self._resume_at = time.monotonic() + self._pause_seconds
            current_metrics().redis_failures.labels("aid").inc()
            log.warning("redis_away", error=str(error))
            return None
