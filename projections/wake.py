"""Hearing the bell: the command API publishes on a Redis channel after each command; a lost ring costs a poll."""

import asyncio
from collections.abc import Callable

import redis.asyncio as redis
import structlog

from app.core.config import NotConfigured, Settings
from app.core.redis_clients import AWAY, one_node
from app.core.wake import WAKE_CHANNEL
from projections.books import pause

LISTEN_SECONDS = 0.5
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 5.0

log = structlog.get_logger(__name__)


async def listen(settings: Settings, wake: Callable[[], None], stop: asyncio.Event) -> None:
    """Call ``wake`` at each ring until ``stop``; a Redis that is away is looked for again, ever more patiently."""
    backoff = FIRST_BACKOFF_SECONDS
    while not stop.is_set():
        try:
            # a cluster passes a message on to all its nodes, so any one of them will do
            client = redis.Redis.from_url(one_node(settings.redis_dsn()), socket_connect_timeout=1.0)
            async with client, client.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(WAKE_CHANNEL)
                backoff = FIRST_BACKOFF_SECONDS
                while not stop.is_set():
                    if await channel.get_message(timeout=LISTEN_SECONDS) is not None:
                        wake()
        except (*AWAY, NotConfigured) as error:
            log.warning("bell_away", error=str(error), retry_in=backoff)
            await pause(stop, backoff)
            backoff = min(backoff * 2, LAST_BACKOFF_SECONDS)
