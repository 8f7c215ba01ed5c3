"""What the projector tells Prometheus: how far it is, how far behind, what it did."""

from prometheus_client import Counter, Gauge

_LABELS = ("projection", "shard")

LEADS = Gauge("kirana_projector_leads", "1 while this process applies the shard, 0 while it stands by", _LABELS)
POSITION = Gauge("kirana_projection_position", "Outbox position the shard is applied up to", _LABELS)
LAG_POSITIONS = Gauge("kirana_projection_lag_positions", "Outbox positions not applied yet", _LABELS)
LAG_SECONDS = Gauge("kirana_projection_lag_seconds", "Age of the oldest event not applied yet, in seconds", _LABELS)
EVENTS = Counter("kirana_projection_events_total", "Events applied", _LABELS)
ROWS = Counter("kirana_projection_rows_total", "View rows that changed", _LABELS)
DEAD_LETTERS = Gauge("kirana_projection_dead_letters", "View rows that can't be computed", ("projection",))
REDIS_POSITION = Gauge("kirana_projection_redis_position", "Outbox position Redis is filled up to", _LABELS)
REDIS_UP = Gauge("kirana_projector_redis_up", "1 while the projector reaches Redis")


def applied(projection: str, shard: int, events: int, rows: int, position: int) -> None:
    """Count a batch."""
    EVENTS.labels(projection, shard).inc(events)
    ROWS.labels(projection, shard).inc(rows)
    POSITION.labels(projection, shard).set(position)
