"""What must hold after every fault, and what is said when it does not."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from app.audit.books import audit
from projections.books import connect
from projections.registry import PROJECTIONS
from projections.verify import verify, verify_navigation, verify_redis
from tests.faults.plant import Plant
from tests.faults.shoppers import Shopper

PATIENCE_SECONDS = 60.0

ORDERS = """
SELECT o.id::text, o.status, o.captured_total, o.refunded_total, o.refund_pending_total,
       (SELECT count(*) FROM store.refunds r WHERE r.order_id = o.id),
       (SELECT count(*) FROM store.money_movements m WHERE m.order_id = o.id AND m.kind = 'capture')
FROM store.orders o WHERE o.user_id = %s
"""


def nothing_lost_nothing_doubled(owner: psycopg.Connection[Any], shoppers: Sequence[Shopper]) -> int:
    """Every shopper's orders are those of the shopper's own books, to the paisa; how many orders that were."""
    compared = 0
    for shopper in shoppers:
        found = {row[0]: row[1:] for row in owner.execute(ORDERS, (shopper.user_id,)).fetchall()}
        wanted = {
            order.id: (order.status, order.captured, order.refunded, 0, len(order.refund_ids), int(order.captured > 0))
            for order in shopper.orders.values()
        }
        lost, more = wanted.keys() - found.keys(), found.keys() - wanted.keys()
        assert not lost, f"acknowledged and lost: {lost}"
        assert not more, f"done twice, or without an answer: {more}"
        for key, row in wanted.items():
            assert found[key] == row, f"order {key}: the store has {found[key]}, its shopper {row}"
        compared += len(wanted)
    return compared


def books_agree(plant: Plant) -> None:
    """``kirana audit``, in this process."""
    for finding in audit(plant.database.dsn("query")):
        assert finding.count == 0, f"{finding.check.name}: {finding.differences[:3]}"


async def views_agree(plant: Plant) -> None:
    """``kirana projections verify``, in PostgreSQL and in Redis, once the projectors have caught up."""
    url = plant.database.settings.redis_dsn()
    async with await connect(plant.database.dsn("projector"), "test") as connection:
        for name in ("catalog", "orders"):
            drift = await verify(connection, PROJECTIONS[name])
            assert drift.clean, f"{name} drifted: {drift}"
            end = time.monotonic() + PATIENCE_SECONDS
            while (differing := await verify_redis(connection, PROJECTIONS[name], url)) != []:
                assert time.monotonic() < end, f"Redis does not hold {name}: {differing and differing[:5]}"
                await asyncio.sleep(0.1)
        end = time.monotonic() + PATIENCE_SECONDS
        while stale := await verify_navigation(connection):
            assert time.monotonic() < end, f"navigation is stale: {stale}"
            await asyncio.sleep(0.1)
