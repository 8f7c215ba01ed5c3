"""Before the framework: what is ready is sent from here, and the answers that may be ready the next time are watched.

A request that is answered here costs about as much as the server itself: no routing, no middleware, no task.
"""

import itertools
import secrets
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.http import request_id_of
from app.core.telemetry.context import CURRENT, ROUTE_KEY, RequestInfo, valid_traceparent
from app.core.telemetry.requests import Telemetry
from app.core.telemetry.shortcut import Ready, Watcher


class Front:
    """The front of one application."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._book = telemetry.book
        # ids of 32 hex digits as everywhere, made for less: this process's own half, and a count
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count(secrets.randbits(32))

    async def __call__(self, inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it, or let ``inner`` do so. With tracing on, all goes to ``inner``: each request has its span."""
        shortcut = self._telemetry.shortcut
        if shortcut is None or scope["type"] != "http" or self._telemetry.tracing is not None:
            await inner(scope, receive, send)
            return
        started = perf_counter()
        headers = dict(scope["headers"])
        found = shortcut.answer(scope, headers)
        if found is None:
            await inner(scope, receive, send)
        elif isinstance(found, Ready):
            given = headers.get(b"x-request-id")
            request_id = f"{self._prefix}{next(self._numbers):016x}" if given is None else request_id_of(given)
            named = [*found.headers, (b"x-request-id", request_id.encode())]
            await send({"type": "http.response.start", "status": found.status, "headers": named})
            await send({"type": "http.response.body", "body": found.body})
            seconds = perf_counter() - started
            self._book.count("GET", found.route, found.status, seconds)
            if self._book.writes_access:
                traceparent = valid_traceparent(headers.get(b"traceparent", b"").decode("latin-1"))
                CURRENT.set(RequestInfo(request_id, traceparent, {**scope, ROUTE_KEY: found.route}))
                self._book.tell(found.route, scope, headers, found.status, seconds)
        else:
            await inner(scope, receive, watched(send, found))


def watched(send: Send, watcher: Watcher) -> Send:
    """``send``, with somebody who sees what is sent."""

    async def seen(message: Message) -> None:
        watcher.saw(message)
        await send(message)

    return seen
