"""One attempt to tell one receiver: POST, signed, bounded in time and size, nothing followed."""

import asyncio
import email.utils
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpcore

from app.core.config import Settings
from app.events import signing
from app.events.targets import GuardedBackend, Resolver, Rules, TargetRefused, checked_url, resolve

CONNECTIONS = 64
MOST_BODY = 1000
READ_AT_MOST = 64 * 1024
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
WHOLE_SECONDS = 20.0
LONGEST_RETRY_AFTER = 86_400
LONGEST_ERROR = 200
GONE = 410


@dataclass(frozen=True, slots=True)
class Attempt:
    """How it went: the status code (None without an answer), why not, the answer's beginning, milliseconds."""

    status_code: int | None
    error: str | None
    body: str | None
    duration_ms: int
    retry_after: int | None = None

    @property
    def delivered(self) -> bool:
        """2xx, and nothing else."""
        return self.status_code is not None and 200 <= self.status_code < 300


class Sender:
    """Sends. One for a process: it keeps connections."""

    def __init__(self, pool: httpcore.AsyncConnectionPool, rules: Rules) -> None:
        self._pool = pool
        self._rules = rules

    async def send(self, url: str, secrets: list[str], message_id: str, body: bytes) -> Attempt:
        """Never raises because of the receiver."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                status, error, answer, retry_after = await self._post(url, secrets, message_id, body)
        except TargetRefused as refused:
            status, error, answer, retry_after = None, f"refused: {refused}", None, None
        except TimeoutError:
            status, error, answer, retry_after = None, f"no answer within {WHOLE_SECONDS:g} s", None, None
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as failure:
            status, error, answer, retry_after = None, _said(failure), None, None
        return Attempt(status, error, answer, round((time.perf_counter() - began) * 1000), retry_after)

    async def _post(
        self, url: str, secrets: list[str], message_id: str, body: bytes
    ) -> tuple[int, str | None, str | None, int | None]:
        checked = checked_url(url, self._rules)
        headers = {
            "host": httpcore.URL(checked).host.decode() + _port(checked),
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": "Kirana-Webhooks/1",
            "accept": "*/*",
            "accept-encoding": "identity",
            **signing.headers(secrets, message_id, int(time.time()), body),
        }
        timeouts = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS, "pool": CONNECT_SECONDS}
        async with self._pool.stream(
            "POST", checked, headers=list(headers.items()), content=body, extensions={"timeout": timeouts}
        ) as response:
            answer = await _beginning(response)
            given = dict(response.headers)
            retry_after = retry_after_seconds(given.get(b"Retry-After") or given.get(b"retry-after"))
            error = None if 200 <= response.status < 300 else f"answered {response.status}"
            return response.status, error, answer, retry_after


async def _beginning(response: httpcore.Response) -> str:
    """The first bytes of the answer as text that PostgreSQL can keep; the rest is not read."""
    kept = b""
    read = 0
    async for chunk in response.aiter_stream():
        kept = (kept + chunk)[:MOST_BODY]
        read += len(chunk)
        if read >= READ_AT_MOST:
            break
    return kept.decode("utf-8", "replace").replace("\0", "�")


def retry_after_seconds(value: bytes | None, now: float | None = None) -> int | None:
    """Seconds or an HTTP date, at most a day; None for what is neither."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), LONGEST_RETRY_AFTER)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    wanted = moment.timestamp() - (time.time() if now is None else now)
    return min(max(0, round(wanted)), LONGEST_RETRY_AFTER)


def _port(url: str) -> str:
    port = httpcore.URL(url).port
    return "" if port is None else f":{port}"


def _said(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}".replace("\0", "")[:LONGEST_ERROR].rstrip(": ")


@asynccontextmanager
async def sender(
    settings: Settings, resolver: Resolver = resolve, ssl_context: ssl.SSLContext | None = None
) -> AsyncIterator[Sender]:
    """A sender by the settings' rules. TLS is checked against the system's certificates."""
    rules = Rules.of(settings)
    async with httpcore.AsyncConnectionPool(
        ssl_context=ssl_context or ssl.create_default_context(),
        max_connections=CONNECTIONS,
        max_keepalive_connections=CONNECTIONS,
        keepalive_expiry=30.0,
        network_backend=GuardedBackend(rules, resolver),
    ) as pool:
        yield Sender(pool, rules)
