"""Every round of the worker, by name: what it does, and how long it pauses when nothing is left to do.

To add one: a procedure that takes ``p_limit`` is a line in CHORES (command_api/services/sweeper.py); anything else is a
coroutine that takes the Kit and answers how much it did, and a line in ROUNDS. A round must be safe to run in several
processes at once (SKIP LOCKED, or an advisory lock that is only tried), must not hold a transaction while it waits for
anything outside the database, and ends between two batches when ``kit.stopping()`` says so.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import psycopg
import structlog

from app.core.config import NotConfigured, Settings
from app.core.database import CommandPool
from app.outbound.deliveries import Deliveries
from command_api.services.gateway import Gateway, send_due_refunds
from command_api.services.gateway_checks import check_payments, check_refunds
from command_api.services.procedures import call
from command_api.services.sweeper import CHORES, Chore, do_chore
from projections.partitions import prune

PURGE_BATCH = 500
SECONDS_PER_DAY = 86_400

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kit:
    """What rounds work with; ``stopping`` is True once the worker was told to end."""

    settings: Settings
    pool: CommandPool
    gateway: Gateway
    deliveries: Deliveries
    stopping: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Round:
    """Work that is done again and again, ``seconds`` apart; ``work`` answers how much it did."""

    name: str
    seconds: float
    work: Callable[[Kit], Awaitable[int]]


async def _chore(chore: Chore, kit: Kit) -> int:
    return await do_chore(kit.pool, chore, kit.stopping)


async def _refunds(kit: Kit) -> int:
    return await send_due_refunds(kit.pool, kit.gateway)


async def _webhooks(kit: Kit) -> int:
    return await kit.deliveries.work(kit.stopping)


async def _check_payments(kit: Kit) -> int:
    return await check_payments(kit.pool, kit.gateway, kit.settings.payment_check_seconds)


async def _check_refunds(kit: Kit) -> int:
    return await check_refunds(kit.pool, kit.gateway, kit.settings.refund_check_seconds)


async def _partitions(kit: Kit) -> int:
    """Without the owner's URL this is for `kirana projections prune`, by somebody who has it."""
    try:
        dsn = kit.settings.dsn("owner")
    except NotConfigured:
        return 0
    return await asyncio.to_thread(_roll, dsn, kit.settings)


def _roll(dsn: str, settings: Settings) -> int:
    keep = settings.outbox_retention_days * SECONDS_PER_DAY
    with psycopg.connect(dsn, autocommit=True) as connection:
        pruned = prune(connection, keep_seconds=keep, rows=settings.outbox_partition_rows)
    if pruned.done or pruned.postponed:
        log.info("outbox_rolled", made=pruned.made, dropped=pruned.dropped, postponed=pruned.postponed)
    return pruned.done


async def _guest_carts(kit: Kit) -> int:
    return await _purge(kit, "purge_guest_carts", kit.settings.guest_cart_days)


async def _payment_payloads(kit: Kit) -> int:
    return await _purge(kit, "purge_payment_payloads", kit.settings.payment_payload_days)


async def _purge(kit: Kit, procedure: str, days: int) -> int:
    """Batch by batch, until less than a batch is left."""
    total = 0
    while not kit.stopping():
        purged = int((await call(kit.pool, procedure, p_days=days, p_limit=PURGE_BATCH)).result["purged"])
        total += purged
        if purged < PURGE_BATCH:
            break
    return total


ROUNDS: tuple[Round, ...] = (
    *(Round(chore.procedure, chore.seconds, partial(_chore, chore)) for chore in CHORES),
    Round("submit_refunds", 1.0, _refunds),
    Round("tell_webhooks", 0.25, _webhooks),
    Round("check_payments", 5.0, _check_payments),
    Round("check_refunds", 15.0, _check_refunds),
    Round("purge_guest_carts", 300.0, _guest_carts),
    Round("purge_payment_payloads", 300.0, _payment_payloads),
    Round("roll_outbox", 60.0, _partitions),
)
