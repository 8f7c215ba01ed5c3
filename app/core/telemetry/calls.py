"""What the CALL seam tells: how long, how often repeated, refused why; and a span of its own where tracing is on."""

from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import psycopg

from app.core.errors import BY_SQLSTATE, Refused
from app.core.metrics import Metrics, current_metrics
from app.core.telemetry.context import CURRENT
from app.core.telemetry.tracing import failed

if TYPE_CHECKING:
    from opentelemetry.trace import Span

PAYMENT_PROCEDURES = frozenset({"register_payment_attempt", "verify_payment", "payment_webhook"})
# What may become a label; anything else a procedure answers is "other".
PAYMENT_OUTCOMES = frozenset(
    {"created", "pending_collection", "captured", "already_captured", "mismatched", "failed", "cancelled"}
    | {"refunded", "refund_failed", "ignored", "unmatched"}
)
OUT_OF_STOCK = "out_of_stock"


class ObservedCall:
    """One CALL, from before its first attempt to after its last: ``with ObservedCall(name) as call: …``."""

    __slots__ = ("_answer", "_metrics", "_name", "_span", "_started")

    def __init__(self, name: str) -> None:
        self._name = name
        self._metrics: Metrics = current_metrics()
        self._answer: tuple[dict[str, Any], bool] | None = None
        self._span: Span | None = None
        self._started = 0.0

    def __enter__(self) -> Self:
        request = CURRENT.get()
        if request is not None and request.span is not None and request.tracing is not None:
            self._span = request.tracing.call_span(self._name, request.span)
        self._started = perf_counter()
        return self

    def retried(self, error: psycopg.Error) -> None:
        """An attempt failed in a way that is safe to repeat."""
        self._metrics.call_retries.labels(self._name, error.sqlstate or "connection").inc()

    def answered(self, result: dict[str, Any], replayed: bool) -> None:
        """The procedure answered with this document."""
        self._answer = (result, replayed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        seconds = perf_counter() - self._started
        code = _refusal(error)
        outcome = "ok" if error is None else "refused" if code else "error"
        self._metrics.call_seconds.labels(self._name, outcome).observe(seconds)
        if code is not None:
            self._metrics.call_refusals.labels(self._name, code).inc()
            if code == OUT_OF_STOCK:
                self._metrics.oversell_refusals.inc()
        self._count_answer()
        if self._name in PAYMENT_PROCEDURES:
            self._metrics.payment_outcomes.labels(self._name, code or self._payment_outcome(error)).inc()
        if self._span is not None:
            self._end_span(self._span, code, error)

    def _count_answer(self) -> None:
        if self._answer is not None and self._answer[1]:
            self._metrics.replays.labels(self._name).inc()

    def _payment_outcome(self, error: BaseException | None) -> str:
        if error is not None or self._answer is None:
            return "error"
        result = self._answer[0]
        said = result.get("outcome") or result.get("payment_status") or result.get("status")
        return said if isinstance(said, str) and said in PAYMENT_OUTCOMES else "other"

    @staticmethod
    def _end_span(span: "Span", code: str | None, error: BaseException | None) -> None:
        if code is not None:
            span.set_attribute("kirana.refusal", code)
        elif error is not None:
            failed(span, getattr(error, "sqlstate", None) or type(error).__name__)
        span.end()


def _refusal(error: BaseException | None) -> str | None:
    """The code of a refusal, raised or committed; None for an answer and for a failure."""
    if isinstance(error, Refused):
        return error.refusal.code
    if isinstance(error, psycopg.Error):
        known = BY_SQLSTATE.get(error.sqlstate or "")
        return None if known is None else known.code
    return None
