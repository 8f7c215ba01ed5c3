"""Every round of the worker, by name: what it does, and how long it pauses when nothing is left to do.

To add one: a procedure that takes ``p_limit`` is a line in CHORES (command_api/services/sweeper.py); anything else is a
coroutine that takes the Kit and answers how much it did, and a line in ROUNDS. A round must be safe to run in several
processes at once (SKIP LOCKED, or an advisory lock that is only tried), must not hold a transaction while it waits for
anything outside the database, and ends between two batches when ``kit.stopping()`` says so.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from app.core.config import Settings
from app.core.database import CommandPool
from app.outbound.deliveries import Deliveries
from command_api.services.gateway import Gateway, send_due_refunds
from command_api.services.gateway_checks import check_payments, check_refunds
from command_api.services.sweeper import CHORES, Chore, do_chore


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


ROUNDS: tuple[Round, ...] = (
    *(Round(chore.procedure, chore.seconds, partial(_chore, chore)) for chore in CHORES),
    Round("submit_refunds", 1.0, _refunds),
    Round("tell_webhooks", 0.25, _webhooks),
    Round("check_payments", 5.0, _check_payments),
    Round("check_refunds", 15.0, _check_refunds),
)
