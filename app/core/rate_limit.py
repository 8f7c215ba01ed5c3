"""Token buckets in Redis, and the RateLimit header fields that tell a client where it stands.

Header fields: draft-ietf-httpapi-ratelimit-headers, as in ``RateLimit-Policy: "ip";q=100;w=60``.
The bucket is kept as one number, the time at which it is full again (GCRA): one key, gone by itself when it is full.
"""

import ipaddress
from dataclasses import dataclass
from typing import Annotated

import redis.asyncio as redis
from fastapi import Depends, Request

from app.core.http import add_response_header
from app.core.redis_aid import RedisAid

POLICY_HEADER = "RateLimit-Policy"
LIMIT_HEADER = "RateLimit"
KEY_PREFIX = "rate"

# KEYS: the bucket. ARGV: quota, window in microseconds.
# Answers: taken (1 or 0), tokens left, seconds to wait or until it is full.
TAKE = """
local now = redis.call('TIME')
local at = now[1] * 1000000 + now[2]
local window = tonumber(ARGV[2])
local step = window / tonumber(ARGV[1])
local full = math.max(tonumber(redis.call('GET', KEYS[1])) or 0, at) + step
if full - at > window then
  return {0, 0, math.ceil((full - window - at) / 1000000)}
end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - at) / 1000))
return {1, math.floor((window - full + at) / step), math.ceil((full - at) / 1000000)}
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a client stands with one limit: ``quota`` per ``window`` seconds, what remains, seconds to the reset."""

    name: str
    quota: int
    window: int
    remaining: int
    reset: int


class RateLimitHeaders:
    """Tells the limits of one request, whatever its answer turns out to be."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def add(self, standing: Standing) -> None:
        """Add one limit to the fields."""
        policy = f'"{standing.name}";q={standing.quota};w={standing.window}'
        limit = f'"{standing.name}";r={max(0, standing.remaining)};t={standing.reset}'
        add_response_header(self._request, POLICY_HEADER, policy)
        add_response_header(self._request, LIMIT_HEADER, limit)


async def rate_limit_headers(request: Request) -> RateLimitHeaders:
    """The fields of this request, for routes."""
    return RateLimitHeaders(request)


LimitHeaders = Annotated[RateLimitHeaders, Depends(rate_limit_headers)]


def source_of(ip: str) -> str:
    """What is counted for an address: itself, or the /64 that whoever has one IPv6 address has whole."""
    address = ipaddress.ip_address(ip)
    if address.version == 4:
        return ip
    return str(ipaddress.ip_network((address, 64), strict=False))


class TokenBucket:
    """``quota`` requests at once, refilled evenly over ``window`` seconds; a quota of 0 limits nothing."""

    def __init__(self, aid: RedisAid, name: str, quota: int, window: int) -> None:
        self._aid = aid
        self._name = name
        self._quota = quota
        self._window = window

    @property
    def unlimited(self) -> bool:
        """Whether nobody counts."""
        return self._quota == 0

    async def take(self, key: str) -> tuple[bool, Standing] | None:
        """Take one token of ``key``: whether there was one, and the standing; None when nobody counts (no Redis)."""
        if self.unlimited:
            return None
        bucket = f"{KEY_PREFIX}:{self._name}:{{{key}}}"

        async def run(client: redis.Redis) -> list[int]:
            # one EVAL, sent whole: the script is short, and there is no NOSCRIPT to recover from after a failover
            answer = await client.eval(TAKE, 1, bucket, str(self._quota), str(self._window * 10**6))
            return [int(part) for part in answer]

        taken = await self._aid.attempt(run)
        if taken is None:
            return None
        allowed, remaining, seconds = taken
        return bool(allowed), Standing(self._name, self._quota, self._window, remaining, seconds)
