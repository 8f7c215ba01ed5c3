"""Sending events to the store as a gateway does: signed, repeated until they are taken, in any order asked for."""

import asyncio
import uuid
from typing import Any

import httpx
import orjson
import structlog

from app.core.security import sign_webhook

TRIES = 8
FIRST_PAUSE_SECONDS = 0.25
TIMEOUT_SECONDS = 10.0

log = structlog.get_logger(__name__)


def new_event(kind: str, **facts: object) -> dict[str, Any]:
    """An event with an id of its own; every delivery of it carries the same id."""
    return {"id": f"evt_{uuid.uuid4().hex}", "type": kind, **facts}


class EventSender:
    """Delivers events in the background. ``close`` waits for none that is still pausing."""

    def __init__(self, client: httpx.AsyncClient, webhook_url: str, secret: str) -> None:
        self._client = client
        self._url = webhook_url
        self._secret = secret
        self._tasks: set[asyncio.Task[None]] = set()

    def send_later(self, events: list[dict[str, Any]], delay_seconds: float = 0.0) -> None:
        """Deliver these after the delay, each after the one before it was taken or given up."""
        task = asyncio.create_task(self._deliver_all(events, delay_seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until everything that was to be sent is taken or given up: for tests."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver_all(self, events: list[dict[str, Any]], delay_seconds: float) -> None:
        await asyncio.sleep(delay_seconds)
        for event in events:
            await self._deliver(event)

    async def _deliver(self, event: dict[str, Any]) -> None:
        body = orjson.dumps(event)
        for attempt in range(TRIES):
            try:
                headers = {"Content-Type": "application/json", "Kirana-Signature": sign_webhook(self._secret, body)}
                answer = await self._client.post(self._url, content=body, headers=headers, timeout=TIMEOUT_SECONDS)
            except httpx.HTTPError as error:
                said = type(error).__name__
            else:
                if answer.is_success:
                    log.info("event_taken", event_id=event["id"], type=event["type"], answer=answer.json())
                    return
                said = f"{answer.status_code} {answer.text[:200]}"
            log.warning("event_not_taken", event_id=event["id"], type=event["type"], said=said)
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
