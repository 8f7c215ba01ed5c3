"""Nothing that identifies a shopper, and nothing that opens a door, is read in a log: by key, and by its looks.

Keys catch what has no form of its own (names, streets). Patterns catch what reached a message some other way: a phone
in an exception's text, a token in a URL, the row that PostgreSQL quotes in a DETAIL line.
"""

import re
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

PRIVATE_KEYS = frozenset(
    {"phone", "email", "code", "otp", "token", "authorization", "secret", "address", "signature", "password", "cookie"}
    | {
        "full_name",
        "recipient_name",
        "line1",
        "line2",
        "landmark",
        "city",
        "pincode",
        "postal_code",
        "ip",
        "user_agent",
    }
    | {"params", "parameters", "body", "headers", "query_string"}
)
PRIVATE_ENDINGS = (
    *("_phone", "_email", "_code_hash", "_token", "_tokens", "_secret", "_secrets", "_address", "_otp", "_password"),
    *("_signature", "_hash"),
)
# Made by the code itself, or checked when they came in: not worth a look at every line.
OUR_OWN_KEYS = frozenset(
    {"timestamp", "level", "method", "route", "client", "request_id", "traceparent", "logger", "procedure", "side"}
)

_SUSPECT = re.compile(r"[\d@]|[A-Za-z0-9_-]{40}|eyJ|DETAIL|[Bb]earer")
_PRIVATE_VALUE = re.compile(
    r"""
    (?P<kept>
        \b[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b                       # a traceparent
      | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b            # a UUID
    )
    | (?m:(?<=DETAIL:).*$)                                                          # PostgreSQL quotes whole rows there
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)                                               # user:password of a URL
    | \beyJ[\w-]+\.[\w-]+\.[\w-]*                                                   # a JWT
    | (?i:\bbearer\s+)[^\s"',;]+
    | (?i:\b(?:otp|code|passcode|one-time\ password)\b(?:\s+is\b)?[\s"':=]{1,4})\d{4,8}\b
    | (?<![\w.+-])[\w.+-]{1,64}@[\w-]+\.[\w.-]+                                     # an e-mail address
    | \+\d(?:[\s-]?\d){7,14}(?!\d)                                                  # a phone, E.164
    | (?<![0-9A-Za-z.])(?:91[\s-]?|0)?[6-9]\d{4}[\s-]?\d{5}(?![0-9A-Za-z])          # a phone as Indians write it
    | (?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{40,}                            # an opaque token or secret
    | (?<![0-9A-Za-z])[0-9a-f]{64}(?![0-9A-Za-z])                                   # a signature
    | \A\d{6}\Z                                                                     # a code, and nothing else
    """,
    re.VERBOSE,
)


class Shown(str):
    """A text to show as it is: for the one line whose message is the private value (a code on a developer's screen)."""

    __slots__ = ()


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank private values, in nested objects too. The last step before a line is rendered."""
    return {key: value if key in OUR_OWN_KEYS else _member(key, value) for key, value in event.items()}


def redact_text(text: str) -> str:
    """``text`` without what looks private."""
    if isinstance(text, Shown) or _SUSPECT.search(text) is None:
        return text
    return _PRIVATE_VALUE.sub(lambda found: found["kept"] or REDACTED, text)


@lru_cache(maxsize=512)
def is_private(key: str) -> bool:
    """Whether a key's value is private whatever it looks like."""
    lowered = key.lower()
    return lowered in PRIVATE_KEYS or lowered.endswith(PRIVATE_ENDINGS)


def _member(key: str, value: Any) -> Any:
    return REDACTED if value is not None and is_private(key) else _value(value)


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _member(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(inner) for inner in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    return redact_text(str(value))
