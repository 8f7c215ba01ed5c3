"""Paying over HTTP: attempts, proofs, and the gateway's events with their signatures."""

import time
import uuid
from contextlib import suppress
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.config import Settings
from app.core.errors import Refused
from app.core.security import sign_payment, sign_webhook
from command_api.schemas.payments import KnownEvent
from command_api.services.payments import KNOWN_TYPES, MAX_EVENT_BYTES, read_event
from tests.support.api import bearer
from tests.support.builders import Connection, make_order, make_product, make_user, one, rows
from tests.support.paying import Document, order_row, payment_row

EVENTS = "/v1/webhooks/payments/sandbox"


@pytest.fixture
def order(owner: Connection) -> Document:
    return make_order(owner, (make_product(owner, stock=5), 2))


@pytest.fixture
def shopper(settings: Settings, order: Document) -> dict[str, str]:
    return bearer(settings, uuid.UUID(order["user_id"]))


def keyed(headers: dict[str, str]) -> dict[str, str]:
    return headers | {"Idempotency-Key": uuid.uuid4().hex}


@pytest.fixture
async def payment(api: httpx.AsyncClient, shopper: dict[str, str], order: Document) -> Document:
    answer = await begin(api, shopper, order)
    assert answer.status_code == 201, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def begin(api: httpx.AsyncClient, headers: dict[str, str], order: Document, **body: object) -> httpx.Response:
    wish = {"method": "upi", "provider": "sandbox"} | body
    return await api.post(f"/v1/orders/{order['id']}/payments", json=wish, headers=keyed(headers))


def proof(settings: Settings, payment: Document, secret: int = 0, **changes: Any) -> Document:
    facts = {"provider_payment_id": "pay_1", "amount": payment["amount"], "currency": "INR"} | changes
    key = settings.webhook_secret_values("sandbox")[secret]
    signature = sign_payment(key, payment["id"], facts["provider_payment_id"], facts["amount"], facts["currency"])
    return {**facts, "signature": signature}


def event(payment: Document, kind: str = "payment.captured", **changes: Any) -> Document:
    return {
        "id": f"evt_{uuid.uuid4().hex}",
        "type": kind,
        "payment_id": payment["id"],
        "provider_payment_id": "pay_1",
        "amount": payment["amount"],
        "currency": "INR",
    } | changes


async def send(api: httpx.AsyncClient, settings: Settings, body: bytes | Document, **how: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    secret = how.pop("secret", settings.webhook_secret_values("sandbox")[0])
    headers = {"Kirana-Signature": how.pop("signature", sign_webhook(secret, content, how.pop("at", None)))}
    return await api.post(how.pop("path", EVENTS), content=content, headers=headers)


async def test_an_attempt_over_http(
    api: httpx.AsyncClient, owner: Connection, shopper: dict[str, str], order: Document
) -> None:
    answer = await begin(api, shopper, order)
    document = answer.json()
    assert answer.status_code == 201
    assert document["amount"] == order["grand_total"]
    assert answer.headers["etag"] == '"1"'
    assert int(answer.headers["x-consistency-token"]) == one(owner, "SELECT max(position) FROM store.outbox")


NO_ATTEMPTS: list[tuple[Document, str]] = [
    ({"provider": "nobody"}, "payment_method_unavailable"),
    ({"provider": "cod"}, "payment_method_unavailable"),
    ({"method": "cod"}, "validation_failed"),
    ({"provider": "SANDBOX"}, "validation_failed"),
    ({"more": 1}, "validation_failed"),
]


async def test_attempts_that_are_none(api: httpx.AsyncClient, shopper: dict[str, str], order: Document) -> None:
    for body, code in NO_ATTEMPTS:
        assert (await begin(api, shopper, order, **body)).json()["code"] == code, body


async def test_who_may_begin(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, shopper: dict[str, str], order: Document
) -> None:
    assert (await begin(api, {}, order)).json()["code"] == "unauthenticated"
    assert (await begin(api, bearer(settings, make_user(owner)), order)).json()["code"] == "order_not_found"
    path = f"/v1/orders/{order['id']}/payments"
    without_key = await api.post(path, json={"method": "upi", "provider": "sandbox"}, headers=shopper)
    assert (without_key.status_code, without_key.json()["code"]) == (400, "idempotency_key_missing")


@pytest.mark.parametrize("secret", [0, 1])
async def test_a_proof_confirms_the_order(
    api: httpx.AsyncClient,
    owner: Connection,
    settings: Settings,
    shopper: dict[str, str],
    order: Document,
    payment: Document,
    secret: int,
) -> None:
    """With the secret in use, and with the one before it while secrets are changed."""
    headers = keyed(shopper)
    path = f"/v1/payments/{payment['id']}/verify"
    answer = await api.post(path, json=proof(settings, payment, secret), headers=headers)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["outcome"], answer.json()["order_status"]) == ("captured", "confirmed")
    again = await api.post(path, json=proof(settings, payment, secret), headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == answer.json()
    other = await api.post(path, json=proof(settings, payment, secret, amount=1), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(1,)]


FORGED: list[Document] = [
    {"signature": "0" * 64},
    {"amount": 1},
    {"currency": "USD"},
    {"provider_payment_id": "pay_2"},
]


async def test_a_forged_proof_is_refused_and_counted(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, shopper: dict[str, str], payment: Document
) -> None:
    for count, forged in enumerate(FORGED, 1):
        body = proof(settings, payment) | forged
        answer = await api.post(f"/v1/payments/{payment['id']}/verify", json=body, headers=keyed(shopper))
        assert (answer.status_code, answer.json()["code"]) == (400, "payment_signature"), forged
        assert payment_row(owner, payment["id"])["failed_verifications"] == count
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(0,)]


async def test_the_proof_of_another_payment_does_not_fit(
    api: httpx.AsyncClient, settings: Settings, shopper: dict[str, str], order: Document, payment: Document
) -> None:
    second = (await begin(api, shopper, order)).json()
    body = proof(settings, payment)
    answer = await api.post(f"/v1/payments/{second['id']}/verify", json=body, headers=keyed(shopper))
    assert answer.json()["code"] == "payment_signature"


async def test_a_signed_but_wrong_amount_is_told(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, shopper: dict[str, str], payment: Document
) -> None:
    body = proof(settings, payment, amount=payment["amount"] - 1)
    answer = await api.post(f"/v1/payments/{payment['id']}/verify", json=body, headers=keyed(shopper))
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_mismatch")
    assert (answer.json()["amount_due"], answer.json()["amount_paid"]) == (payment["amount"], payment["amount"] - 1)
    assert rows(owner, "SELECT kind FROM store.refunds") == [("amount_mismatch",)]


WRONG_PROOFS: list[Document] = [
    {"amount": 0},
    {"amount": "100"},
    {"amount": 1.5},
    {"amount": True},
    {"amount": 10**16},
    {"currency": "inr"},
    {"signature": "short"},
    {"provider_payment_id": "pay|1"},
    {"provider_payment_id": ""},
]


async def test_proofs_of_another_shape(
    api: httpx.AsyncClient, settings: Settings, shopper: dict[str, str], payment: Document
) -> None:
    for wrong in WRONG_PROOFS:
        body = proof(settings, payment) | wrong
        answer = await api.post(f"/v1/payments/{payment['id']}/verify", json=body, headers=keyed(shopper))
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), wrong


async def test_an_event_confirms_the_order(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, order: Document, payment: Document
) -> None:
    told = event(payment, anything={"the": ["gateway", "likes"]})
    answer = await send(api, settings, told)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"event_id": told["id"], "outcome": "captured", "duplicate": False}
    assert int(answer.headers["x-consistency-token"]) == one(owner, "SELECT max(position) FROM store.outbox")
    assert order_row(owner, order)["status"] == "confirmed"
    again = await send(api, settings, told)
    assert again.json() == {"event_id": told["id"], "outcome": "captured", "duplicate": True}
    [(kept,)] = rows(owner, "SELECT payload FROM store.payment_events")
    assert orjson.loads(kept["body"]) == told, "as it was signed"
    assert kept["signature"].startswith("t=")


async def test_secrets_can_be_changed_without_a_gap(
    api: httpx.AsyncClient, settings: Settings, payment: Document
) -> None:
    body = orjson.dumps(event(payment))
    new, old = settings.webhook_secret_values("sandbox")
    assert (await send(api, settings, body, secret=old)).status_code == 200
    both = sign_webhook("of the one after next, which we do not know", body) + ",v1=" + _v1(sign_webhook(new, body))
    assert (await send(api, settings, body, signature=both)).status_code == 200


def _v1(header: str) -> str:
    return header.partition("v1=")[2]


@pytest.mark.parametrize("seconds", [-299, 299])
async def test_a_clock_may_be_a_little_off(
    api: httpx.AsyncClient, settings: Settings, payment: Document, seconds: int
) -> None:
    assert (await send(api, settings, event(payment), at=int(time.time()) + seconds)).status_code == 200


async def test_what_is_not_signed_is_not_read(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, payment: Document
) -> None:
    body = orjson.dumps(event(payment))
    right = sign_webhook(settings.webhook_secret_values("sandbox")[0], body)
    now = int(time.time())
    for how in (
        {"signature": ""},
        {"signature": "nonsense"},
        {"signature": right.replace("v1=", "v0=")},
        {"signature": right[:-1]},
        {"signature": f"t={now},t={now + 1},v1={_v1(right)}"},
        {"signature": f"t={now + 1},v1={_v1(right)}"},
        {"signature": f"v1={_v1(right)}"},
        {"secret": "not the secret"},
        {"at": now - 301},
        {"at": now + 301},
        {"path": "/v1/webhooks/payments/nobody"},
        {"path": "/v1/webhooks/payments/cod"},
    ):
        answer = await send(api, settings, body, **how)
        assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature"), how
    changed = body.replace(str(payment["amount"]).encode(), b"1")
    assert (await send(api, settings, changed, signature=right)).status_code == 401
    no_header = await api.post(EVENTS, content=body)
    assert no_header.json()["code"] == "webhook_signature"
    assert rows(owner, "SELECT count(*) FROM store.payment_events") == [(0,)]


NO_EVENTS: list[tuple[bytes, int, str]] = [
    (b"", 400, "malformed_json"),
    (b"[]", 400, "malformed_json"),
    (b'"x"', 400, "malformed_json"),
    (b"{", 400, "malformed_json"),
    (b'{"id": "\xff"}', 400, "malformed_json"),
    (b'\xef\xbb\xbf{"id": "e", "type": "t"}', 400, "malformed_json"),
    (b'{"id": "e", "type": NaN}', 400, "malformed_json"),
    (b'{"id": "e", "type": "t", "x": 1e999}', 400, "malformed_json"),
    (b"[" * 2000 + b"]" * 2000, 400, "malformed_json"),
    (b"{}", 422, "validation_failed"),
    (b'{"id": 1, "type": "payment.captured"}', 422, "validation_failed"),
    (b'{"id": "e", "type": ["payment.captured"]}', 422, "validation_failed"),
    (b'{"id": "e", "type": "payment.captured"}', 422, "validation_failed"),
    (b'{"id": "e", "type": "refund.processed", "refund_id": "x"}', 422, "validation_failed"),
    (b'{"id": "e", "type": "payment.failed", "payment_id": 7}', 422, "validation_failed"),
    (b'{"id": "e", "type": "payment.failed", "amount": 99999999999999999999}', 422, "validation_failed"),
    (b'{"id": "e\\u0000", "type": "t"}', 422, "validation_failed"),
    (b'{"id": "' + b"e" * 129 + b'", "type": "t"}', 422, "validation_failed"),
    (b'{"id": "e", "type": "t", "x": "' + b"x" * MAX_EVENT_BYTES + b'"}', 413, "payload_too_large"),
]


async def test_signed_bodies_that_are_no_event(api: httpx.AsyncClient, owner: Connection, settings: Settings) -> None:
    for body, status, code in NO_EVENTS:
        answer = await send(api, settings, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body[:100]
    assert rows(owner, "SELECT count(*) FROM store.payment_events") == [(0,)]


STRANGE_EVENTS: list[tuple[Document, str]] = [
    ({"type": "payment.dispute.created"}, "ignored"),
    ({"type": "customer.created", "payment_id": {"not": "ours"}, "amount": -1}, "ignored"),
    ({"payment_id": str(uuid.uuid4())}, "unmatched"),
    ({"payment_id": "order-17 of another shop"}, "unmatched"),
    ({"type": "refund.processed", "refund_id": "x", "provider_refund_id": "r"}, "unmatched"),
    ({"type": "payment.failed", "failure_code": "a\u0000b", "note": "\u0000"}, "failed"),
    (
        {"type": "odd", "deep": orjson.Fragment(b"[" * 500 + b"]" * 500)},
        "ignored",
    ),
]


async def test_signed_events_are_kept_whatever_is_in_them(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, payment: Document
) -> None:
    for changes, outcome in STRANGE_EVENTS:
        answer = await send(api, settings, event(payment) | changes)
        assert (answer.status_code, answer.json().get("outcome")) == (200, outcome), answer.text
    found = rows(owner, "SELECT outcome FROM store.payment_events ORDER BY id")
    assert [outcome for (outcome,) in found] == [outcome for _, outcome in STRANGE_EVENTS]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ["id", "type", *KnownEvent.model_fields]


@given(st.fixed_dictionaries({}, optional={name: JSON | st.sampled_from(sorted(KNOWN_TYPES)) for name in MEMBERS}))
def test_reading_an_event_gives_an_event_or_a_refusal(document: Document) -> None:
    with suppress(Refused):
        assert read_event(orjson.dumps(document)).type == document["type"]


@given(st.binary(max_size=200))
def test_reading_bytes_gives_a_refusal(body: bytes) -> None:
    with pytest.raises(Refused):
        read_event(body)


async def test_no_limit_for_a_gateway(api: httpx.AsyncClient, settings: Settings, payment: Document) -> None:
    assert "ratelimit" not in (await send(api, settings, event(payment))).headers
