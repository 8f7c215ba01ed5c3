"""What a process says about itself: log lines, traces, and what each request is bound to. Metrics: app/core/metrics."""

from app.core.telemetry.logs import configure_logging
from app.core.telemetry.redaction import REDACTED, Shown, redact

__all__ = ["REDACTED", "Shown", "configure_logging", "redact"]
