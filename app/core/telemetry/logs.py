"""Logs: one JSON object a line (or colours on a developer's terminal), whoever wrote it, private values blanked.

Our lines come from structlog; those of libraries come from the standard library's loggers, and go the same way.
"""

import logging
import sys
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import Processor

from app.core.config import Settings
from app.core.telemetry.context import bind_request
from app.core.telemetry.redaction import redact

HANDLER_NAME = "kirana"
# uvicorn writes what failed once more, after our own line for it
_TWICE = "Exception in ASGI application"


class StderrLogger:
    """Writes each line with one write to the ``sys.stderr`` of the moment."""

    def msg(self, line: str) -> None:
        """Write one line."""
        sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = exception = log = failure = msg


class StderrHandler(logging.StreamHandler[TextIO]):
    """The same for the standard library's loggers."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)


def _json(event: object, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _once(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_TWICE)


def configure_logging(settings: Settings) -> None:
    """Send every log line to stderr in the chosen format. Libraries speak from WARNING up, uvicorn as we do."""
    level = getattr(logging, settings.log_level.upper())
    pretty = settings.log_format == "console" or (settings.environment == "development" and sys.stderr.isatty())
    renderer: Processor = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(_json)
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        bind_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[Processor] = [structlog.processors.format_exc_info, redact, renderer]
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: StderrLogger(),
        cache_logger_on_first_use=False,
    )
    handler = StderrHandler()
    handler.set_name(HANDLER_NAME)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
        )
    )
    handler.addFilter(_once)
    _take_over(handler, level)


def _take_over(handler: logging.Handler, level: int) -> None:
    """Put ``handler`` on the root logger, and take uvicorn's own away."""
    root = logging.getLogger()
    for old in [old for old in root.handlers if old.get_name() == HANDLER_NAME]:
        root.removeHandler(old)
    root.addHandler(handler)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn").setLevel(level)
    # there is one access line, and it is ours; it has no raw path and no address in it
    logging.getLogger("uvicorn.access").disabled = True
    # a pool's retries are told once, by /readyz and at boot
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
