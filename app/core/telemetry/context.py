"""The request that is being answered: what its log lines, its calls and its spans are bound to.

One contextvar holds one small object a request. Log lines read it when they are written, so a request that logs nothing
pays for nothing, and a line written after routing knows the route.
"""

import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from app.core.telemetry.tracing import Tracing

_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
UNMATCHED = "unmatched"
# An ASGI front that answers before the router says here which template it answered for.
ROUTE_KEY = "kirana.route"
INFO_KEY = "kirana.request"

Scope = MutableMapping[str, Any]


class RequestInfo:
    """One request: its id, its trace (the caller's, or our own span's), its scope, and its span if there is one."""

    __slots__ = ("request_id", "scope", "span", "traceparent", "tracing")

    def __init__(self, request_id: str, traceparent: str | None, scope: Scope) -> None:
        self.request_id = request_id
        self.traceparent = traceparent
        self.scope = scope
        self.tracing: Tracing | None = None
        self.span: Span | None = None


CURRENT: ContextVar[RequestInfo | None] = ContextVar("kirana_request", default=None)


def request_info(scope: Scope) -> RequestInfo | None:
    """What the outermost middleware noted of this request; None where it is not installed."""
    info: RequestInfo | None = scope.get(INFO_KEY)
    return info


def valid_traceparent(text: str) -> str | None:
    """``text`` if it is of the form of a W3C traceparent, else None."""
    return text if _TRACEPARENT.match(text) else None


def route_of(scope: Scope) -> str:
    """The template of the path that matched (``/v1/orders/{order_id}``), or ``unmatched``; never the path itself."""
    given = scope.get(ROUTE_KEY)
    if given is not None:
        return str(given)
    # the framework keeps an included router's prefix beside the route, not in it
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(route, "path", None) or UNMATCHED


def bind_request(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A log processor: the request's id, trace and route, where there is a request and the line does not say them."""
    request = CURRENT.get()
    if request is None:
        return event
    event.setdefault("request_id", request.request_id)
    if request.traceparent is not None:
        event.setdefault("traceparent", request.traceparent)
    event.setdefault("route", route_of(request.scope))
    return event
