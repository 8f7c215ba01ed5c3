"""The sandbox gateway's HTTP API: pay, refund, ask, and choose how refunds end and how badly it behaves."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import orjson
from fastapi import FastAPI, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.core.config import NotConfigured, Settings
from app.core.reference_page import install_reference_page
from app.core.security import sign_payment, webhook_is_genuine
from app.sandbox.events import EventSender, new_event

WRONG_BY = 100  # paise


class PayRequest(BaseModel):
    """What a shopper does at the gateway, and how the gateway tells the store. Amounts are paise."""

    model_config = ConfigDict(extra="forbid")

    payment_id: UUID
    amount: Annotated[int, Field(ge=1, le=10**15)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "INR"
    outcome: Literal["captured", "failed", "wrong_amount", "never"] = "captured"
    deliveries: Literal["once", "twice", "late", "out_of_order"] = "once"
    delay_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0


class PayAnswer(BaseModel):
    """What the shopper's client posts to the store's verify; no signature when nothing was paid."""

    provider_payment_id: str
    amount: int
    currency: str
    signature: str | None


class RefundPlan(BaseModel):
    """How refunds end from now on: ``refused`` at once with 422, else after the delay, or ``never``."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["processed", "failed", "refused", "never"] = "processed"
    deliveries: Literal["once", "twice", "lost"] = "once"
    delay_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0


class Trouble(BaseModel):
    """How the next ``times`` requests of the store are answered: ``error`` does nothing and answers 500, ``lost`` does
    what was asked and answers 500, ``slow`` does it and answers after ``seconds``."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["none", "error", "lost", "slow"] = "none"
    times: Annotated[int, Field(ge=0, le=10**6)] = 0
    seconds: Annotated[float, Field(ge=0, le=60)] = 10.0


@dataclass
class Sandbox:
    """What the sandbox remembers while it runs: ``refunds`` by idempotency key, their ends by reference."""

    provider: str
    secret: str
    events: EventSender
    plan: RefundPlan
    refunds: dict[str, str] = field(default_factory=dict)
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    payments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    trouble: Trouble = field(default_factory=Trouble)

    def pay(self, wish: PayRequest) -> PayAnswer:
        """Take the money, or not, and have the store told."""
        reference = f"pay_{uuid.uuid4().hex}"
        amount = wish.amount if wish.outcome != "wrong_amount" else max(1, wish.amount - WRONG_BY)
        facts = {
            "payment_id": str(wish.payment_id),
            "provider_payment_id": reference,
            "amount": amount,
            "currency": wish.currency,
        }
        failed = new_event("payment.failed", **facts, failure_code="declined")
        told = failed if wish.outcome == "failed" else new_event("payment.captured", **facts)
        events = {
            "once": [told],
            "twice": [told, told],
            "late": [told],
            # the end of the story first, what came before it afterwards
            "out_of_order": [told, failed],
        }[wish.deliveries]
        status = "failed" if wish.outcome == "failed" else "captured"
        known = {"provider_payment_id": reference, "status": status, "amount": amount, "currency": wish.currency}
        self.payments.setdefault(str(wish.payment_id), []).append(known)
        if wish.outcome != "never":
            self.events.send_later(events, wish.delay_seconds)
        signature = None
        if wish.outcome != "failed":
            signature = sign_payment(self.secret, wish.payment_id, reference, amount, wish.currency)
        return PayAnswer(provider_payment_id=reference, amount=amount, currency=wish.currency, signature=signature)

    def refund(self, key: str, wish: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Accept a refund once per key and have the store told how it ends; the status and the answer."""
        if key in self.refunds:
            return 200, {"provider_refund_id": self.refunds[key]}
        if self.plan.outcome == "refused":
            return 422, {"code": "refund_not_possible"}
        reference = self.refunds[key] = f"rfnd_{uuid.uuid4().hex}"
        facts = {name: wish[name] for name in ("payment_id", "refund_id", "amount", "currency")}
        if self.plan.outcome == "processed":
            told = [new_event("refund.processed", **facts, provider_refund_id=reference)]
        elif self.plan.outcome == "failed":
            told = [new_event("refund.failed", **facts, provider_refund_id=reference, failure_code="account_closed")]
        else:
            told = []
        status = "pending" if self.plan.outcome == "never" else self.plan.outcome
        self.ends[reference] = {
            "refund_id": str(wish["refund_id"]),
            "status": status,
            "provider_refund_id": reference,
            "amount": wish["amount"],
            "currency": wish["currency"],
        }
        times = {"once": 1, "twice": 2, "lost": 0}[self.plan.deliveries]
        self.events.send_later(told * times, self.plan.delay_seconds)
        return 201, {"provider_refund_id": reference}

    def look_up_payment(self, payment_id: str) -> dict[str, Any]:
        """Every payment made for an attempt; none can be made after it was paid."""
        return {"payments": self.payments.get(payment_id, []), "open": False}

    def look_up_refund(self, refund_id: str, reference: str | None) -> dict[str, Any]:
        """How a refund ended: the one of that reference, else the last that was made of ours."""
        made = [end for end in self.ends.values() if end["refund_id"] == refund_id]
        named = self.ends.get(reference or "") or (made[-1] if made else {"status": "unknown"})
        return {name: value for name, value in named.items() if name != "refund_id"}


Work = Callable[[Sandbox, dict[str, Any]], tuple[int, dict[str, Any]]]


def create_sandbox(
    settings: Settings,
    webhook_url: str,
    provider: str = "sandbox",
    client: httpx.AsyncClient | None = None,
) -> FastAPI:
    """The gateway. It signs with the provider's first secret and tells ``webhook_url``, over ``client`` if given.

    Raises NotConfigured in production, and where the provider has no secret.
    """
    if settings.environment == "production":
        raise NotConfigured("the sandbox gateway is for development: it confirms payments that nobody made")
    secrets = list(settings.webhook_secret_values(provider))
    if not secrets:
        raise NotConfigured(f"not set: KIRANA_WEBHOOK_SECRETS has no secret for {provider}")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        own = client or httpx.AsyncClient(trust_env=False)
        app.state.sandbox = Sandbox(provider, secrets[0], EventSender(own, webhook_url, secrets[0]), RefundPlan())
        try:
            yield
        finally:
            await app.state.sandbox.events.close()
            if client is None:
                await own.aclose()

    app = FastAPI(title="Kirana sandbox gateway", lifespan=lifespan, docs_url=None, redoc_url=None)
    install_reference_page(app)

    @app.post("/pay")
    async def pay(wish: PayRequest, request: Request) -> PayAnswer:
        """Pay, fail to pay, or pay the wrong amount."""
        return _sandbox(request).pay(wish)

    _answer_the_store(app, secrets)

    @app.put("/plan")
    async def change_plan(plan: RefundPlan, request: Request) -> RefundPlan:
        """Choose how refunds end from now on."""
        _sandbox(request).plan = plan
        return plan

    @app.put("/trouble")
    async def make_trouble(trouble: Trouble, request: Request) -> Trouble:
        """Choose how badly the store's next requests are answered."""
        _sandbox(request).trouble = trouble
        return trouble

    return app


def _answer_the_store(app: FastAPI, secrets: list[str]) -> None:
    """What the store asks for: refunds, and what became of payments and refunds. Every request is signed."""

    @app.post("/refunds")
    async def refund(
        request: Request,
        key: Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255)],
        signature: Annotated[str, Header(alias="Kirana-Signature")] = "",
    ) -> Response:
        """Accept a refund of the store's; how it ends is told by an event."""
        return await answered(request, signature, lambda sandbox, wish: sandbox.refund(key, wish))

    @app.post("/payments/lookup")
    async def look_up_payment(
        request: Request, signature: Annotated[str, Header(alias="Kirana-Signature")] = ""
    ) -> Response:
        """Say what became of an attempt to pay."""
        return await answered(
            request, signature, lambda sandbox, wish: (200, sandbox.look_up_payment(wish["payment_id"]))
        )

    @app.post("/refunds/lookup")
    async def look_up_refund(
        request: Request, signature: Annotated[str, Header(alias="Kirana-Signature")] = ""
    ) -> Response:
        """Say how a refund ended."""
        return await answered(
            request,
            signature,
            lambda sandbox, wish: (200, sandbox.look_up_refund(wish["refund_id"], wish["provider_refund_id"])),
        )

    async def answered(request: Request, signature: str, work: Work) -> Response:
        body = await request.body()
        if not webhook_is_genuine(secrets, signature, body):
            return Response(b'{"code":"signature"}', 401, media_type="application/json")
        return await _in_trouble(_sandbox(request), work, orjson.loads(body))


async def _in_trouble(sandbox: Sandbox, work: Work, wish: dict[str, Any]) -> Response:
    """Do what was asked and answer, as well or as badly as was chosen."""
    trouble = sandbox.trouble
    troubled = trouble.times > 0 and trouble.kind != "none"
    if troubled:
        trouble.times -= 1
    if troubled and trouble.kind == "error":
        return Response(b'{"code":"trouble"}', 500, media_type="application/json")
    status, answer = work(sandbox, wish)
    if troubled and trouble.kind == "lost":
        return Response(b'{"code":"trouble"}', 500, media_type="application/json")
    if troubled:
        await asyncio.sleep(trouble.seconds)
    return Response(orjson.dumps(answer), status, media_type="application/json")


def _sandbox(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox
