"""Answers of stored bytes: ETag, 304, and how long who may keep them."""

import hashlib
import re
from dataclasses import dataclass

from fastapi import Request
from starlette.responses import Response

# A CDN may answer for ten seconds, and for thirty more while it fetches; when we are away it may go on for an hour.
PUBLIC = "public, max-age=10, stale-while-revalidate=30, stale-if-error=3600"
PRIVATE = "private, no-store"
STALE_HEADER = "X-Stale"
HOT_KEY = "hot"
_TAGS = re.compile(r'(?:W/)?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Hot:
    """Leave for an answer to be kept: its route, ETag and body, and the product it is the page of (None: a list).

    What is ``stale`` is not kept, but seen: who was shown it is not shown what is older still.
    """

    route: str
    tag: str
    row: str | None
    body: bytes
    stale: bool


def etag_of(body: bytes) -> str:
    """The ETag of an answer that is put together: a hash of its bytes."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def stored(
    request: Request,
    body: bytes,
    etag: str | None = None,
    *,
    cache: str = PUBLIC,
    stale: bool = False,
    hot: str | None = None,
    row: str | None = None,
) -> Response:
    """``body`` as JSON with its ETag, or 304 when the client has it already.

    ``stale`` marks an answer older than the consistency token asked for: said in a header, and kept by nobody.
    ``hot`` is the route's template where the process itself may keep the answer (``query_api/hot.py``), for as long
    as no product changes, or only ``row``'s if it is that product's page.
    """
    tag = etag or etag_of(body)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-store" if stale else cache}
    if cache == PUBLIC:
        headers["Vary"] = "X-Consistency-Token"
    if stale:
        headers[STALE_HEADER] = "true"
    if_none_match = request.headers.get("if-none-match")
    if hot is not None:
        request.scope["state"][HOT_KEY] = Hot(hot, tag, row, body, stale)
    if if_none_match is not None and not stale and matches(if_none_match, tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, "application/json")


def private(body: bytes, *, version: int | None = None) -> Response:
    """``body`` for one person: kept by nobody. ``version`` goes out as the ETag that If-Match takes."""
    headers = {"Cache-Control": PRIVATE}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    return Response(body, 200, headers, "application/json")


def page(items: list[bytes], next_cursor: str | None, more: bytes = b"") -> bytes:
    """``{"items":[…],"next_cursor":…}`` of stored items; ``more`` are further members with their comma."""
    cursor = b"null" if next_cursor is None else b'"' + next_cursor.encode() + b'"'
    return b'{"items":[' + b",".join(items) + b'],"next_cursor":' + cursor + more + b"}"


def matches(if_none_match: str, tag: str) -> bool:
    """Whether the client has it already, by its If-None-Match."""
    return if_none_match.strip() == "*" or tag in _TAGS.findall(if_none_match)
