"""Shoppers who keep books of their own: what the store acknowledged, they hold it to.

Each sends one command at a time. A command whose answer is lost, or is a 5xx, is sent again with its idempotency key
until there is an answer; an answer of 2xx goes into the books as one effect, a refusal as none.
"""

import asyncio
import contextlib
import itertools
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import orjson

from app.core.security import sign_payment, sign_webhook
from tests.faults.plant import Plant
from tests.support.api import bearer

PROVIDER = "replay"  # a provider of the shoppers' own: no gateway pays its refunds out a second time
REQUEST_SECONDS = 6.0
PATIENCE_SECONDS = 120.0
TRIES = 5
ROAD = ("packed", "shipped", "delivered")
Document = dict[str, Any]


@dataclass
class Bought:
    """An order as its shopper's books have it: paise, and units per line."""

    id: str
    total: int
    status: str = "pending_payment"
    version: int = 0
    captured: int = 0
    refunded: int = 0
    refund_ids: set[str] = field(default_factory=set)
    lines: list[Document] = field(default_factory=list)


class Gate:
    """Closed, it lets the shoppers end what they are at and then wait, so that the books can be compared."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def enter(self) -> None:
        """Wait until it is open, and be counted."""
        while not self._open.is_set():
            await self._open.wait()
        self._busy += 1
        self._idle.clear()

    def leave(self) -> None:
        """No longer be counted."""
        self._busy -= 1
        if self._busy == 0:
            self._idle.set()

    async def close(self) -> None:
        """Let nobody in, and wait until nobody is inside."""
        self._open.clear()
        await self._idle.wait()

    def open(self) -> None:
        """Let them go on."""
        self._open.set()


@dataclass
class Shopper:
    """One shopper with an address, and the member of staff and the gateway who see to the orders."""

    number: int
    plant: Plant
    gate: Gate
    user_id: UUID
    address_id: UUID
    staff_id: UUID
    skus: list[str]
    slugs: list[str]
    rng: random.Random
    http: httpx.AsyncClient
    orders: dict[str, Bought] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    acknowledged_at: float = 0.0
    _turn: Any = field(default_factory=itertools.count)

    async def shop(self, until: asyncio.Event) -> None:
        """Do one thing after the other."""
        while not until.is_set():
            await self.gate.enter()
            try:
                await self._something()
            finally:
                self.gate.leave()
            await asyncio.sleep(self.rng.uniform(0, 0.05))

    async def _something(self) -> None:
        pending = [order for order in self.orders.values() if order.status == "pending_payment"]
        paid = [order for order in self.orders.values() if order.status == "confirmed"]
        there = [order for order in self.orders.values() if order.status == "delivered" and not order.refunded]
        draw = self.rng.random()
        if pending and draw < 0.55:
            await self.pay(pending[0])
        elif pending and draw < 0.65:
            await self.cancel(pending[0])
        elif paid and draw < 0.2:
            await self.cancel(self.rng.choice(paid))
        elif paid and draw < 0.3:
            await self.deliver(self.rng.choice(paid))
        elif there and draw < 0.5:
            await self.give_back(self.rng.choice(there))
        elif draw < 0.75:
            await self.browse()
        else:
            await self.check_out()

    # -- what is sent

    async def send(self, method: str, path: str, body: object = None, key: str = "", **headers: str) -> httpx.Response:
        """Send until there is an answer that says what became of it."""
        sent = bearer(self.plant.database.settings, self.user_id) | headers
        if key:
            sent["Idempotency-Key"] = key
        content = None if body is None else orjson.dumps(body)
        if content is not None:
            sent["Content-Type"] = "application/json"
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            base = self.plant.query if method == "GET" else self.plant.commands[next(self._turn) % 2]
            try:
                answer = await self.http.request(method, base + path, content=content, headers=sent)
            except httpx.TransportError:
                self.counts["answers lost"] += 1
                await asyncio.sleep(self.rng.uniform(0.05, 0.3))
                continue
            if answer.status_code < 500 and answer.status_code != 429 and not in_flight(answer):
                if answer.is_success and method != "GET":
                    self.acknowledged_at = time.monotonic()
                    self.counts["commands acknowledged"] += 1
                    self.counts["answers replayed"] += answer.headers.get("Idempotent-Replayed") == "true"
                return answer
            self.counts["sent again"] += 1
            await asyncio.sleep(self.rng.uniform(0.05, 0.3))
        raise AssertionError(f"{method} {path}: no answer for {PATIENCE_SECONDS:g} s")

    async def done(self, method: str, path: str, body: object = None, key: str = "", **headers: str) -> Document | None:
        """The answer's document; None when the store refused, which is an answer too."""
        answer = await self.send(method, path, body, key, **headers)
        if answer.is_success:
            document: Document = answer.json()
            return document
        code = answer.json().get("code", "?")
        self.counts[f"refused: {code}"] += 1
        assert code not in {"internal", "validation_failed", "unauthenticated", "idempotency_key_reused"}, answer.text
        return None

    async def tell(self, event: Document) -> Document:
        """The gateway's event, until the store has taken it."""
        body = orjson.dumps(event)
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            base = self.plant.commands[next(self._turn) % 2]
            secret = self.plant.database.settings.webhook_secret_values(PROVIDER)[0]
            signed = {"Kirana-Signature": sign_webhook(secret, body), "Content-Type": "application/json"}
            with contextlib.suppress(httpx.TransportError):
                answer = await self.http.post(f"{base}/v1/webhooks/payments/{PROVIDER}", content=body, headers=signed)
                if answer.status_code == 200:
                    self.counts["commands acknowledged"] += 1
                    document: Document = answer.json()
                    return document
                assert answer.status_code >= 500 or answer.status_code == 429, answer.text
            self.counts["sent again"] += 1
            await asyncio.sleep(self.rng.uniform(0.05, 0.3))
        raise AssertionError("the gateway's event was not taken")

    # -- what they do

    async def browse(self) -> None:
        """A list, a page, a search."""
        path = self.rng.choice(
            [f"products/{self.rng.choice(self.slugs)}", "products?sort=price_asc", "search?q=product"]
        )
        answer = await self.send("GET", f"/v1/{path}")
        assert answer.status_code == 200, f"{path}: {answer.text}"
        self.counts["pages read"] += 1

    async def check_out(self) -> None:
        """Fill the cart and order it; an order that was still unpaid is replaced by it."""
        for sku in self.rng.sample(self.skus, self.rng.randint(1, 3)):
            await self.done("PUT", f"/v1/cart/items/{sku}", {"quantity": self.rng.randint(1, 3)})
        if self.rng.random() < 0.3:
            await self.done("PUT", "/v1/cart/coupon", {"code": "LIMITED"})
        body = {"address_id": str(self.address_id), "payment_method": "prepaid"}
        made = await self.done("POST", "/v1/checkout", body, key=uuid.uuid4().hex)
        if made is None:
            return
        for other in self.orders.values():
            if other.status == "pending_payment" and other.id != made["id"]:
                other.status = "cancelled"
        bought = Bought(made["id"], made["grand_total"], version=made["version"], lines=made["items"])
        self.orders.setdefault(bought.id, bought)

    async def pay(self, order: Bought) -> None:
        """Register an attempt, pay it, show it or let the gateway tell, or both; the gateway may tell twice."""
        wish = {"method": "upi", "provider": PROVIDER}
        attempt = await self.done("POST", f"/v1/orders/{order.id}/payments", wish, key=uuid.uuid4().hex)
        assert attempt is not None, "a pending order takes an attempt to pay it"
        reference = f"pay_{uuid.uuid4().hex}"
        if self.rng.random() < 0.4:
            secret = self.plant.database.settings.webhook_secret_values(PROVIDER)[0]
            signature = sign_payment(secret, attempt["id"], reference, attempt["amount"], "INR")
            proof = {"provider_payment_id": reference, "amount": attempt["amount"], "currency": "INR"}
            shown = proof | {"signature": signature}
            assert await self.done("POST", f"/v1/payments/{attempt['id']}/verify", shown, key=uuid.uuid4().hex)
        event = {"id": f"evt_{reference}", "type": "payment.captured", "payment_id": attempt["id"], "currency": "INR"}
        event |= {"provider_payment_id": reference, "amount": attempt["amount"]}
        for _ in range(self.rng.choice([1, 1, 2])):
            await self.tell(event)
        order.status, order.captured = "confirmed", order.total

    async def cancel(self, order: Bought) -> None:
        """Cancel; what was paid comes back whole."""
        body = {"reason": "changed my mind"}
        found = await self.done("POST", f"/v1/orders/{order.id}/cancel", body, key=uuid.uuid4().hex)
        assert found is not None, "an order that is not packed can be cancelled"
        order.status = "cancelled"
        for refund in found.get("refunds", []):
            await self.pay_back(order, refund)

    async def deliver(self, order: Bought) -> None:
        """Staff take the order to the door."""
        for status in ROAD:
            for _ in range(TRIES):  # the worker may issue the order's invoice between the look and the step
                if await self._step(order, status):
                    break
            else:
                raise AssertionError(f"the order can be {status}")
            order.status = status

    async def _step(self, order: Bought, status: str) -> bool:
        read = await self.send("GET", f"/v1/admin/orders/{order.id}", **self._as_staff())
        assert read.status_code == 200, read.text
        version = read.headers["ETag"].strip('W/"')
        path, key = f"/v1/admin/orders/{order.id}/status", uuid.uuid4().hex
        headers = self._as_staff() | {"If-Match": f'"{version}"'}
        return await self.done("PUT", path, {"status": status}, key, **headers) is not None

    async def give_back(self, order: Bought) -> None:
        """Staff take a unit back and the money goes."""
        line = {"order_item_id": order.lines[0]["id"], "quantity": 1, "restock": self.rng.random() < 0.5}
        body = {"kind": "return", "reason": "torn", "lines": [line], "shipping_amount": 0}
        path = f"/v1/admin/orders/{order.id}/refunds"
        refund = await self.done("POST", path, body, uuid.uuid4().hex, **self._as_staff())
        assert refund is not None, "a delivered unit can be refunded"
        if sum(line["quantity"] for line in order.lines) == 1:
            order.status = "returned"
        await self.pay_back(order, refund)

    async def pay_back(self, order: Bought, refund: Document) -> None:
        """The gateway's word that the money is back."""
        event = {"id": f"evt_{refund['id']}", "type": "refund.processed", "payment_id": refund["payment_id"]}
        event |= {"refund_id": refund["id"], "provider_refund_id": f"rfnd_{refund['id']}", "amount": refund["amount"]}
        await self.tell(event | {"currency": "INR"})
        assert refund["id"] not in order.refund_ids, "one key, one refund"
        order.refund_ids.add(refund["id"])
        order.refunded += refund["amount"]

    def _as_staff(self) -> dict[str, str]:
        return bearer(self.plant.database.settings, self.staff_id, "owner")


def in_flight(answer: httpx.Response) -> bool:
    """Whether the same request is being worked on."""
    return answer.status_code == 409 and answer.json().get("code") == "idempotency_in_flight"
