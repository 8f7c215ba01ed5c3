"""The outermost middleware: what a request is bound to, its access line, its metrics, and its span.

Pure ASGI, one object and one closure a request; no raw path, no query and no address reach a log, a label or a span.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2s
from time import perf_counter
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.config import Settings
from app.core.http import client_ip, request_id_of
from app.core.metrics import Metrics, use_metrics
from app.core.telemetry.context import CURRENT, INFO_KEY, ROUTE_KEY, RequestInfo, route_of, valid_traceparent
from app.core.telemetry.shortcut import Ready, Shortcut
from app.core.telemetry.tracing import Tracing, failed, traceparent_of

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Asked every few seconds by machines: their lines are for whoever debugs.
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})
CLIENT_GONE = 499
CLIENT_BYTES = 6
REMEMBERED = 4096


class Telemetry:
    """What one application observes with; ``tracing`` and ``shortcut`` come and go with its lifespan."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.tracing: Tracing | None = None
        self.shortcut: Shortcut | None = None


class Observed:
    """ASGI middleware; the first to see a request and the last to see its answer."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, settings: Settings) -> None:
        self.app = app
        self.telemetry = telemetry
        self._client = client_of(settings)
        self._writes_access = settings.access_log
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        headers = dict(scope["headers"])
        shortcut = self.telemetry.shortcut
        ready = None if shortcut is None else shortcut.answer(scope, headers)
        if isinstance(ready, Ready) and self.telemetry.tracing is None:
            await self._answer(ready, scope, headers, send, started)
            return
        watcher = None if isinstance(ready, Ready) else ready
        request = self._begun(scope, headers)
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            if watcher is not None:
                watcher.saw(message)
            await send(message)

        in_flight = self.telemetry.metrics.in_flight
        in_flight.inc()
        try:
            await self.app(scope, receive, noting)
        except asyncio.CancelledError:
            status = status or CLIENT_GONE
            raise
        except BaseException:
            status = status or 500
            raise
        finally:
            in_flight.dec()
            self._ended(request, scope, headers, status, perf_counter() - started)

    async def _answer(
        self, ready: Ready, scope: Scope, headers: Mapping[bytes, bytes], send: Send, started: float
    ) -> None:
        """Send what is ready, under this request's id; counted and told of like any other answer."""
        request_id = request_id_of(headers.get(b"x-request-id"))
        named = [*ready.headers, (b"x-request-id", request_id.encode())]
        await send({"type": "http.response.start", "status": ready.status, "headers": named})
        await send({"type": "http.response.body", "body": ready.body})
        count, duration = self._children_of("GET", ready.route, ready.status)
        count.inc()
        duration.observe(perf_counter() - started)
        if self._writes_access:
            traceparent = valid_traceparent(headers.get(b"traceparent", b"").decode("latin-1"))
            CURRENT.set(RequestInfo(request_id, traceparent, {**scope, ROUTE_KEY: ready.route}))
            self._tell(ready.route, scope, headers, ready.status, perf_counter() - started)

    def _begun(self, scope: Scope, headers: Mapping[bytes, bytes]) -> RequestInfo:
        request_id = request_id_of(headers.get(b"x-request-id"))
        traceparent = valid_traceparent(headers.get(b"traceparent", b"").decode("latin-1"))
        request = scope[INFO_KEY] = RequestInfo(request_id, traceparent, scope)
        tracing = self.telemetry.tracing
        if tracing is not None:
            request.tracing = tracing
            request.span = tracing.server_span(_method(scope), request.traceparent)
            request.traceparent = traceparent_of(request.span)
        CURRENT.set(request)
        use_metrics(self.telemetry.metrics)
        return request

    def _ended(
        self, request: RequestInfo, scope: Scope, headers: Mapping[bytes, bytes], status: int, seconds: float
    ) -> None:
        method, route = _method(scope), route_of(request.scope)
        count, duration = self._children_of(method, route, status)
        count.inc()
        duration.observe(seconds)
        if request.span is not None:
            request.span.update_name(f"{method} {route}")
            request.span.set_attributes({"http.route": route, "http.response.status_code": status})
            if status >= 500:
                failed(request.span, str(status))
            request.span.end()
        if self._writes_access:
            self._tell(route, scope, headers, status, seconds)

    def _tell(self, route: str, scope: Scope, headers: Mapping[bytes, bytes], status: int, seconds: float) -> None:
        _access_line(
            method=_method(scope),
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            client=self._client(scope.get("client"), headers.get(b"x-forwarded-for")),
        )

    def _children_of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        key = (method, route, status)
        found = self._children.get(key)
        if found is None:
            metrics = self.telemetry.metrics
            found = (
                metrics.requests.labels(method, route, str(status)),
                metrics.request_seconds.labels(method, route),
            )
            self._children[key] = found
        return found


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in METHODS else "OTHER"


def _access_line(**members: Any) -> None:
    log = structlog.get_logger()
    if members["route"] in QUIET_ROUTES:
        log.debug("request", **members)
    elif members["status"] >= 500:
        log.error("request", **members)
    else:
        log.info("request", **members)


def client_of(settings: Settings) -> Callable[[Any, bytes | None], str | None]:
    """A keyed hash of the client's address: tells callers apart in a log, and can't be turned back without the key.

    None where no secret is set to key it with.
    """
    if settings.cursor_secret is None:
        return lambda *_: None
    key = blake2s(b"client in logs:" + settings.cursor_secret.get_secret_value().encode()).digest()
    trusted = settings.trusted_proxies

    @lru_cache(maxsize=REMEMBERED)
    def hashed(peer: str | None, forwarded: bytes | None) -> str:
        address = client_ip(peer, None if forwarded is None else forwarded.decode("latin-1"), trusted)
        return blake2s(address.encode(), key=key, digest_size=CLIENT_BYTES).hexdigest()

    return lambda peer, forwarded: hashed(peer[0] if peer else None, forwarded)
