"""An API of a test's own, spoken to over HTTP, with its lifespan running; and callers who are logged in."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
import orjson
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from app.core.config import Settings
from app.core.security import issue_access_token


@asynccontextmanager
async def serving(app: FastAPI, peer: str = "203.0.113.7") -> AsyncIterator[httpx.AsyncClient]:
    """A client of ``app``, which runs from its lifespan's start to its end; ``peer`` is the client's address."""
    async with LifespanManager(app) as manager:
        transport = httpx.ASGITransport(manager.app, client=(peer, 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://kirana.test") as client:
            yield client


def bearer(
    settings: Settings, user_id: UUID, role: str | None = None, session_id: UUID | None = None
) -> dict[str, str]:
    """The Authorization header of a user, with no login behind it."""
    token = issue_access_token(settings, user_id, session_id or uuid.uuid4(), role)
    return {"Authorization": f"Bearer {token}"}


def sent_code(settings: Settings, phone: str) -> str:
    """The code that the file sender wrote for this phone."""
    content = (settings.data_dir / "otp" / f"{phone.removeprefix('+')}.json").read_bytes()
    code: str = orjson.loads(content)["code"]
    return code


async def log_in(client: httpx.AsyncClient, settings: Settings, phone: str, **headers: str) -> dict[str, object]:
    """Ask for a code, verify it; the tokens' document."""
    asked = await client.post("/v1/auth/otp", json={"phone": phone})
    assert asked.status_code == 202, asked.text
    body = {"phone": phone, "code": sent_code(settings, phone)}
    verified = await client.post("/v1/auth/otp/verify", json=body, headers=headers)
    assert verified.status_code == 200, verified.text
    document: dict[str, object] = verified.json()
    return document
