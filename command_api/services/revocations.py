"""Sessions that ended while their access tokens were still good, kept in Redis until those tokens expire.

Best effort on purpose: without Redis an access token outlives its session by at most ``access_token_seconds``; a
refresh is refused by PostgreSQL at once.
"""

from collections.abc import Sequence
from uuid import UUID

import redis.asyncio as redis

from app.core.config import Settings
from app.core.redis_aid import RedisAid
from app.core.security import CLOCK_LEEWAY_SECONDS


def key_of(session_id: UUID) -> str:
    """The Redis key that says a session is over."""
    return f"revoked:{session_id}"


class RedisRevocations:
    """Writes and reads the keys; a Redis that is away revokes nothing and refuses nobody."""

    def __init__(self, aid: RedisAid, settings: Settings) -> None:
        self._aid = aid
        self._seconds = settings.access_token_seconds + CLOCK_LEEWAY_SECONDS

    async def add(self, session_ids: Sequence[UUID]) -> None:
        """Refuse the access tokens of these sessions from now on."""
        if not session_ids:
            return

        async def write(client: redis.Redis) -> bool:
            async with client.pipeline(transaction=False) as pipeline:
                for session_id in session_ids:
                    pipeline.set(key_of(session_id), b"1", ex=self._seconds)
                await pipeline.execute()
            return True

        await self._aid.attempt(write)

    async def has(self, session_id: UUID) -> bool:
        """Whether that session was ended."""

        async def read(client: redis.Redis) -> bool:
            return await client.get(key_of(session_id)) is not None

        return bool(await self._aid.attempt(read))
