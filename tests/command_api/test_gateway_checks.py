"""Events that never came: the worker asks the gateway what became of attempts and refunds, and books it once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.core.config import Settings
from app.core.database import command_pool
from command_api.services.gateway import GatewayAway, HttpGateway, send_due_refunds
from command_api.services.gateway_checks import check_payments, check_refunds
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    expire_hold,
    idempotent,
    make_order,
    make_product,
    make_staff,
    rows,
)
from tests.support.databases import Database
from tests.support.gateway import Played, begin_over_http, pay, playing
from tests.support.paying import Document, capture, give_back, order_row, paid_order, payment_row, refund_row


@pytest.fixture
def settings(database: Database) -> Settings:
    return database.settings.model_copy(update={"gateway_urls": {"sandbox": "http://kirana.test"}})


@pytest.fixture
async def played(settings: Settings, api: httpx.AsyncClient) -> AsyncIterator[Played]:
    async with playing(settings, api) as made:
        yield made


@pytest.fixture
def order(owner: Connection) -> Document:
    return make_order(owner, (make_product(owner, stock=5), 2))


async def ask(settings: Settings, played: Played, owner: Connection, older_than: int = 0) -> int:
    """One round of questions about whatever may be asked about at all."""
    owner.execute("UPDATE store.payments SET check_at = now() WHERE check_at IS NOT NULL")
    owner.execute("UPDATE store.refunds SET check_at = now() WHERE check_at IS NOT NULL")
    async with command_pool(settings) as pool:
        found = await check_payments(pool, played.gateway, older_than)
        return found + await check_refunds(pool, played.gateway, older_than)


async def test_a_paid_attempt_whose_event_was_lost_confirms_its_order(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, played: Played, order: Document
) -> None:
    payment = await begin_over_http(api, settings, order)
    taken = await pay(played, payment, outcome="never")
    assert await ask(settings, played, owner, older_than=60) == 0, "not yet: its event may be on its way"
    assert await ask(settings, played, owner) == 1
    found = payment_row(owner, payment["id"])
    assert (found["status"], found["provider_payment_id"]) == ("captured", taken["provider_payment_id"])
    assert (found["check_answer"], found["check_at"]) == ("captured", None)
    assert order_row(owner, order)["status"] == "confirmed"
    event = capture(owner, payment, p_provider_payment_id=taken["provider_payment_id"])
    assert event["outcome"] == "already_captured", "the event that comes after all changes nothing"
    assert await ask(settings, played, owner) == 0, "and nobody asks again"
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(1,)]
    assert_books_balance(owner)


async def test_money_that_is_found_after_the_hold_is_over_takes_the_stock_again(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, played: Played, order: Document
) -> None:
    payment = await begin_over_http(api, settings, order)
    await pay(played, payment, outcome="never")
    expire_hold(owner, order["id"])
    assert call(owner, "expire_orders")["expired"] == 1
    assert payment_row(owner, payment["id"])["status"] == "cancelled"
    assert await ask(settings, played, owner) == 1
    assert order_row(owner, order)["status"] == "confirmed"
    assert_books_balance(owner)


async def test_an_attempt_is_closed_when_it_is_over_and_nothing_was_paid(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, played: Played, order: Document
) -> None:
    payment = await begin_over_http(api, settings, order)
    assert await ask(settings, played, owner) == 1
    found = payment_row(owner, payment["id"])
    assert (found["status"], found["check_answer"]) == ("created", "none")
    assert found["check_at"] is not None, "the shopper may still pay"
    expire_hold(owner, order["id"])
    owner.execute("UPDATE store.payments SET expires_at = now()")
    assert await ask(settings, played, owner) == 1
    found = payment_row(owner, payment["id"])
    assert (found["status"], found["check_at"]) == ("cancelled", None)
    assert rows(owner, "SELECT count(*) FROM store.order_events WHERE type = 'payment.expired'") == [(1,)]
    assert await ask(settings, played, owner) == 0
    assert_books_balance(owner)


async def test_a_refused_payment_is_told_once(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, played: Played, order: Document
) -> None:
    payment = await begin_over_http(api, settings, order)
    played.sandbox.payments[payment["id"]] = [
        {"provider_payment_id": "pay_f", "status": "failed", "amount": 1, "currency": "INR", "failure_code": "declined"}
    ]
    assert await ask(settings, played, owner) == 1
    assert await ask(settings, played, owner) == 0
    found = payment_row(owner, payment["id"])
    assert (found["status"], found["failure_code"], found["check_answer"]) == ("failed", "declined", "failed")
    assert rows(owner, "SELECT event_id, outcome FROM store.payment_events") == [("asked:pay_f:failed", "failed")]


async def test_a_payment_that_is_under_way_is_asked_about_again(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, played: Played, order: Document
) -> None:
    payment = await begin_over_http(api, settings, order)
    played.sandbox.payments[payment["id"]] = [
        {"provider_payment_id": "pay_p", "status": "pending", "amount": order["grand_total"], "currency": "INR"}
    ]
    for attempts in (1, 2):
        assert await ask(settings, played, owner) == 1
        found = payment_row(owner, payment["id"])
        assert (found["check_answer"], found["check_attempts"], found["status"]) == ("open", attempts, "created")
        assert found["check_at"] is not None


async def test_two_payments_for_one_attempt_are_both_booked_and_one_goes_back(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, played: Played, order: Document
) -> None:
    payment = await begin_over_http(api, settings, order)
    await pay(played, payment, outcome="never")
    await pay(played, payment, outcome="never")
    assert await ask(settings, played, owner) == 1
    found = order_row(owner, order)
    assert (found["status"], found["attention"]) == ("confirmed", "overpaid")
    assert found["captured_total"] == 2 * order["grand_total"]
    assert found["refund_pending_total"] == order["grand_total"]
    assert_books_balance(owner)


@pytest.mark.parametrize("trouble", ["error", "lost", "slow"])
async def test_a_gateway_in_trouble_is_asked_again_later(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, played: Played, order: Document, trouble: str
) -> None:
    payment = await begin_over_http(api, settings, order)
    await pay(played, payment, outcome="never")
    await played.client.put("/trouble", json={"kind": trouble, "times": 1, "seconds": 0.2})
    impatient = played if trouble != "slow" else Played(played.client, Impatient(played.gateway), played.sandbox)
    assert await ask(settings, impatient, owner) == 0
    found = payment_row(owner, payment["id"])
    assert (found["status"], found["check_answer"], found["check_attempts"]) == ("created", "away", 1)
    assert await ask(settings, played, owner) == 1
    assert payment_row(owner, payment["id"])["status"] == "captured"


class Impatient(HttpGateway):
    """An in-process transport knows no time-outs: this gives up as the client would."""

    def __init__(self, inner: HttpGateway) -> None:
        super().__init__(inner._client, inner._settings)

    async def _post(self, *arguments: Any, **more: Any) -> httpx.Response:
        try:
            return await asyncio.wait_for(super()._post(*arguments, **more), 0.05)
        except TimeoutError as error:
            raise GatewayAway("ReadTimeout") from error


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"payments": []}',
        b'{"payments": [{"status": "captured"}], "open": false}',
        (
            b'{"payments": [{"provider_payment_id": "a b", "status": "captured", "amount": 1, "currency": "INR"}],'
            b' "open": false}'
        ),
        (
            b'{"payments": [{"provider_payment_id": "a", "status": "captured", "amount": 1.5, "currency": "INR"}],'
            b' "open": false}'
        ),
    ],
)
async def test_an_answer_of_another_shape_is_none(settings: Settings, body: bytes) -> None:
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    with pytest.raises(GatewayAway, match="not of the right shape"):
        await HttpGateway(client, settings).payment_status("sandbox", str(uuid.uuid4()), None)


async def test_a_processed_refund_must_say_what_was_paid_out(settings: Settings) -> None:
    answer = {"status": "processed", "provider_refund_id": "rfnd_1"}
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer)))
    with pytest.raises(GatewayAway, match="needs provider_refund_id, amount, currency"):
        await HttpGateway(client, settings).refund_status("sandbox", str(uuid.uuid4()), None)


@pytest.fixture
def refund(owner: Connection) -> Document:
    return give_back(owner, paid_order(owner), make_staff(owner), p_kind="goodwill", p_amount=100)


@pytest.mark.parametrize(
    ("plan", "status", "answer"),
    [
        ({"outcome": "processed", "deliveries": "lost"}, "succeeded", "processed"),
        ({"outcome": "failed", "deliveries": "lost"}, "failed", "failed"),
        ({"outcome": "never"}, "submitted", "pending"),
    ],
)
async def test_a_refund_that_nothing_was_heard_of_is_asked_about(
    owner: Connection, settings: Settings, played: Played, refund: Document, plan: Document, status: str, answer: str
) -> None:
    await played.client.put("/plan", json=plan)
    async with command_pool(settings) as pool:
        assert await send_due_refunds(pool, played.gateway) == 1
    assert refund_row(owner, refund["id"])["status"] == "submitted"
    assert await ask(settings, played, owner) == 1
    found = refund_row(owner, refund["id"])
    assert (found["status"], found["check_answer"]) == (status, answer)
    assert (found["check_at"] is None) == (status != "submitted")
    assert await ask(settings, played, owner) == (status == "submitted")
    assert_books_balance(owner)


async def test_a_failed_refund_that_was_paid_out_after_all_is_found(
    owner: Connection, settings: Settings, played: Played, refund: Document
) -> None:
    await played.client.put("/plan", json={"outcome": "failed"})
    async with command_pool(settings) as pool:
        await send_due_refunds(pool, played.gateway)
    await played.settled()
    assert refund_row(owner, refund["id"])["status"] == "failed"
    (end,) = played.sandbox.ends.values()
    end["status"] = "processed"
    assert await ask(settings, played, owner) == 1
    assert refund_row(owner, refund["id"])["status"] == "succeeded"
    assert_books_balance(owner)


async def test_a_refund_the_gateway_has_forgotten_stays_for_people(
    owner: Connection, settings: Settings, played: Played, refund: Document
) -> None:
    await played.client.put("/plan", json={"outcome": "processed", "deliveries": "lost"})
    async with command_pool(settings) as pool:
        await send_due_refunds(pool, played.gateway)
    played.sandbox.ends.clear()
    assert await ask(settings, played, owner) == 1
    found = refund_row(owner, refund["id"])
    assert (found["status"], found["check_answer"]) == ("submitted", "unknown")
    assert found["check_at"] is not None


async def test_a_retry_is_asked_about_anew(
    owner: Connection, settings: Settings, played: Played, refund: Document
) -> None:
    await played.client.put("/plan", json={"outcome": "failed"})
    async with command_pool(settings) as pool:
        await send_due_refunds(pool, played.gateway)
        await played.settled()
        call(owner, "retry_refund", **idempotent(), p_staff_id=make_staff(owner), p_refund_id=refund["id"])
        assert refund_row(owner, refund["id"])["check_at"] is None
        await played.client.put("/plan", json={"outcome": "processed", "deliveries": "lost"})
        await send_due_refunds(pool, played.gateway)
    assert await ask(settings, played, owner) == 1
    assert refund_row(owner, refund["id"])["status"] == "succeeded"
    assert_books_balance(owner)


async def test_one_answer_that_cannot_be_booked_keeps_no_other(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, played: Played, order: Document
) -> None:
    payment = await begin_over_http(api, settings, order)
    await pay(played, payment, outcome="never")
    other = make_order(owner, (make_product(owner, stock=5), 1))
    broken = await begin_over_http(api, settings, other)
    await pay(played, broken, outcome="never")
    played.sandbox.payments[broken["id"]][0]["currency"] = "XXX"
    owner.execute("ALTER TABLE store.payment_events ADD CHECK (payload -> 'answer' ->> 'currency' <> 'XXX')")
    with pytest.raises(Exception, match="violates check constraint"):
        await ask(settings, played, owner)
    assert payment_row(owner, payment["id"])["status"] == "captured"
    assert payment_row(owner, broken["id"])["status"] == "created"
