"""The seam to payment gateways, outside any transaction: refunds are sent, and what became of them is asked.

A refund: between two short transactions, ``submit_refunds`` which picks what is due and puts off the next try, and
``mark_refund_submitted`` which notes the answer. Whatever is lost in between is sent again under the same key, by which
the gateway knows it: the refund's id and version. What is asked, and when, is gateway_checks.py's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httpx
import orjson
import structlog
from pydantic import BaseModel, ValidationError

from app.core.config import Settings
from app.core.database import CommandPool
from app.core.security import sign_webhook
from command_api.schemas.gateway import PaymentAnswer, RefundAnswer
from command_api.services.procedures import call

BATCH = 50
AT_ONCE = 8
CONNECT_SECONDS = 2.0
# What a gateway answers when it will never make this refund. Everything else may be its trouble, or ours, of today.
REFUSED_STATUSES = frozenset({400, 422})
LONGEST_CODE = 100

Answer = TypeVar("Answer", bound=BaseModel)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DueRefund:
    """A refund to send: ``amount`` in paise; ``key`` is the same for every try of one submission."""

    refund_id: str
    payment_id: str
    provider: str
    provider_payment_id: str
    amount: int
    currency: str
    key: str


class GatewayAway(Exception):
    """The gateway did not answer, or not yes or no: nothing is known, so it is asked again later."""


class GatewayRefused(Exception):
    """The gateway will not make this refund; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Gateway(Protocol):
    """Makes refunds, and says what became of payments and refunds."""

    async def refund(self, due: DueRefund) -> str:
        """The gateway's id of the refund it has accepted. Raises GatewayAway or GatewayRefused."""
        ...

    async def payment_status(self, provider: str, payment_id: str, provider_payment_id: str | None) -> PaymentAnswer:
        """What it knows of an attempt of ours. Raises GatewayAway."""
        ...

    async def refund_status(self, provider: str, refund_id: str, provider_refund_id: str | None) -> RefundAnswer:
        """What it knows of a refund of ours. Raises GatewayAway."""
        ...


class HttpGateway:
    """HTTP, JSON and a signature over the body, as docs/payment-protocol.md has it."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    async def refund(self, due: DueRefund) -> str:
        """``POST <url>/refunds``: ``2xx {"provider_refund_id"}`` accepts, 400 and 422 refuse."""
        body = {
            "refund_id": due.refund_id,
            "payment_id": due.payment_id,
            "provider_payment_id": due.provider_payment_id,
            "amount": due.amount,
            "currency": due.currency,
        }
        response = await self._post(due.provider, "/refunds", body, {"Idempotency-Key": due.key})
        answer = _json_object(response)
        if response.status_code in REFUSED_STATUSES:
            raise GatewayRefused(str(answer.get("code") or f"http_{response.status_code}")[:LONGEST_CODE])
        given = answer.get("provider_refund_id")
        if not response.is_success or not isinstance(given, str) or not given:
            raise GatewayAway(f"it answered {response.status_code}")
        return given

    async def payment_status(self, provider: str, payment_id: str, provider_payment_id: str | None) -> PaymentAnswer:
        """``POST <url>/payments/lookup``: ``200 {"payments": [...], "open"}``; no payments is an empty list."""
        body = {"payment_id": payment_id, "provider_payment_id": provider_payment_id}
        return _answered(PaymentAnswer, await self._post(provider, "/payments/lookup", body))

    async def refund_status(self, provider: str, refund_id: str, provider_refund_id: str | None) -> RefundAnswer:
        """``POST <url>/refunds/lookup``: ``200 {"status", "provider_refund_id", "amount", "currency"}``."""
        body = {"refund_id": refund_id, "provider_refund_id": provider_refund_id}
        return _answered(RefundAnswer, await self._post(provider, "/refunds/lookup", body))

    async def _post(
        self, provider: str, path: str, document: dict[str, Any], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        url = self._settings.gateway_url(provider)
        secrets = self._settings.webhook_secret_values(provider)
        if url is None or not secrets:
            raise GatewayAway(f"no URL or no secret is configured for {provider}")
        body = orjson.dumps(document)
        signed = {"Content-Type": "application/json", "Kirana-Signature": sign_webhook(secrets[0], body)}
        try:
            return await self._client.post(f"{url}{path}", content=body, headers=signed | (headers or {}))
        except httpx.HTTPError as error:
            raise GatewayAway(type(error).__name__) from error


def _answered(model: type[Answer], response: httpx.Response) -> Answer:
    """The answer to a question. One of another shape is as good as none: nothing is booked by it."""
    if response.status_code != httpx.codes.OK:
        raise GatewayAway(f"it answered {response.status_code}")
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise GatewayAway(f"its answer is not of the right shape: {first['loc']} {first['msg']}") from error


def _json_object(response: httpx.Response) -> dict[str, Any]:
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


@asynccontextmanager
async def http_gateway(settings: Settings) -> AsyncIterator[HttpGateway]:
    """The gateways that the settings name, over one HTTP client with short time-outs."""
    timeout = httpx.Timeout(settings.gateway_timeout, connect=min(CONNECT_SECONDS, settings.gateway_timeout))
    async with httpx.AsyncClient(timeout=timeout, follow_redirects=False) as client:
        yield HttpGateway(client, settings)


async def send_due_refunds(pool: CommandPool, gateway: Gateway, limit: int = BATCH) -> int:
    """Send one batch of the refunds that are due; how many gateways have accepted."""
    picked = (await call(pool, "submit_refunds", p_limit=limit)).result["refunds"]
    room = asyncio.Semaphore(AT_ONCE)

    async def send(row: dict[str, Any]) -> bool:
        async with room:
            return await _send(pool, gateway, _due(row))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(send(row)) for row in picked]
    return sum(task.result() for task in tasks)


def _due(row: dict[str, Any]) -> DueRefund:
    return DueRefund(
        refund_id=row["refund_id"],
        payment_id=row["payment_id"],
        provider=row["provider"],
        provider_payment_id=row["provider_payment_id"],
        amount=row["amount"],
        currency=row["currency"],
        key=f"{row['refund_id']}-{row['version']}",
    )


async def _send(pool: CommandPool, gateway: Gateway, due: DueRefund) -> bool:
    try:
        given = await gateway.refund(due)
    except GatewayAway as error:
        log.warning("refund_not_sent", refund_id=due.refund_id, provider=due.provider, reason=str(error))
        return False
    except GatewayRefused as error:
        log.warning("refund_refused", refund_id=due.refund_id, provider=due.provider, code=error.code)
        await call(
            pool,
            "settle_refund",
            p_refund_id=due.refund_id,
            p_succeeded=False,
            p_provider_refund_id=None,
            p_amount=None,
            p_failure_code=error.code,
        )
        return False
    await call(pool, "mark_refund_submitted", p_refund_id=due.refund_id, p_provider_refund_id=given)
    return True
