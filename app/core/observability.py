"""Observability of an application: the outermost middleware, ``/metrics``, and tracing for as long as it runs."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from os import environ, getpid

from fastapi import APIRouter, FastAPI, Request
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response

from app.core.admission import Admission
from app.core.business_metrics import BusinessGauges
from app.core.config import Settings
from app.core.cross_origin import cross_origin
from app.core.errors import BY_CODE
from app.core.metrics import CONTENT_TYPE, MULTIPROCESS_VARIABLE, Metrics, use_metrics
from app.core.problems import problem
from app.core.telemetry.front import Front
from app.core.telemetry.requests import Observed, Telemetry
from app.core.telemetry.tracing import tracing

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Stats = dict[str, int]

# name, help, the member of psycopg_pool's get_stats(), its unit in a second
POOL_GAUGES = (
    ("kirana_pool_size", "Connections the pool has.", "pool_size"),
    ("kirana_pool_max", "Connections the pool may have.", "pool_max"),
    ("kirana_pool_available", "Connections nobody uses.", "pool_available"),
    ("kirana_pool_waiting", "Requests that wait for a connection.", "requests_waiting"),
)
POOL_COUNTERS = (
    ("kirana_pool_requests", "Connections asked for.", "requests_num", 1),
    ("kirana_pool_request_errors", "Requests that got no connection.", "requests_errors", 1),
    ("kirana_pool_wait_seconds", "Seconds spent waiting for a connection.", "requests_wait_ms", 1000),
    ("kirana_pool_usage_seconds", "Seconds connections were in use.", "usage_ms", 1000),
    ("kirana_pool_connections_lost", "Connections found broken.", "connections_lost", 1),
)


class PoolCollector(Collector):
    """The pools of an application, read at the scrape; ``stats`` answers them by name."""

    def __init__(self, stats: Callable[[], Iterable[tuple[str, Stats]]]) -> None:
        self._stats = stats
        # several workers behind one port: say which of them this is
        self._pid = str(getpid()) if MULTIPROCESS_VARIABLE in environ else ""

    def collect(self) -> Iterator[Metric]:
        """Each pool's gauges and counters. A member that is absent is zero: the pool counts from the first time."""
        pools = list(self._stats())
        for name, text, member in POOL_GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=("pool", "pid"))
            for pool, stats in pools:
                gauge.add_metric((pool, self._pid), stats.get(member, 0))
            yield gauge
        for name, text, member, unit in POOL_COUNTERS:
            counter = CounterMetricFamily(name, text, labels=("pool", "pid"))
            for pool, stats in pools:
                counter.add_metric((pool, self._pid), stats.get(member, 0) / unit)
            yield counter


def observe(app: FastAPI, settings: Settings) -> Front:
    """Make ``app`` observed, and guarded against floods. To be called last: what is added last is the outermost.

    Returns what stands before all middleware.
    """
    telemetry = Telemetry(Metrics(), settings)
    business = BusinessGauges()
    telemetry.metrics.add_collector(PoolCollector(lambda: pool_stats(app)))
    telemetry.metrics.add_collector(business)
    app.state.telemetry = telemetry
    app.add_middleware(Observed, telemetry=telemetry)
    busy = cross_origin(problem(BY_CODE["busy"]), settings)
    app.add_middleware(Admission, limit=settings.max_in_flight, busy=busy, shed=telemetry.metrics.shed)
    if settings.metrics_enabled:
        app.include_router(metrics_router(business))
    return Front(telemetry)


def observed(lifespan: Lifespan, settings: Settings, service: str) -> Lifespan:
    """``lifespan`` with tracing around it; its spans are sent before it is over."""

    @asynccontextmanager
    async def both(app: FastAPI) -> AsyncIterator[None]:
        telemetry: Telemetry = app.state.telemetry
        use_metrics(telemetry.metrics)
        async with tracing(settings, service) as started, lifespan(app):
            telemetry.tracing = started
            yield
        telemetry.tracing = None

    return both


def pool_stats(app: FastAPI) -> Iterator[tuple[str, Stats]]:
    """The statistics of the pools that are open, each once: without a replica the views' pool is the primary's too."""
    seen = set()
    for side, member in (("command", "pool"), ("query", "pool"), ("query", "primary")):
        pool = getattr(getattr(app.state, side, None), member, None)
        if pool is not None and id(pool) not in seen:
            seen.add(id(pool))
            yield side if member == "pool" else member, pool.get_stats()


def metrics_router(business: BusinessGauges) -> APIRouter:
    """``/metrics``, for Prometheus inside; a proxy must not pass it on (docs/operations.md)."""
    router = APIRouter(tags=["health"])

    text = {"description": "The metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_model=None,
        response_class=Response,
        responses={200: text},
    )
    async def metrics(request: Request) -> Response:
        """Counters, gauges and histograms in Prometheus' text format; for the network inside only."""
        query = getattr(request.app.state, "query", None)
        if query is not None:
            await business.refresh(query.pool)
        telemetry: Telemetry = request.app.state.telemetry
        return Response(telemetry.metrics.render(), media_type=CONTENT_TYPE)

    return router
