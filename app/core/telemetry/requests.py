"""The outermost middleware: what a request is bound to, its access line, its metrics, and its span.

Pure ASGI, one object and one closure a request; no raw path, no query and no address reach a log, a label or a span.
"""

import asyncio
from collections.abc import Mapping
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.config import Settings
from app.core.http import request_id_of
from app.core.metrics import Metrics, use_metrics
from app.core.telemetry.book import RequestBook, method_of
from app.core.telemetry.context import CURRENT, INFO_KEY, RequestInfo, route_of, valid_traceparent
from app.core.telemetry.shortcut import Shortcut
from app.core.telemetry.tracing import Tracing, failed, traceparent_of

CLIENT_GONE = 499


class Telemetry:
    """What one application observes with; ``tracing`` and ``shortcut`` come and go with its lifespan."""

    def __init__(self, metrics: Metrics, settings: Settings) -> None:
        self.metrics = metrics
        self.book = RequestBook(metrics, settings)
        self.tracing: Tracing | None = None
        self.shortcut: Shortcut | None = None


class Observed:
    """ASGI middleware; the first to see a request and the last to see its answer."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app = app
        self.telemetry = telemetry
        self._book = telemetry.book

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        headers = dict(scope["headers"])
        request = self._begun(scope, headers)
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
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

    def _begun(self, scope: Scope, headers: Mapping[bytes, bytes]) -> RequestInfo:
        request_id = request_id_of(headers.get(b"x-request-id"))
        traceparent = valid_traceparent(headers.get(b"traceparent", b"").decode("latin-1"))
        request = scope[INFO_KEY] = RequestInfo(request_id, traceparent, scope)
        tracing = self.telemetry.tracing
        if tracing is not None:
            request.tracing = tracing
            request.span = tracing.server_span(method_of(scope), request.traceparent)
            request.traceparent = traceparent_of(request.span)
        CURRENT.set(request)
        use_metrics(self.telemetry.metrics)
        return request

    def _ended(
        self, request: RequestInfo, scope: Scope, headers: Mapping[bytes, bytes], status: int, seconds: float
    ) -> None:
        method, route = method_of(scope), route_of(request.scope)
        self._book.count(method, route, status, seconds)
        if request.span is not None:
            request.span.update_name(f"{method} {route}")
            request.span.set_attributes({"http.route": route, "http.response.status_code": status})
            if status >= 500:
                failed(request.span, str(status))
            request.span.end()
        if self._book.writes_access:
            self._book.tell(route, scope, headers, status, seconds)
