"""The token bucket per address, its header fields, and what happens when Redis is away or hangs."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio as async_redis
from pydantic import SecretStr
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.core.config import Settings
from app.core.rate_limit import TokenBucket, source_of
from app.core.redis_aid import RedisAid
from app.core.wake import redis_client
from command_api.main import create_app
from tests.support.api import bearer, log_in, serving
from tests.support.builders import make_user

LOGOUT = "/v1/auth/logout"


@pytest.fixture
async def limited(settings: Settings, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """A command API that takes three requests a minute of one address."""
    async with serving(create_app(settings.model_copy(update={"command_rate_limit": 3}))) as client:
        yield client


async def test_the_bucket_runs_dry_and_says_when_to_come_back(limited: httpx.AsyncClient) -> None:
    answers = [await limited.post(LOGOUT) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert [answer.headers["ratelimit-policy"] for answer in answers] == ['"ip";q=3;w=60'] * 4
    remaining = [answer.headers["ratelimit"].split(";")[1] for answer in answers]
    assert remaining == ["r=2", "r=1", "r=0", "r=0"]
    refused = answers[3]
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 20, "one token comes back in twenty seconds"


async def test_addresses_have_buckets_of_their_own(settings: Settings, redis: Redis) -> None:
    app = create_app(settings.model_copy(update={"command_rate_limit": 1}))
    for peer, status in (("198.51.100.1", 401), ("198.51.100.1", 429), ("198.51.100.2", 401)):
        async with serving(app, peer) as client:
            assert (await client.post(LOGOUT)).status_code == status


async def test_processes_share_the_bucket(settings: Settings, redis: Redis) -> None:
    """Two workers, each with a connection of its own to one Redis: what one lets in, the other counts."""
    limited = settings.model_copy(update={"command_rate_limit": 3})
    async with serving(create_app(limited)) as one, serving(create_app(limited)) as other:
        statuses = [(await client.post(LOGOUT)).status_code for client in (one, other) * 3]
    assert statuses == [401, 401, 401, 429, 429, 429]


async def test_webhooks_and_health_are_not_counted(limited: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await limited.get("/healthz")).status_code == 200
        assert (await limited.post("/v1/webhooks/payments/nobody", json={})).status_code != 429
    assert (await limited.post(LOGOUT)).headers["ratelimit"].startswith('"ip";r=2')


async def test_a_limit_of_zero_is_no_limit(settings: Settings, redis: Redis) -> None:
    async with serving(create_app(settings.model_copy(update={"command_rate_limit": 0}))) as client:
        answer = await client.post(LOGOUT)
    assert answer.status_code == 401
    assert "ratelimit" not in answer.headers
    assert redis.keys("rate:*") == []


async def test_parallel_requests_never_get_more_than_there_is(aredis: AsyncRedis) -> None:
    bucket = TokenBucket(RedisAid(aredis), "ip", 10, 3600)
    taken = await asyncio.gather(*(bucket.take("198.51.100.1") for _ in range(40)))
    assert sum(allowed for allowed, _ in filter(None, taken)) == 10


async def test_a_bucket_fills_up_again_and_then_leaves_redis(aredis: AsyncRedis) -> None:
    bucket = TokenBucket(RedisAid(aredis), "ip", 2, 3600)
    for expected in (True, True, False):
        taken = await bucket.take("198.51.100.1")
        assert taken is not None
        assert taken[0] is expected
    [key] = await aredis.keys("rate:*")
    assert 3_590_000 < await aredis.pttl(key) <= 3_600_000, "gone when it is full"
    # half an hour passes: one token of two is back
    full_at = int(await aredis.get(key))
    await aredis.set(key, str(full_at - 1800 * 10**6), keepttl=True)
    first, second = await bucket.take("198.51.100.1"), await bucket.take("198.51.100.1")
    assert first is not None
    assert second is not None
    assert (first[0], second[0]) == (True, False)


@pytest.mark.parametrize(
    ("ip", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
    ],
)
def test_an_ipv6_network_is_one_source(ip: str, source: str) -> None:
    assert source_of(ip) == source


async def test_without_redis_everything_works_but_the_counting(settings: Settings, tmp_path: Path, owner: Any) -> None:
    nowhere = SecretStr(f"unix://{tmp_path}/no-redis.sock")
    away = settings.model_copy(update={"redis_url": nowhere, "command_rate_limit": 1})
    async with serving(create_app(away)) as client:
        document = await log_in(client, away, "+919876543210")
        headers = {"Authorization": f"Bearer {document['access_token']}"}
        assert (await client.delete("/v1/wishlist/x", headers=headers)).status_code == 204
        out = await client.post(LOGOUT, headers=headers)
        assert out.status_code == 204
        assert "ratelimit" not in out.headers
        refreshed = await client.post("/v1/auth/refresh", json={"refresh_token": document["refresh_token"]})
        assert refreshed.json()["code"] == "session_invalid", "PostgreSQL ends the session whatever Redis does"
        again = await client.post("/v1/auth/otp", json={"phone": "+919876543210"})
        assert again.status_code == 429, "the limits of codes hold without Redis"


async def test_a_redis_that_hangs_is_left_alone_for_a_while(settings: Settings, owner: Any) -> None:
    connections, gone = 0, asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            await reader.read()
        finally:
            writer.transport.abort()
            gone.set()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hanging = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{port}")})
    headers = bearer(settings, make_user(owner))
    async with server, serving(create_app(hanging)) as client:
        started = time.monotonic()
        for _ in range(10):
            assert (await client.delete("/v1/wishlist/x", headers=headers)).status_code == 204
        assert time.monotonic() - started < 2, "one time-out is paid, not twenty"
    assert connections == 1
    await asyncio.wait_for(gone.wait(), 10)


async def test_an_error_answer_of_redis_counts_as_away(settings: Settings, redis: Redis) -> None:
    async with redis_client(settings) as client:
        aid = RedisAid(client)

        async def wrong(found: async_redis.Redis) -> object:
            return await found.execute_command("NO-SUCH-COMMAND")

        async def right(found: async_redis.Redis) -> object:
            return await found.ping()

        assert await aid.attempt(wrong) is None
        assert await aid.attempt(right) is None, "the pause"
        assert await RedisAid(client).attempt(right) is True
