"""What both APIs share of HTTP: who asks from where, preconditions, idempotency keys, body limits, headers."""

import asyncio
import hashlib
import ipaddress
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import BY_CODE, Refused
from app.core.problems import problem
from app.core.telemetry.context import request_info, valid_traceparent
from app.core.telemetry.redaction import redact_text

CONSISTENCY_HEADER = "X-Consistency-Token"
REPLAYED_HEADER = "Idempotent-Replayed"
UNKNOWN_PEER = "::"  # a unix socket has no address
REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
KEY_HEADER = "Idempotency-Key"
MATCH_HEADER = "If-Match"
ETAG_PATTERN = r'^\s*(W/)?"[0-9]{1,18}"\s*$'
OPTIONAL_ETAG_PATTERN = ETAG_PATTERN[:-1] + r"$|^\s*\*\s*$"
_ETAG = re.compile(r'^(?:W/)?"(\d{1,18})"$')

# A policy that lets a document load nothing and be framed by nobody leaves Referrer-Policy and X-Frame-Options (which
# frame-ancestors replaces: CSP 2, 7.7.1) nothing to say. Each header costs a kept page a fiftieth of its speed.
SECURITY_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-site"),
)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Where a command comes from; goes to the procedures as ``p_context`` (traceparent, request_id, ip)."""

    traceparent: str | None
    request_id: str | None
    ip: str

    def as_parameter(self) -> dict[str, Any]:
        """The JSON object that procedures take."""
        members = {"traceparent": self.traceparent, "request_id": self.request_id, "ip": self.ip}
        return {name: value for name, value in members.items() if value is not None}


@lru_cache(maxsize=8)
def _networks(cidrs: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(cidr) for cidr in cidrs)


def client_ip(peer: str | None, forwarded_for: str | None, trusted: tuple[str, ...]) -> str:
    """The nearest address that is not a trusted proxy, read from the right of ``X-Forwarded-For``.

    An untrusted peer's header is ignored, so nobody chooses the address that limits are counted by.
    """
    hops = [peer or UNKNOWN_PEER]
    if forwarded_for:
        hops += [hop.strip() for hop in reversed(forwarded_for.split(","))]
    networks = _networks(trusted)
    last = hops[0]
    for hop in hops:
        try:
            address = ipaddress.ip_address(hop)
        except ValueError:
            return last
        # a dual-stack socket shows an IPv4 peer as ::ffff:…
        address = getattr(address, "ipv4_mapped", None) or address
        last = str(address)
        if not any(address in network for network in networks):
            return last
    return last


def ip_of(request: Request) -> str:
    """The address that a request came from, as ``client_ip`` has it."""
    return client_ip(
        request.client.host if request.client else None,
        request.headers.get("x-forwarded-for"),
        request.app.state.settings.trusted_proxies,
    )


async def request_context(request: Request) -> RequestContext:
    """The context of this request; headers that are not of the right form count as absent."""
    info = request_info(request.scope)
    return RequestContext(
        # where tracing is on it names our own span, so that what the command causes hangs under it
        valid_traceparent(request.headers.get("traceparent", "")) if info is None else info.traceparent,
        getattr(request.state, "request_id", None),
        ip_of(request),
    )


Context = Annotated[RequestContext, Depends(request_context)]


# 1 to 255 visible ASCII characters; without it, or with another, `idempotency_key_missing`
IdempotencyKey = Annotated[str, Header(alias=KEY_HEADER, min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


def request_hash(*parts: object) -> bytes:
    """SHA-256 of what makes two requests the same: the path's ids and the body, as canonical JSON."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)).digest()


def version_of_etag(value: str) -> int:
    """The version in an ETag (``"7"`` or ``W/"7"``). Raises ``Refused('version_mismatch')`` when it is none of ours."""
    match = _ETAG.match(value.strip())
    if match is None:
        raise Refused("version_mismatch", "If-Match must be an ETag that this API gave.")
    return int(match.group(1))


async def required_version(if_match: Annotated[str, Header(alias=MATCH_HEADER, pattern=ETAG_PATTERN)]) -> int:
    """The version a change is based on, from the required ``If-Match``; ``428`` without it."""
    return version_of_etag(if_match)


async def optional_version(
    if_match: Annotated[str | None, Header(alias=MATCH_HEADER, pattern=OPTIONAL_ETAG_PATTERN)] = None,
) -> int | None:
    """The version of ``If-Match`` if it was sent (``*`` counts as not sent)."""
    return None if if_match is None or if_match.strip() == "*" else version_of_etag(if_match)


RequiredVersion = Annotated[int, Depends(required_version)]
OptionalVersion = Annotated[int | None, Depends(optional_version)]


def json_response(
    document: object,
    status: int = 200,
    *,
    version: int | None = None,
    position: int | None = None,
    replayed: bool = False,
    headers: dict[str, str] | None = None,
) -> Response:
    """A JSON answer with its ETag (version), consistency token (outbox position) and replay mark."""
    sent = dict(headers or {})
    if version is not None:
        sent["ETag"] = f'"{version}"'
    if position is not None:
        sent[CONSISTENCY_HEADER] = str(position)
    if replayed:
        sent[REPLAYED_HEADER] = "true"
    return Response(orjson.dumps(document), status, sent, "application/json")


def add_response_header(request: Request, name: str, value: str) -> None:
    """Have ``name: value`` sent with this request's answer, whether that is a result or a problem; a list grows."""
    headers: dict[str, str] = request.scope["state"].setdefault("response_headers", {})
    headers[name] = f"{headers[name]}, {value}" if name in headers else value


class KiranaHeaders:
    """ASGI middleware: a request id in and out, security headers, and limits on the body's size and slowness."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, max_body_seconds: float) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.max_body_seconds = max_body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        info = request_info(scope)
        request_id = request_id_of(headers.get(b"x-request-id")) if info is None else info.request_id
        # a state of this request's own: some servers hand the lifespan's to every request
        state = scope["state"] = {**scope.get("state", {}), "request_id": request_id}

        started = False
        head = scope["method"] == "HEAD"
        if head:
            # A HEAD is a GET whose body stays here; the server's own scope keeps saying HEAD.
            scope = {**scope, "method": "GET"}
            if info is not None:
                info.scope = scope

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if head and message["type"] == "http.response.body":
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            if message["type"] == "http.response.start":
                started = True
                sent = MutableHeaders(scope=message)
                sent[REQUEST_ID_HEADER] = request_id
                for name, value in state.get("response_headers", {}).items():
                    sent[name] = value
                for name, value in SECURITY_HEADERS:
                    sent.setdefault(name, value)
            await send(message)

        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.max_body_bytes:
            await problem(BY_CODE["payload_too_large"])(scope, receive, send_with_headers)
            return
        try:
            await self.app(scope, self._limited(receive), send_with_headers)
        except Exception:
            # Answered here, with the id that the logs have; whoever is outside of us logs it.
            if not started:
                await problem(BY_CODE["internal"])(scope, receive, send_with_headers)
            raise

    def _limited(self, receive: Receive) -> Receive:
        received, more = 0, True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.max_body_seconds

        async def limited() -> Message:
            nonlocal received, more
            if not more:  # what is waited for now is the client's going away, and that may take as long as it likes
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise Refused("request_timeout") from None
            more = bool(message.get("more_body"))
            received += len(message.get("body", b""))
            if received > self.max_body_bytes:
                raise Refused("payload_too_large")
            return message

        return limited


def request_id_of(given: bytes | None) -> str:
    """The id a request came with if it is of the right form and names nobody, else a fresh one of 32 hex digits."""
    if given is not None:
        text = given.decode("latin-1")
        if _REQUEST_ID.match(text) and redact_text(text) == text:
            return text
    return secrets.token_hex(16)
