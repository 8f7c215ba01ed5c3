"""Logs: one JSON object a line (or colours on a developer's terminal), with nothing in it that identifies a shopper."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from app.core.config import Settings

REDACTED = "[redacted]"
# What must never be read in a log, whatever call it is passed to.
PRIVATE_KEYS = frozenset(
    {"phone", "email", "code", "otp", "token", "access_token", "refresh_token", "authorization", "secret", "address"}
    | {"shipping_address", "recipient_name", "full_name", "line1", "line2", "cart_token", "signature", "password"}
)


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank private values, in nested objects too."""
    return {key: REDACTED if key in PRIVATE_KEYS else _redacted(value) for key, value in event.items()}


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: REDACTED if key in PRIVATE_KEYS else _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    return value


def configure_logging(settings: Settings) -> None:
    """Send our log lines to stderr in the chosen format; a pool's retries are told once, by /readyz and at boot."""
    level = getattr(logging, settings.log_level.upper())
    pretty = settings.log_format == "console" or (settings.environment == "development" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.format_exc_info if not pretty else structlog.processors.UnicodeDecoder(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
