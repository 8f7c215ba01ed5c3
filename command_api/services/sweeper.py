"""Chores: procedures that the worker calls without anybody asking (unpaid orders expire, prices become due …).

Nothing depends on them for being right, only for being tidy, and any number may run at once: each procedure takes what
nobody else has locked. To add one: a procedure with ``p_limit``, and a line in CHORES.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from app.core.database import CommandPool
from command_api.services.procedures import call

BATCH = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """A procedure that takes ``p_limit`` and says how much it did; looked at every ``seconds``."""

    procedure: str
    done: Callable[[dict[str, Any]], int]
    seconds: float = 1.0


CHORES = (
    Chore("expire_orders", lambda result: int(result["expired"])),
    Chore("allocate_backorders", lambda result: int(result["allocated"])),
    Chore("note_stock_levels", lambda result: int(result["noted"]), seconds=300.0),
    Chore("issue_due_invoices", lambda result: int(result["issued"])),
    Chore("close_exchanges", lambda result: int(result["closed"]), seconds=30.0),
    Chore("apply_due_prices", lambda result: int(result["applied"])),
    Chore("purge_expired_records", lambda result: int(result["purged"]), seconds=30.0),
    Chore("expire_staff_requests", lambda result: int(result["closed"]), seconds=30.0),
    Chore("purge_deliveries", lambda result: int(result["purged"]), seconds=30.0),
    Chore("follow_settlements", lambda result: int(result["resolved"]), seconds=60.0),
    Chore("match_cod_lines", lambda result: int(result["matched"]), seconds=60.0),
)


async def expire_due_orders(pool: CommandPool) -> int:
    """End one batch of orders whose time to pay is over; how many there were."""
    outcome = await call(pool, "expire_orders", p_limit=BATCH)
    return int(outcome.result["expired"])


async def do_chore(pool: CommandPool, chore: Chore, stopping: Callable[[], bool] = lambda: False) -> int:
    """Do all that is due now, batch by batch; how much that was. Ends early, between two batches, when told."""
    total = 0
    while not stopping():
        done = chore.done((await call(pool, chore.procedure, p_limit=BATCH)).result)
        total += done
        if done < BATCH:
            break
    if total:
        log.info("swept", procedure=chore.procedure, done=total)
    return total
