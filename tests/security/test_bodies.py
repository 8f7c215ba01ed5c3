"""Bodies that nobody means well with: too large, too deep, too slow, not JSON, not UTF-8, numbers without an end."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis

from app.core.config import Settings
from app.main import create_app
from tests.support.api import bearer, serving
from tests.support.builders import call, make_cart, make_coupon, make_product, make_staff, make_user, one
from tests.support.databases import Database
from tests.support.processes import free_port, full_environment, process, wait_until_ready

LIMIT = 4096


@pytest.fixture
async def client(settings: Settings, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """Both APIs, taking bodies of 4 KiB."""
    async with serving(create_app(settings.model_copy(update={"max_body_bytes": LIMIT}))) as opened:
        yield opened


@pytest.fixture
def shopper(owner: psycopg.Connection[Any], settings: Settings) -> dict[str, str]:
    return bearer(settings, make_user(owner))


BROKEN: dict[str, tuple[bytes, set[str]]] = {
    "over the limit": (b'{"sku": "' + b"x" * LIMIT + b'"}', {"payload_too_large"}),
    "deeply nested": (b'{"sku": ' + b"[" * 1500 + b"]" * 1500 + b"}", {"validation_failed", "malformed_json"}),
    "nested and open": (b"[" * 4000, {"validation_failed", "malformed_json"}),
    "not UTF-8": (b'{"sku": "\xff\xfe"}', {"malformed_json", "validation_failed"}),
    "a lone surrogate": (b'{"sku": "\\ud800", "quantity": 1}', {"malformed_json", "validation_failed"}),
    "NUL in a text": (b'{"sku": "A\\u0000B", "quantity": 1}', {"validation_failed", "sku_not_found"}),
    "cut off": (b'{"sku": "A", "quant', {"malformed_json"}),
    "not JSON": (b"sku=A&quantity=1", {"malformed_json"}),
    "empty": (b"", {"validation_failed"}),
    "a list": (b"[]", {"validation_failed"}),
    "a number": (b"7", {"validation_failed"}),
    "not a number": (b'{"sku": "A", "quantity": NaN}', {"malformed_json", "validation_failed"}),
    "a number without end": (
        b'{"sku": "A", "quantity": 1' + b"0" * 400 + b"}",
        {"validation_failed", "malformed_json"},
    ),
    "a quantity above all": (b'{"sku": "A", "quantity": 9223372036854775808}', {"validation_failed"}),
    "a fraction": (b'{"sku": "A", "quantity": 1.5}', {"validation_failed"}),
    "minus": (b'{"sku": "A", "quantity": -1}', {"validation_failed"}),
    "a text for a number": (b'{"sku": "A", "quantity": "many"}', {"validation_failed"}),
    "something unknown": (b'{"sku": "A", "quantity": 1, "price": 1}', {"validation_failed"}),
}


@pytest.mark.parametrize("name", list(BROKEN))
async def test_a_broken_body_is_told_and_does_nothing(
    name: str, client: httpx.AsyncClient, shopper: dict[str, str], owner: psycopg.Connection[Any]
) -> None:
    body, codes = BROKEN[name]
    headers = shopper | {"Content-Type": "application/json"}
    answer = await client.post("/v1/cart/items", content=body, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"] in codes, answer.text
    assert one(owner, "SELECT count(*) FROM store.carts") == 0


async def test_of_a_member_sent_twice_the_last_counts(
    client: httpx.AsyncClient, shopper: dict[str, str], owner: psycopg.Connection[Any]
) -> None:
    """RFC 8259 leaves it open; what matters is that the number that is checked is the one that is used."""
    sku = make_product(owner, stock=9).sku
    body = b'{"sku": "%s", "quantity": -5, "quantity": 2}' % sku.encode()
    answer = await client.post("/v1/cart/items", content=body, headers=shopper | {"Content-Type": "application/json"})
    assert answer.json()["items"][0]["quantity"] == 2, answer.text
    body = b'{"sku": "%s", "quantity": 2, "quantity": -5}' % sku.encode()
    answer = await client.post("/v1/cart/items", content=body, headers=shopper | {"Content-Type": "application/json"})
    assert answer.status_code == 422


async def test_a_body_in_pieces_is_counted_all_the_same(client: httpx.AsyncClient, shopper: dict[str, str]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 1000

    headers = shopper | {"Content-Type": "application/json"}
    answer = await client.post("/v1/cart/items", content=pieces(), headers=headers)
    assert answer.json()["code"] == "payload_too_large", answer.text


@pytest.mark.parametrize("price", [2**63 - 1, 2**63, 10**30, 0, -1])
async def test_paise_do_not_overflow(
    price: int, client: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    """A price that no sum could hold is refused where it is set, not where it is first added up."""
    sku = make_product(owner, stock=9).sku
    headers = bearer(settings, make_staff(owner), "owner") | {"Idempotency-Key": "k1"}
    answer = await client.post(f"/v1/admin/variants/{sku}/prices", json={"price": price, "mrp": price}, headers=headers)
    assert answer.status_code == 422, answer.text


async def test_the_dearest_cart_there_can_be_is_added_up(
    client: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    """The highest price that is taken, times the highest quantity: totals are right, or it is refused; never a 5xx."""
    sku = make_product(owner, stock=9).sku
    staff = bearer(settings, make_staff(owner), "owner") | {"Idempotency-Key": "k1"}
    highest = 1
    for digits in range(2, 19):
        body = {"price": 10**digits, "mrp": 10**digits}
        more = {"Idempotency-Key": f"k{digits}"}
        if (await client.post(f"/v1/admin/variants/{sku}/prices", json=body, headers=staff | more)).is_success:
            highest = 10**digits
    user = bearer(settings, make_user(owner))
    answer = await client.put(f"/v1/cart/items/{sku}", json={"quantity": 100_000}, headers=user)
    assert answer.status_code < 500, answer.text
    if answer.is_success:
        assert answer.json()["subtotal"] in {highest * 100_000, 0}, answer.text


LOOK_ALIKES = [
    "ТEN",
    "TЕN",
    "ＴＥＮ",
    "TEN\u200b",
    "TEN\u0301",
    "te\u0274",
    "TEN\u202e",
    "ＴEN",
]  # Cyrillic, full width, …


@pytest.mark.parametrize("code", LOOK_ALIKES)
async def test_a_code_that_looks_like_a_coupons_is_not_it(
    code: str, client: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    make_coupon(owner, "TEN")
    user = make_user(owner)
    make_cart(owner, user, (make_product(owner, stock=9), 1))
    answer = await client.put("/v1/cart/coupon", json={"code": code}, headers=bearer(settings, user))
    assert answer.status_code in {404, 422}, answer.text
    assert one(owner, "SELECT count(*) FROM store.cart_coupons") == 0
    call(owner, "apply_coupon", p_user_id=user, p_code="TEN")
    assert one(owner, "SELECT count(*) FROM store.cart_coupons") == 1


@pytest.mark.slow
async def test_slow_clients_are_let_go(database: Database, owner: psycopg.Connection[Any]) -> None:
    """More of them than the process takes at once: each loses its place in time, and others are served."""
    most, seconds, port = 8, 2.0, free_port()
    environment = full_environment(database, KIRANA_MAX_IN_FLIGHT=str(most), KIRANA_MAX_BODY_SECONDS=str(seconds))
    arguments = ["-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
    with process([*arguments, "--log-level", "warning"], environment) as server:
        base = f"http://127.0.0.1:{port}"
        await asyncio.to_thread(wait_until_ready, base, server)
        head = (
            b"POST /v1/auth/otp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
        )
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(most)]
        for _, writer in slow:
            writer.write(head)
            await writer.drain()
        answers = [await asyncio.wait_for(reader.readuntil(b"}"), seconds + 20) for reader, _ in slow]
        assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers), answers[0]
        assert json.loads(b"{" + answers[0].split(b"{", 1)[1])["code"] == "request_timeout"
        began = time.monotonic()
        async with httpx.AsyncClient(timeout=30) as others:
            assert (await others.get(f"{base}/v1/products")).status_code == 200
        assert time.monotonic() - began < 20
        for _, writer in slow:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
