"""Which pages of other origins may call an API, and what of its answers they may read (Fetch standard, CORS)."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app.core.config import Settings
from app.core.http import CONSISTENCY_HEADER, REPLAYED_HEADER, REQUEST_ID_HEADER

ALLOWED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Prefer",
    "X-Cart-Token",
    CONSISTENCY_HEADER,
)
EXPOSED_HEADERS = (
    "ETag",
    "X-Cart-Token",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    CONSISTENCY_HEADER,
    REPLAYED_HEADER,
    REQUEST_ID_HEADER,
    "X-Stale",
)


def cross_origin(app: ASGIApp, settings: Settings) -> ASGIApp:
    """``app`` whose answers the configured origins may read; as it is where none is configured."""
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=ALLOWED_METHODS,
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
    )
