"""Every error leaves as RFC 9457 ``application/problem+json`` with a stable ``code``."""

from collections.abc import Mapping
from typing import Any

import orjson
import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout, TooManyRequests
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.core.errors import BY_CODE, BY_SQLSTATE, Refusal, Refused
from app.core.methods import allowed_methods

PROBLEM_MEDIA_TYPE = "application/problem+json"
PROBLEM_TYPE_BASE = "https://kirana.dev/problems/"
RETRY_SOON_SECONDS = "1"

log = structlog.get_logger(__name__)

_BY_HTTP_STATUS = {
    400: "malformed_json",
    401: "unauthenticated",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    503: "unavailable",
}

# The schema's own guards: a value that passed every shape check and still can't be stored.
_BY_GUARD: dict[type[psycopg.Error], str] = {
    psycopg.errors.UniqueViolation: "already_exists",
    psycopg.errors.CheckViolation: "invalid_value",
    psycopg.DataError: "invalid_value",
}


def problem(
    refusal: Refusal,
    detail: str | None = None,
    extra: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem response: ``type title status code detail remedy`` plus the refusal's own members."""
    # `status` is the HTTP status here (RFC 9457), so where an order, payment or refund stands goes out as `state`
    body: dict[str, object] = {"state" if name == "status" else name: value for name, value in (extra or {}).items()}
    body |= {
        "type": PROBLEM_TYPE_BASE + refusal.code,
        "title": refusal.title,
        "status": refusal.status,
        "code": refusal.code,
        "detail": detail or refusal.title,
        "remedy": refusal.remedy,
    }
    sent = dict(headers or {})
    retry_after = body.get("retry_after")
    if isinstance(retry_after, int | float):
        sent["Retry-After"] = str(max(1, int(retry_after)))
    elif refusal.status == 503 or refusal.code == "idempotency_in_flight":
        sent["Retry-After"] = RETRY_SOON_SECONDS
    if refusal.status == 401:
        sent.setdefault("WWW-Authenticate", "Bearer")
    return Response(orjson.dumps(body), refusal.status, sent, PROBLEM_MEDIA_TYPE)


def refusal_of(error: psycopg.Error) -> Refused | None:
    """The refusal that a procedure raised, or that its result stands for; None when it is no refusal of ours."""
    known = BY_SQLSTATE.get(error.sqlstate or "")
    if known is None:
        return None
    extra: dict[str, Any] = {}
    if error.diag.message_detail:
        parsed = orjson.loads(error.diag.message_detail)
        extra = parsed if isinstance(parsed, dict) else {"info": parsed}
    return Refused(known.code, error.diag.message_primary, **extra)


def _on_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(error.refusal, error.detail, error.extra)


# A header that says what a change is based on, or which one it is, has refusals of its own: missing, and malformed.
_HEADER_REFUSALS = {
    ("header", "Idempotency-Key"): (
        ("idempotency_key_missing", None),
        ("idempotency_key_missing", "The key must be 1 to 255 visible ASCII characters."),
    ),
    ("header", "If-Match"): (
        ("precondition_required", None),
        ("version_mismatch", "If-Match must be an ETag that this API gave."),
    ),
}


def _on_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    for item in errors:
        if item["loc"] in _HEADER_REFUSALS:
            code, detail = _HEADER_REFUSALS[item["loc"]][item["type"] != "missing"]
            return problem(BY_CODE[code], detail)
    if any(item["type"] == "json_invalid" for item in errors):
        return problem(BY_CODE["malformed_json"])
    listed = [
        {"field": ".".join(str(part) for part in item["loc"]), "reason": item["msg"], "kind": item["type"]}
        for item in errors
    ]
    return problem(BY_CODE["validation_failed"], extra={"errors": listed})


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Refused):
        # raised while the framework read the body, which it reports as a body that can't be parsed
        return _on_refused(request, error.__cause__)
    if error.status_code == 405:
        allow = allowed_methods(request.app, request.url.path)
        return problem(BY_CODE["method_not_allowed"], headers={"Allow": allow})
    code = _BY_HTTP_STATUS.get(error.status_code)
    if code is None:
        code = "internal" if error.status_code >= 500 else "validation_failed"
    return problem(BY_CODE[code], headers=error.headers)


def _on_database(_: Request, error: Exception) -> Response:
    assert isinstance(error, psycopg.Error)
    refused = refusal_of(error)
    if refused is not None:
        return problem(refused.refusal, refused.detail, refused.extra)
    if isinstance(error, psycopg.OperationalError):
        log.warning("database_unavailable", sqlstate=error.sqlstate, error=str(error))
        return problem(BY_CODE["busy" if error.sqlstate else "unavailable"])
    guard = next((code for kind, code in _BY_GUARD.items() if isinstance(error, kind)), None)
    if guard is not None:
        log.warning("constraint_refused", sqlstate=error.sqlstate, constraint=error.diag.constraint_name)
        return problem(BY_CODE[guard], extra={"reason": error.diag.constraint_name or "not a value that can be stored"})
    log.error("database_error", sqlstate=error.sqlstate, exc_info=error)
    return problem(BY_CODE["internal"])


def _on_pool_exhausted(_: Request, __: Exception) -> Response:
    return problem(BY_CODE["busy"])


def _on_statement(request: Request, error: Exception) -> Response:
    """SQLAlchemy wraps what the driver raised; the same errors are answered the same way."""
    assert isinstance(error, DBAPIError)
    cause = error.orig
    if isinstance(cause, PoolTimeout | TooManyRequests):
        return _on_pool_exhausted(request, cause)
    if isinstance(cause, psycopg.Error):
        return _on_database(request, cause)
    return _on_unexpected(request, error)


def _on_unexpected(_: Request, error: Exception) -> Response:
    log.error("unexpected_error", exc_info=error)
    return problem(BY_CODE["internal"])


def install_problem_handlers(app: FastAPI) -> None:
    """Make ``app`` answer every error, ours or the framework's, as a problem."""
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(PoolTimeout, _on_pool_exhausted)
    app.add_exception_handler(TooManyRequests, _on_pool_exhausted)
    app.add_exception_handler(psycopg.Error, _on_database)
    app.add_exception_handler(DBAPIError, _on_statement)
    app.add_exception_handler(Exception, _on_unexpected)
