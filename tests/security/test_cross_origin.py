"""Pages of other origins: those that are configured may call and read all that a shopper meets, others nothing."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.main import create_app
from tests.support.api import serving
from tests.support.databases import Database

OURS, THEIRS = "https://shop.example", "https://elsewhere.example"
ALLOW, EXPOSE = "access-control-allow-origin", "access-control-expose-headers"


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """Both APIs, with one origin configured, and room for a single request."""
    settings = database.settings.model_copy(update={"cors_origins": [OURS], "max_in_flight": 1})
    async with serving(create_app(settings)) as opened:
        yield opened


async def test_a_configured_origin_may_ask_and_read(client: httpx.AsyncClient) -> None:
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key, if-match"}
    asked = await client.options("/v1/checkout", headers={"Origin": OURS, **wanted})
    assert (asked.status_code, asked.headers[ALLOW]) == (200, OURS)
    assert {"Idempotency-Key", "If-Match"} <= set(asked.headers["access-control-allow-headers"].split(", "))
    answers = [
        await client.get("/v1/products", headers={"Origin": OURS}),
        await client.post("/v1/checkout", json={}, headers={"Origin": OURS}),
        await client.get("/v1/nowhere", headers={"Origin": OURS}),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 404]
    for answer in answers:
        assert answer.headers[ALLOW] == OURS
        assert {"ETag", "Retry-After", "X-Consistency-Token"} <= set(answer.headers[EXPOSE].split(", "))
        assert "origin" in answer.headers["vary"].lower()


async def test_another_origin_may_not(client: httpx.AsyncClient) -> None:
    asked = await client.options("/v1/checkout", headers={"Origin": THEIRS, "Access-Control-Request-Method": "POST"})
    assert asked.status_code == 400
    for origin in (THEIRS, "null", f"{OURS}.elsewhere.example"):
        answer = await client.get("/v1/products", headers={"Origin": origin})
        assert (answer.status_code, ALLOW in answer.headers) == (200, False)


async def test_a_page_can_read_that_the_store_is_busy(client: httpx.AsyncClient) -> None:
    """What is turned away at the door says so to a browser too, which else shows its page a network error."""

    async def unfinished() -> AsyncIterator[bytes]:
        arrived.set()
        await ended.wait()
        yield b"{}"

    arrived, ended = asyncio.Event(), asyncio.Event()
    inside = asyncio.create_task(client.post("/v1/cart/items", content=unfinished()))
    await arrived.wait()
    answer = await client.post("/v1/cart/items", json={}, headers={"Origin": OURS})
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert (answer.headers[ALLOW], "Retry-After" in answer.headers) == (OURS, True)
    ended.set()
    assert (await inside).status_code == 422
