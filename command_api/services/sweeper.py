"""What has to happen without anybody asking: unpaid orders expire, prices become due, refunds are sent again.

Nothing depends on it for being right, only for being tidy, and any number may run at once: each procedure takes what
nobody else has locked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog

from app.core.database import CommandPool
from command_api.services.procedures import call

BATCH = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """A procedure that takes ``p_limit`` and says how much it did."""

    procedure: str
    done: Callable[[dict[str, Any]], int]


CHORES = (
    Chore("expire_orders", lambda result: int(result["expired"])),
    Chore("apply_due_prices", lambda result: int(result["applied"])),
    Chore("purge_expired_records", lambda result: int(result["purged"])),
)


async def expire_due_orders(pool: CommandPool) -> int:
    """End one batch of orders whose time to pay is over; how many there were."""
    outcome = await call(pool, "expire_orders", p_limit=BATCH)
    return int(outcome.result["expired"])


async def sweep(pool: CommandPool, stopping: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Do all that is due now, batch by batch; how much of each was done. Ends early, between two batches, when told.

    A chore that fails does not keep the others from being done; what failed is raised at the end, as a group.
    """
    totals: dict[str, int] = {}
    failures: list[psycopg.Error] = []
    for chore in CHORES:
        try:
            totals[chore.procedure] = await _all_of(pool, chore, stopping)
        except psycopg.Error as error:
            failures.append(error)
    if failures:
        raise ExceptionGroup("chores that failed", failures)
    return totals


async def _all_of(pool: CommandPool, chore: Chore, stopping: Callable[[], bool]) -> int:
    total = 0
    while not stopping():
        done = chore.done((await call(pool, chore.procedure, p_limit=BATCH)).result)
        total += done
        if done < BATCH:
            break
    if total:
        log.info("swept", procedure=chore.procedure, done=total)
    return total
