"""What the worker tells Prometheus of its rounds: how often, how long, how much, and when one last went well."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

ROUND_BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)


class WorkerMetrics:
    """The worker's own series, beside those of its CALLs; ``round`` is one of the names in rounds.py."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.runs = Counter(
            "kirana_worker_runs", "Rounds run; outcome is ok or failed.", ("round", "outcome"), registry=registry
        )
        self.seconds = Histogram(
            "kirana_worker_round_seconds", "Seconds of a round.", ("round",), buckets=ROUND_BUCKETS, registry=registry
        )
        self.done = Counter(
            "kirana_worker_done", "Things a round has done: orders, refunds, rows.", ("round",), registry=registry
        )
        self.last_success = Gauge(
            "kirana_worker_last_success_timestamp_seconds",
            "When a round last went well, in seconds since 1970.",
            ("round",),
            registry=registry,
        )
