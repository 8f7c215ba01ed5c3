"""How refusals appear in the OpenAPI document: each with its status, code and an example of the problem sent."""

from typing import Any

from pydantic import BaseModel

from app.core.errors import BY_CODE
from app.core.problems import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_BASE

ALWAYS = (
    "validation_failed",
    "malformed_json",
    "payload_too_large",
    "request_timeout",
    "rate_limited",
    "busy",
    "internal",
)
# what any operation of a logged-in caller that takes an Idempotency-Key may refuse with
KEYED = ("unauthenticated", "idempotency_key_missing", "idempotency_key_reused", "idempotency_in_flight")

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "code", "detail", "remedy"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; branch on this."},
        "detail": {"type": "string"},
        "remedy": {"type": "string", "description": "What to do about it."},
    },
    "additionalProperties": True,
}


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an operation that may refuse with these codes (and those any operation may)."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*codes, *ALWAYS)):
        by_status.setdefault(BY_CODE[code].status, []).append(code)
    return {status: _response(found) for status, found in sorted(by_status.items())}


def made(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a PUT that answers 201 when there was nothing of that name before."""
    return {201: {"model": model, "description": "It was made."}}


def _response(codes: list[str]) -> dict[str, Any]:
    examples = {
        code: {
            "value": {
                "type": PROBLEM_TYPE_BASE + code,
                "title": BY_CODE[code].title,
                "status": BY_CODE[code].status,
                "code": code,
                "detail": BY_CODE[code].title,
                "remedy": BY_CODE[code].remedy,
            }
        }
        for code in codes
    }
    return {
        "description": "; ".join(f"`{code}`: {BY_CODE[code].title.lower()}" for code in codes),
        "content": {PROBLEM_MEDIA_TYPE: {"schema": PROBLEM_SCHEMA, "examples": examples}},
    }
