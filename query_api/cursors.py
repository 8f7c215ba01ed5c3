"""Opaque cursors: where a page ended, signed, and good for that query only.

A cursor is ``base64url(payload || mac)``: the JSON payload holds the last row's sort values, the MAC is keyed by
``cursor_secret`` and covers the query too, so a cursor can be neither forged nor carried over to other filters.
"""

import base64
import binascii
import hmac
from typing import Any

import orjson

from app.core.errors import Refused

MAC_BYTES = 12


def encode(secret: str, query: bytes, values: list[Any]) -> str:
    """The cursor after the row with these sort values, for the query whose canonical form is ``query``."""
    payload = orjson.dumps(values)
    return base64.urlsafe_b64encode(payload + _mac(secret, query, payload)).rstrip(b"=").decode()


def decode(secret: str, query: bytes, cursor: str) -> list[Any]:
    """The sort values a cursor holds. Raises ``Refused('invalid_value')`` for one we did not give for this query."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    payload, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if not payload or not hmac.compare_digest(mac, _mac(secret, query, payload)):
        raise Refused("invalid_value", "The cursor is not one of this query's.", field="cursor")
    values = orjson.loads(payload)
    assert isinstance(values, list)
    return values


def _mac(secret: str, query: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret.encode(), b"%d:" % len(query) + query + payload, "sha256")[:MAC_BYTES]
