"""Sending refunds to payment gateways, outside any transaction.

Between two short transactions: ``submit_refunds`` picks what is due and puts off the next try, the gateway is asked,
``mark_refund_submitted`` notes its answer. Whatever is lost in between is sent again under the same key, by which the
gateway knows it: the refund's id and version.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import orjson
import structlog

from app.core.config import Settings
from app.core.database import CommandPool
from app.core.security import sign_webhook
from command_api.services.procedures import call

BATCH = 50
AT_ONCE = 8
TIMEOUT = httpx.Timeout(5.0, connect=2.0)
# What a gateway answers when it will never make this refund. Everything else may be its trouble, or ours, of today.
REFUSED_STATUSES = frozenset({400, 422})
LONGEST_CODE = 100

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
    """Makes refunds."""

    async def refund(self, due: DueRefund) -> str:
        """The gateway's id of the refund it has accepted. Raises GatewayAway or GatewayRefused."""
        ...


class HttpGateway:
    """``POST <url>/refunds``, signed like a webhook; ``2xx {"provider_refund_id"}`` accepts, 400 and 422 refuse."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    async def refund(self, due: DueRefund) -> str:
        """See Gateway."""
        url = self._settings.gateway_url(due.provider)
        secrets = self._settings.webhook_secret_values(due.provider)
        if url is None or not secrets:
            raise GatewayAway(f"no URL or no secret is configured for {due.provider}")
        body = orjson.dumps(
            {
                "refund_id": due.refund_id,
                "payment_id": due.payment_id,
                "provider_payment_id": due.provider_payment_id,
                "amount": due.amount,
                "currency": due.currency,
            }
        )
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": due.key,
            "Kirana-Signature": sign_webhook(secrets[0], body),
        }
        try:
            response = await self._client.post(f"{url}/refunds", content=body, headers=headers)
        except httpx.HTTPError as error:
            raise GatewayAway(type(error).__name__) from error
        answer = _json_object(response)
        if response.status_code in REFUSED_STATUSES:
            raise GatewayRefused(str(answer.get("code") or f"http_{response.status_code}")[:LONGEST_CODE])
        given = answer.get("provider_refund_id")
        if not response.is_success or not isinstance(given, str) or not given:
            raise GatewayAway(f"it answered {response.status_code}")
        return given


def _json_object(response: httpx.Response) -> dict[str, Any]:
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


@asynccontextmanager
async def http_gateway(settings: Settings) -> AsyncIterator[HttpGateway]:
    """The gateways that the settings name, over one HTTP client with short time-outs."""
    async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as client:
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
