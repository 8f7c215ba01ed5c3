"""The sandbox gateway for tests, in the test's own process: the store and it talk with no network between them."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from app.core.config import Settings
from app.sandbox.gateway import Sandbox, create_sandbox
from command_api.services.gateway import HttpGateway
from tests.support.api import bearer, serving
from tests.support.paying import Document

STORE = "http://kirana.test/v1/webhooks/payments/sandbox"


@dataclass
class Played:
    """A sandbox in this process: a client of it, and the gateway client that the worker would have."""

    client: httpx.AsyncClient
    gateway: HttpGateway
    sandbox: Sandbox

    async def settled(self) -> None:
        await self.sandbox.events.settled()


@asynccontextmanager
async def playing(settings: Settings, store: httpx.AsyncClient) -> AsyncIterator[Played]:
    app = create_sandbox(settings, STORE, client=store)
    async with serving(app) as client:
        yield Played(client, HttpGateway(client, settings), app.state.sandbox)


async def pay(played: Played, payment: Document, **how: Any) -> Document:
    answer = await played.client.post("/pay", json={"payment_id": payment["id"], "amount": payment["amount"], **how})
    assert answer.status_code == 200, answer.text
    await played.settled()
    return answer.json()  # type: ignore[no-any-return]


async def begin_over_http(api: httpx.AsyncClient, settings: Settings, order: Document) -> Document:
    headers = bearer(settings, uuid.UUID(order["user_id"])) | {"Idempotency-Key": uuid.uuid4().hex}
    wish = {"method": "upi", "provider": "sandbox"}
    answer = await api.post(f"/v1/orders/{order['id']}/payments", json=wish, headers=headers)
    return answer.json()  # type: ignore[no-any-return]
