"""Prometheus metrics: one ``Metrics`` an application, with a registry of its own; nothing is kept in module globals.

Processes. The simple way, and the one to prefer: a process, a port, a target. Where one port is served by several
workers (``uvicorn --workers``), a scrape reaches any one of them; set PROMETHEUS_MULTIPROC_DIR to an empty folder, and
counters and histograms are kept in files there and answered as the sum over all workers. What is read at the moment of
the scrape (pools, business gauges) is then that of the worker that answers; pools carry its ``pid``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from prometheus_client import disable_created_metrics as _without_created
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_1_0_0
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CALL_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

log = structlog.get_logger(__name__)


class Metrics:
    """What an API process counts. Labels are bounded: route templates, procedure names, codes; no path and no id."""

    def __init__(self) -> None:
        _without_created()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self._at_scrape: list[Collector] = []
        if MULTIPROCESS_VARIABLE not in os.environ:
            ProcessCollector(registry=registry)

        self.requests = Counter(
            "kirana_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "kirana_http_request_seconds",
            "Seconds from the request's head to the answer's end.",
            ("method", "route"),
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "kirana_http_requests_in_flight",
            "Requests being answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.shed = Counter(
            "kirana_http_requests_shed",
            "Requests turned away at the door, for too many were inside.",
            registry=registry,
        )
        self.call_seconds = Histogram(
            "kirana_procedure_seconds",
            "Seconds of a CALL, its retries included; outcome is ok, refused or error.",
            ("procedure", "outcome"),
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.call_retries = Counter(
            "kirana_procedure_retries", "CALLs repeated, by why.", ("procedure", "sqlstate"), registry=registry
        )
        self.call_refusals = Counter(
            "kirana_procedure_refusals", "CALLs that procedures refused.", ("procedure", "code"), registry=registry
        )
        self.oversell_refusals = Counter(
            "kirana_oversell_refusals", "Sales refused because there was not enough stock.", registry=registry
        )
        self.payment_outcomes = Counter(
            "kirana_payment_outcomes",
            "What came of a payment step: a payment's status, or the refusal's code.",
            ("procedure", "outcome"),
            registry=registry,
        )
        self.replays = Counter(
            "kirana_idempotent_replays",
            "Commands answered from what was done before.",
            ("procedure",),
            registry=registry,
        )
        self._count_events_out(registry)
        self.view_reads = Counter(
            "kirana_view_reads", "Pages read by key, by where they came from.", ("view", "source"), registry=registry
        )
        self.redis_failures = Counter(
            "kirana_redis_failures", "Redis operations that failed and were done without.", ("use",), registry=registry
        )

    def _count_events_out(self, registry: CollectorRegistry) -> None:
        """What the worker and the relay count."""
        self.webhook_attempts = Counter(
            "kirana_webhook_attempts",
            "Attempts to tell a subscriber: delivered, failed; and events given_up after the last one.",
            ("outcome",),
            registry=registry,
        )
        self.webhook_seconds = Histogram(
            "kirana_webhook_seconds",
            "Seconds of an attempt, from the name to the end of the answer.",
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.relayed = Counter("kirana_relayed_events", "Events sent to Redis Streams.", registry=registry)

    def add_collector(self, collector: Collector) -> None:
        """Have ``collector`` asked at each scrape."""
        self._at_scrape.append(collector)
        self.registry.register(collector)

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        if MULTIPROCESS_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        _forget_the_dead(Path(os.environ[MULTIPROCESS_VARIABLE]))
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        for collector in self._at_scrape:
            together.register(collector)
        return generate_latest(together)


_CURRENT: ContextVar[Metrics | None] = ContextVar("kirana_metrics", default=None)


@lru_cache(maxsize=1)
def _unasked() -> Metrics:
    return Metrics()


def current_metrics() -> Metrics:
    """Those of the application whose request (or of the process whose loop) this is; else some that nobody reads."""
    return _CURRENT.get() or _unasked()


def use_metrics(metrics: Metrics) -> None:
    """Make ``metrics`` the current ones of this task and of those it starts."""
    _CURRENT.set(metrics)


@contextmanager
def exporting(registry: CollectorRegistry, host: str, port: int | None) -> Iterator[int | None]:
    """Serve a registry on a port of its own while the block runs: for a process with no application.

    No port, no server; 0 is any free one. Yields the port, or None where there is no server: a port that is taken is
    told in the log, and keeps nobody from working.
    """
    if port is None:
        yield None
        return
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        log.warning("metrics_not_served", port=port, error=error.strerror)
        yield None
        return
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _forget_the_dead(folder: Path) -> None:
    """Drop the gauges of workers that are gone."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if not Path("/proc", pid).exists() and Path("/proc/self").exists():
            mark_process_dead(pid)  # type: ignore[no-untyped-call]


def metric_names(*registries: CollectorRegistry) -> set[str]:
    """Every series name a query over these registries may use, those without a sample yet included."""
    return {name for registry in registries for family in registry.collect() for name in _series_of(family)}


def _series_of(family: Metric) -> set[str]:
    if family.type == "counter":
        return {f"{family.name}_total"}
    if family.type == "histogram":
        return {f"{family.name}{ending}" for ending in ("_bucket", "_sum", "_count")}
    return {family.name}
