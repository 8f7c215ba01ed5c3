"""OpenTelemetry traces: HTTP request → CALL → (traceparent in the outbox row) → the projector's batch.

On only where ``KIRANA_OTLP_ENDPOINT`` is set; elsewhere a request asks three times whether something is None, and the
exporter is not even imported. Nothing is global: a process may hold several of these, and contexts are passed by hand.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from app.core.config import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanContext

TRACES_PATH = "/v1/traces"
EXPORT_TIMEOUT_SECONDS = 5
MOST_LINKS = 32


class Tracing:
    """Makes the spans of one process and sends them, in a thread of its own, in batches."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace import SpanKind

        self._provider = provider
        self._tracer = provider.get_tracer("kirana")
        self._kind = SpanKind

    def server_span(self, method: str, traceparent: str | None) -> "Span":
        """The span of one request, under the caller's if it sent one; named by its route when that is known."""
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        remote = span_context(traceparent)
        parent = None if remote is None else set_span_in_context(NonRecordingSpan(remote))
        return self._tracer.start_span(
            method, context=parent, kind=self._kind.SERVER, attributes={"http.request.method": method}
        )

    def call_span(self, procedure: str, parent: "Span | None") -> "Span":
        """The span of one CALL, its retries included."""
        from opentelemetry.trace import set_span_in_context

        return self._tracer.start_span(
            f"CALL {procedure}",
            context=None if parent is None else set_span_in_context(parent),
            kind=self._kind.CLIENT,
            attributes={
                "db.system.name": "postgresql",
                "db.operation.name": "CALL",
                "db.stored_procedure.name": f"store.{procedure}",
            },
        )

    @contextmanager
    def batch_span(self, name: str, traceparents: Iterable[str | None]) -> Iterator["Span"]:
        """The span of work that many requests caused: a trace of its own, linked to those of the outbox rows.

        A folded batch has as many causes as rows, and a span has one parent: so links, at most MOST_LINKS of them.
        """
        from opentelemetry.trace import Link

        links = []
        for traceparent in dict.fromkeys(traceparents):
            context = span_context(traceparent)
            if context is not None and context.trace_flags.sampled:
                links.append(Link(context))
            if len(links) == MOST_LINKS:
                break
        with self._tracer.start_as_current_span(name, kind=self._kind.CONSUMER, links=links) as span:
            yield span

    def close(self) -> None:
        """Send what is still held, and end the thread."""
        self._provider.shutdown()


def span_context(traceparent: str | None) -> "SpanContext | None":
    """What a W3C traceparent names, or None for one that names nothing (all zeros, version ff)."""
    from opentelemetry.trace import SpanContext, TraceFlags

    if traceparent is None:
        return None
    version, trace_id, span_id, flags = traceparent.split("-")
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return context if context.is_valid and version != "ff" else None


def traceparent_of(span: "Span") -> str:
    """The W3C traceparent that makes whoever gets it a child of ``span``."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def failed(span: "Span", kind: str) -> None:
    """Mark a span as failed; ``kind`` is a class or a code, never a message (which may quote a shopper)."""
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


def start_tracing(settings: Settings, service: str) -> Tracing | None:
    """Tracing to ``otlp_endpoint``, or None where none is set."""
    if settings.otlp_endpoint is None:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    endpoint = settings.otlp_endpoint.rstrip("/")
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.trace_sample_ratio)),
        resource=Resource.create({"service.name": service}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(
        endpoint if endpoint.endswith(TRACES_PATH) else endpoint + TRACES_PATH, timeout=EXPORT_TIMEOUT_SECONDS
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)


@asynccontextmanager
async def tracing(settings: Settings, service: str) -> AsyncIterator[Tracing | None]:
    """The same while the block runs; what is held at its end is sent without blocking the event loop."""
    started = start_tracing(settings, service)
    try:
        yield started
    finally:
        if started is not None:
            await asyncio.to_thread(started.close)
