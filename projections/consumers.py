"""Who reads the outbox, and how far each of them is: a partition that one of them still needs is not dropped."""

from typing import Any, NamedTuple

import psycopg

# A subscriber needs what it has not been told: what is not laid out for it yet, and what is laid out and pending.
# A paused one keeps its place; one that was disabled has lost it.
CONSUMER_POSITIONS = """
SELECT 'projection' AS kind, p.name AS name,
    CASE WHEN count(c.shard) >= p.shards THEN min(c.position) ELSE 0 END AS position
FROM read.projections p LEFT JOIN read.projection_checkpoints c ON c.projection = p.name
GROUP BY p.name, p.shards
UNION ALL
SELECT 'webhook', s.id::text, LEAST(s.position, (
    SELECT d.position - 1 FROM store.webhook_deliveries d
    WHERE d.subscriber_id = s.id AND d.status = 'pending' ORDER BY d.position LIMIT 1
))
FROM store.webhook_subscribers s WHERE s.status IN ('active', 'paused')
UNION ALL
SELECT 'relay', r.name, r.position FROM store.event_relays r
ORDER BY 1, 2
"""


class Consumer(NamedTuple):
    """A reader of the outbox: everything up to ``position`` is behind it."""

    kind: str
    name: str
    position: int


def consumer_positions(connection: psycopg.Connection[Any]) -> list[Consumer]:
    """Every registered projection, every active or paused subscriber, every relay that has ever run."""
    return [Consumer(*row) for row in connection.execute(CONSUMER_POSITIONS).fetchall()]
