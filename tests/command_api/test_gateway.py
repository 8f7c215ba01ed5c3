"""Refunds on their way to a gateway, and the sandbox gateway that plays one, without a network between them."""

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
import pytest

from app.core.config import NotConfigured, Settings
from app.core.database import command_pool
from app.core.security import webhook_is_genuine
from app.sandbox.gateway import create_sandbox
from command_api.services.gateway import DueRefund, GatewayAway, GatewayRefused, HttpGateway, send_due_refunds
from tests.support.api import bearer
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    idempotent,
    make_order,
    make_product,
    make_staff,
    rows,
)
from tests.support.cli import environment_for, kirana
from tests.support.databases import TEST_SECRETS, Database
from tests.support.gateway import STORE, Played, begin_over_http, pay, playing
from tests.support.paying import Document, give_back, order_row, paid_order, refund_row

DUE = DueRefund(str(uuid.uuid4()), str(uuid.uuid4()), "sandbox", "pay_1", 100, "INR", "key-1")


@pytest.fixture
def settings(database: Database) -> Settings:
    return database.settings.model_copy(
        update={"otp_sender": "file", "gateway_urls": {"sandbox": "http://kirana.test"}}
    )


@pytest.fixture
async def played(settings: Settings, api: httpx.AsyncClient) -> AsyncIterator[Played]:
    async with playing(settings, api) as made:
        yield made


@pytest.fixture
def refund(owner: Connection) -> Document:
    return give_back(owner, paid_order(owner), make_staff(owner), p_kind="goodwill", p_amount=100)


@pytest.mark.parametrize(
    ("how", "status", "attention"),
    [
        ({}, "confirmed", None),
        ({"deliveries": "twice"}, "confirmed", None),
        ({"deliveries": "late", "delay_seconds": 0.01}, "confirmed", None),
        ({"deliveries": "out_of_order"}, "confirmed", None),
        ({"outcome": "failed"}, "pending_payment", None),
        ({"outcome": "wrong_amount"}, "pending_payment", "amount_mismatch"),
        ({"outcome": "never"}, "pending_payment", None),
    ],
)
async def test_each_way_to_pay_and_to_tell(
    api: httpx.AsyncClient,
    owner: Connection,
    settings: Settings,
    played: Played,
    how: Document,
    status: str,
    attention: str | None,
) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 2))
    payment = await begin_over_http(api, settings, order)
    await pay(played, payment, **how)
    found = order_row(owner, order)
    assert (found["status"], found["attention"]) == (status, attention)
    assert_books_balance(owner)


async def test_what_the_sandbox_signs_is_a_proof(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, played: Played
) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 2))
    payment = await begin_over_http(api, settings, order)
    signed = await pay(played, payment, outcome="never")
    headers = bearer(settings, uuid.UUID(order["user_id"])) | {"Idempotency-Key": "verify"}
    answer = await api.post(f"/v1/payments/{payment['id']}/verify", json=signed, headers=headers)
    assert answer.json()["order_status"] == "confirmed"
    assert (await pay(played, payment, outcome="failed"))["signature"] is None


async def test_a_refund_there_and_back(owner: Connection, settings: Settings, played: Played, refund: Document) -> None:
    await played.client.put("/plan", json={"outcome": "processed", "delay_seconds": 0.05})
    async with command_pool(settings) as pool:
        assert await send_due_refunds(pool, played.gateway) == 1
        assert refund_row(owner, refund["id"])["status"] in {"submitted", "succeeded"}
        await played.settled()
        assert await send_due_refunds(pool, played.gateway) == 0
    found = refund_row(owner, refund["id"])
    assert (found["status"], found["provider_refund_id"][:5]) == ("succeeded", "rfnd_")
    assert_books_balance(owner)


async def test_a_refund_that_is_lost_on_the_way_is_made_once(
    owner: Connection, settings: Settings, played: Played, refund: Document
) -> None:
    """The gateway has made it, and its answer is lost: the next try is told of the same refund."""
    await played.client.put("/plan", json={"outcome": "never"})

    class Lossy:
        async def refund(self, due: DueRefund) -> str:
            await played.gateway.refund(due)
            raise GatewayAway("the connection was lost")

    async with command_pool(settings) as pool:
        assert await send_due_refunds(pool, Lossy()) == 0
        owner.execute("UPDATE store.refunds SET next_submit_at = now()")
        assert await send_due_refunds(pool, played.gateway) == 1
    assert list(played.sandbox.refunds.values()) == [refund_row(owner, refund["id"])["provider_refund_id"]]


async def test_a_refund_that_the_gateway_refuses_waits_for_staff(
    owner: Connection, settings: Settings, played: Played, refund: Document
) -> None:
    await played.client.put("/plan", json={"outcome": "refused"})
    async with command_pool(settings) as pool:
        assert await send_due_refunds(pool, played.gateway) == 0
        found = refund_row(owner, refund["id"])
        assert (found["status"], found["failure_code"]) == ("failed", "refund_not_possible")
        await played.client.put("/plan", json={"outcome": "failed"})
        retried = {"p_staff_id": make_staff(owner), "p_refund_id": refund["id"]}
        call(owner, "retry_refund", **idempotent(), **retried)
        assert await send_due_refunds(pool, played.gateway) == 1
        await played.settled()
        found = refund_row(owner, refund["id"])
        assert (found["status"], found["failure_code"]) == ("failed", "account_closed")
        await played.client.put("/plan", json={"outcome": "processed"})
        call(owner, "retry_refund", **idempotent(), **retried)
        await send_due_refunds(pool, played.gateway)
        await played.settled()
    assert refund_row(owner, refund["id"])["status"] == "succeeded"
    assert len(played.sandbox.refunds) == 2, "each submission was another one to the gateway"
    assert_books_balance(owner)


async def test_one_refund_that_cannot_be_sent_does_not_keep_the_others(
    owner: Connection, settings: Settings, played: Played, refund: Document
) -> None:
    order = paid_order(owner)
    other = give_back(owner, order, make_staff(owner), p_kind="goodwill", p_amount=100)
    with owner.transaction():
        owner.execute("UPDATE store.payments SET provider = 'elsewhere' WHERE id = %s", (order["payment_id"],))
    async with command_pool(settings) as pool:
        assert await send_due_refunds(pool, played.gateway) == 1
    assert refund_row(owner, other["id"])["status"] == "initiated"
    assert refund_row(owner, other["id"])["submit_attempts"] == 1


@pytest.fixture
def plain(tmp_path: Path) -> Settings:
    """Settings with no database behind them."""
    secrets = {"webhook_secrets": TEST_SECRETS["webhook_secrets"]}
    return Settings(data_dir=tmp_path, gateway_urls={"sandbox": "http://kirana.test/"}, **secrets)


def answering(settings: Settings, handler: Callable[[httpx.Request], httpx.Response]) -> HttpGateway:
    return HttpGateway(httpx.AsyncClient(transport=httpx.MockTransport(handler)), settings)


async def test_what_is_sent_is_signed_and_keyed(plain: Settings) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"provider_refund_id": "rfnd_1"})

    assert await answering(plain, handler).refund(DUE) == "rfnd_1"
    [request] = seen
    assert str(request.url) == "http://kirana.test/refunds"
    assert request.headers["idempotency-key"] == "key-1"
    secrets = list(plain.webhook_secret_values("sandbox"))[:1]
    assert webhook_is_genuine(secrets, request.headers["kirana-signature"], request.content)
    assert orjson.loads(request.content) == {
        "refund_id": DUE.refund_id,
        "payment_id": DUE.payment_id,
        "provider_payment_id": "pay_1",
        "amount": 100,
        "currency": "INR",
    }


@pytest.mark.parametrize("status", [301, 401, 403, 404, 409, 429, 500, 503])
async def test_neither_yes_nor_no_is_asked_again(plain: Settings, status: int) -> None:
    with pytest.raises(GatewayAway):
        await answering(plain, lambda _: httpx.Response(status, json={"provider_refund_id": "x"})).refund(DUE)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b'{"provider_refund_id": 7}', b"<html>"])
async def test_a_yes_without_an_id_is_none(plain: Settings, content: bytes) -> None:
    with pytest.raises(GatewayAway):
        await answering(plain, lambda _: httpx.Response(200, content=content)).refund(DUE)


@pytest.mark.parametrize(
    ("status", "content", "code"),
    [
        (422, b'{"code": "too_old"}', "too_old"),
        (400, b"<html>", "http_400"),
        (400, b'{"code": "%s"}' % (b"x" * 300), "x" * 100),
    ],
)
async def test_a_no_says_why(plain: Settings, status: int, content: bytes, code: str) -> None:
    with pytest.raises(GatewayRefused) as refused:
        await answering(plain, lambda _: httpx.Response(status, content=content)).refund(DUE)
    assert refused.value.code == code


async def test_a_gateway_that_cannot_be_reached(plain: Settings) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("too slow", request=request)

    with pytest.raises(GatewayAway, match="ConnectTimeout"):
        await answering(plain, handler).refund(DUE)


async def test_the_sandbox_takes_no_unsigned_refund(played: Played) -> None:
    answer = await played.client.post("/refunds", json={}, headers={"Idempotency-Key": "1"})
    assert (answer.status_code, answer.json()) == (401, {"code": "signature"})


async def test_events_are_sent_until_they_are_taken(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sandbox.events.FIRST_PAUSE_SECONDS", 0.001)
    order = make_order(owner, (make_product(owner, stock=5), 2))
    payment = await begin_over_http(api, settings, order)
    tries = 0

    async def unsteady(request: httpx.Request) -> httpx.Response:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise httpx.ConnectError("refused", request=request)
        if tries == 2:
            return httpx.Response(503)
        return await api.post(request.url, content=request.content, headers=request.headers)

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(unsteady)) as store,
        playing(settings, store) as played,
    ):
        await pay(played, payment)
    assert tries == 3
    assert order_row(owner, order)["status"] == "confirmed"


def test_not_in_production_and_not_without_a_secret(settings: Settings, database: Database) -> None:
    with pytest.raises(NotConfigured, match="for development"):
        create_sandbox(settings.model_copy(update={"environment": "production"}), STORE)
    with pytest.raises(NotConfigured, match="no secret for elsewhere"):
        create_sandbox(settings, STORE, "elsewhere")
    production = environment_for(database) | {
        "KIRANA_ENVIRONMENT": "production",
        "KIRANA_WEBHOOK_SECRETS": '{"sandbox": ["a-secret-of-at-least-thirty-two-chars"]}',
    }
    refused = kirana("sandbox-gateway", environment=production)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "for development" in refused.stderr


def test_the_worker_sends_what_is_due(owner: psycopg.Connection[Any], database: Database, refund: Document) -> None:
    """With nobody at the gateway's address: it says so, goes on, and will try again."""
    where = environment_for(database) | {"KIRANA_GATEWAY_URLS": '{"sandbox": "http://127.0.0.1:9"}'}
    secrets = {"KIRANA_WEBHOOK_SECRETS": '{"sandbox": ["a-secret-of-at-least-thirty-two-chars"]}'}
    done = kirana("worker", "--once", environment=where | secrets)
    assert done.returncode == 0, done.stderr
    assert "submit_refunds           0" in done.stdout
    assert "refund_not_sent" in done.stdout + done.stderr
    assert rows(owner, "SELECT status, submit_attempts FROM store.refunds") == [("initiated", 1)]
