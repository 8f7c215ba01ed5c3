"""Gauges of the store itself: holds, expiries that are due, the outbox and its readers, refunds on their way.

Nothing runs in the background: a scrape asks PostgreSQL, in one short read-only transaction of the query role, and
answers within CACHE_SECONDS come from memory. A database that does not answer in time costs the scrape a second and
these gauges, and nothing else; ``kirana_business_up`` says so.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg_pool import PoolTimeout, TooManyRequests

from app.core.database import Connection, QueryPool
from app.utils.stuck import STUCK_PAYMENT, STUCK_REFUND

CACHE_SECONDS = 10.0
STATEMENT_MILLISECONDS = 1000
WHOLE_SECONDS = 1.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge: its help, its SELECT of (label values…, value) and the labels; ``needs`` is a table to be there."""

    name: str
    help: str
    select: str
    labels: tuple[str, ...] = ()
    needs: str = "store.outbox"


# The newest position, read from the index's end.
_LAST = "(SELECT o.position FROM store.outbox o ORDER BY o.position DESC LIMIT 1)"
_CHECKPOINTS = "(SELECT c.projection, min(c.position) AS position FROM read.projection_checkpoints c GROUP BY 1)"
_PARTITIONS = (
    "pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = 'store.outbox'::regclass"
)
_READ = "read.projection_checkpoints"
_SETTLED = "store.settlement_lines"
_CASH = "store.cod_collections"
_CASH_OPEN = "c.remitted + c.fee + c.written_off < c.amount"
_CASH_REST = "c.amount - c.remitted - c.fee - c.written_off"
_WEBHOOKS = "store.webhook_deliveries"

GAUGES = (
    Gauge(
        "kirana_open_holds",
        "Reservations of stock that are neither consumed nor released.",
        "SELECT count(*) FROM store.inventory_reservations WHERE status = 'held'",
    ),
    Gauge(
        "kirana_due_expiries",
        "Orders whose time to pay is over and that the sweeper has not closed.",
        "SELECT count(*) FROM store.orders WHERE status = 'pending_payment' AND hold_expires_at <= now()",
    ),
    Gauge(
        "kirana_due_prices",
        "Scheduled prices whose time has come and that are not applied.",
        "SELECT count(*) FROM store.price_changes WHERE status = 'scheduled' AND effective_from <= now()",
    ),
    Gauge(
        "kirana_refunds",
        "Refunds that are not at their end: initiated (to be sent), submitted (sent), failed (owed).",
        "SELECT s.status, count(r.id) FROM unnest(ARRAY['initiated', 'submitted', 'failed']) AS s(status)"
        " LEFT JOIN store.refunds r ON r.status = s.status GROUP BY 1",
        ("status",),
    ),
    Gauge(
        "kirana_stuck_payments",
        "Attempts to pay whose gateway was asked three times and gave no end of them.",
        f"SELECT count(*) FROM store.payments p WHERE {STUCK_PAYMENT}",
        needs=_SETTLED,
    ),
    Gauge(
        "kirana_stuck_refunds",
        "Refunds that five sendings or three questions brought nowhere.",
        f"SELECT count(*) FROM store.refunds r WHERE r.status NOT IN ('succeeded', 'waived') AND {STUCK_REFUND}",
        needs=_SETTLED,
    ),
    Gauge(
        "kirana_settlement_differences",
        "Lines of settlement files that differ from the ledger and that nothing has explained.",
        "SELECT count(*) FROM store.settlement_lines l WHERE l.status <> 'matched'"
        " AND NOT EXISTS (SELECT 1 FROM store.settlement_resolutions z WHERE z.line_id = l.id)",
        needs=_SETTLED,
    ),
    Gauge(
        "kirana_cod_outstanding_paise",
        "Cash that couriers took at the door and have not paid out, by courier (unnamed: nobody said who brought it).",
        f"SELECT COALESCE(c.courier, 'unnamed'), sum({_CASH_REST}) FROM store.cod_collections c"
        f" WHERE {_CASH_OPEN} GROUP BY 1",
        ("courier",),
        _CASH,
    ),
    Gauge(
        "kirana_cod_oldest_seconds",
        "Age of the oldest cash that a courier has not paid out, by courier.",
        "SELECT COALESCE(c.courier, 'unnamed'), extract(epoch FROM now() - min(c.collected_at))"
        f" FROM store.cod_collections c WHERE {_CASH_OPEN} GROUP BY 1",
        ("courier",),
        _CASH,
    ),
    Gauge(
        "kirana_cod_differences",
        "Lines of couriers' remittances that differ from what they took and that nothing has explained.",
        "SELECT count(*) FROM store.cod_remittance_lines l WHERE l.status <> 'matched' AND l.resolution IS NULL",
        needs=_CASH,
    ),
    Gauge(
        "kirana_documents_due",
        "Invoices and credit notes that are due: waiting for the worker, or in trouble (kept from being issued).",
        "SELECT s.state, count(d.id) FROM unnest(ARRAY['waiting', 'trouble']) AS s(state)"
        " LEFT JOIN store.invoices_due d"
        " ON s.state = CASE WHEN d.last_error IS NULL THEN 'waiting' ELSE 'trouble' END GROUP BY 1",
        ("state",),
        needs="store.invoices_due",
    ),
    Gauge(
        "kirana_outbox_rows",
        "Rows of the outbox, as PostgreSQL estimates them.",
        f"SELECT COALESCE(sum(GREATEST(c.reltuples, 0)), 0) FROM {_PARTITIONS}",
    ),
    Gauge(
        "kirana_outbox_bytes",
        "Bytes of the outbox on disk, indexes included.",
        f"SELECT COALESCE(sum(pg_catalog.pg_total_relation_size(c.oid)), 0) FROM {_PARTITIONS}",
    ),
    Gauge("kirana_outbox_position", "The outbox's newest position.", f"SELECT COALESCE({_LAST}, 0)"),
    Gauge(
        "kirana_projection_checkpoint_lag_positions",
        "Outbox positions behind the slowest shard's checkpoint.",
        f"SELECT p.projection, GREATEST(COALESCE({_LAST}, 0) - p.position, 0) FROM {_CHECKPOINTS} p",
        ("projection",),
        _READ,
    ),
    Gauge(
        "kirana_projection_checkpoint_lag_seconds",
        "Age of the oldest outbox row behind the slowest shard's checkpoint; 0 when there is none.",
        "SELECT p.projection, COALESCE(extract(epoch FROM now() - (SELECT o.created_at FROM store.outbox o"
        f" WHERE o.position > p.position ORDER BY o.position LIMIT 1)), 0) FROM {_CHECKPOINTS} p",
        ("projection",),
        _READ,
    ),
    Gauge(
        "kirana_webhook_subscribers",
        "Subscribers of events, by status.",
        "SELECT s.status, count(w.id) FROM unnest(ARRAY['active', 'paused', 'disabled']) AS s(status)"
        " LEFT JOIN store.webhook_subscribers w ON w.status = s.status GROUP BY 1",
        ("status",),
        _WEBHOOKS,
    ),
    Gauge(
        "kirana_webhook_pending",
        "Events laid out for active subscribers and not delivered.",
        "SELECT count(*) FROM store.webhook_deliveries d JOIN store.webhook_subscribers s ON s.id = d.subscriber_id"
        " WHERE d.status = 'pending' AND s.status = 'active'",
        needs=_WEBHOOKS,
    ),
    Gauge(
        "kirana_webhook_oldest_seconds",
        "Age of the oldest event that an active subscriber has not been told of; 0 when there is none.",
        "SELECT COALESCE(extract(epoch FROM now() - min(oldest.at)), 0) FROM store.webhook_subscribers s"
        " CROSS JOIN LATERAL (SELECT LEAST("
        "(SELECT d.occurred_at FROM store.webhook_deliveries d WHERE d.subscriber_id = s.id AND d.status = 'pending'"
        " ORDER BY d.position LIMIT 1), (SELECT o.created_at FROM store.outbox o WHERE o.position > s.position"
        " ORDER BY o.position LIMIT 1)) AS at) AS oldest WHERE s.status = 'active'",
        needs=_WEBHOOKS,
    ),
    Gauge(
        "kirana_relay_lag_positions",
        "Outbox positions that the relay has not carried to its streams.",
        f"SELECT r.name, GREATEST(COALESCE({_LAST}, 0) - r.position, 0) FROM store.event_relays r",
        ("relay",),
        "store.event_relays",
    ),
)

Sample = tuple[tuple[str, ...], float]


@dataclass(eq=False)
class BusinessGauges(Collector):
    """What the last answer said; ``refresh`` is awaited by the scrape before it collects."""

    cache_seconds: float = CACHE_SECONDS
    _samples: Mapping[str, list[Sample]] = field(default_factory=dict)
    _up: float | None = None
    _asked_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self, pool: QueryPool) -> None:
        """Ask again when the last time is ``cache_seconds`` ago. Never raises because of the database."""
        async with self._lock:
            if time.monotonic() - self._asked_at < self.cache_seconds:
                return
            try:
                async with asyncio.timeout(WHOLE_SECONDS), pool.connection(timeout=WHOLE_SECONDS) as connection:
                    self._samples = await _ask(connection)
                self._up = 1.0
            except (psycopg.Error, PoolTimeout, TooManyRequests, TimeoutError) as error:
                log.warning("business_gauges_failed", error=type(error).__name__)
                self._samples, self._up = {}, 0.0
            self._asked_at = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        """Every gauge, with the samples there are; ``kirana_business_up`` only where somebody asks at all."""
        up = GaugeMetricFamily("kirana_business_up", "1 when the store's own gauges could be read.")
        if self._up is not None:
            up.add_metric((), self._up)
        yield up
        for gauge in GAUGES:
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
            for labels, value in self._samples.get(gauge.name, ()):
                family.add_metric(labels, value)
            yield family


async def _ask(connection: Connection) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    async with connection.transaction():
        await connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}")
        # a table that is not there yet (a store that is being migrated) has no gauge
        cursor = await connection.execute(
            "SELECT t FROM unnest(%s::text[]) AS t WHERE to_regclass(t) IS NOT NULL",
            (sorted({gauge.needs for gauge in GAUGES}),),
        )
        there = {name for (name,) in await cursor.fetchall()}
        for gauge in GAUGES:
            if gauge.needs in there:
                cursor = await connection.execute(gauge.select)
                rows = await cursor.fetchall()
                found[gauge.name] = [(tuple(str(label) for label in row[:-1]), float(row[-1])) for row in rows]
    return found
