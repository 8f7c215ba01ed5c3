"""An event as it leaves the store: one JSON document, the same bytes at every try and for every receiver."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from app.events.catalogue import ENVELOPE_VERSION

# What of an outbox row goes out; traceparent stays in.
COLUMNS = "position, topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, created_at"


def event_id(row: Mapping[str, Any]) -> str:
    """An id that is the event's own: the same at every try, and another one if a restored store gives its position
    to another event.
    """
    parts = (row["position"], row["type"], row["view_key"], _instant(row["created_at"]))
    return "evt_" + hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:32]


def envelope(row: Mapping[str, Any]) -> bytes:
    """The document of an outbox row (its columns by name, times as text or datetimes)."""
    return orjson.dumps(
        {
            "version": ENVELOPE_VERSION,
            "id": event_id(row),
            "type": row["type"],
            "occurred_at": _instant(row["created_at"]),
            "topic": row["topic"],
            "subject": row["view_key"],
            "aggregate": {
                "type": row["aggregate_type"],
                "id": row["aggregate_id"],
                "version": row["aggregate_version"],
            },
            "position": row["position"],
            "data": row["payload"],
        }
    )


def _instant(value: datetime | str) -> str:
    """UTC, to the microsecond, whatever time zone the session had."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
