"""Asking gateways what became of attempts and refunds that nobody told us of, outside any transaction.

An answer takes the way of an event: payment_webhook books it, once, under an id made of the gateway's own reference. So
an event that comes at the same time, or later, changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import structlog

from app.core.database import CommandPool
from command_api.schemas.gateway import GatewayPayment, PaymentAnswer
from command_api.services.gateway import AT_ONCE, BATCH, Gateway, GatewayAway
from command_api.services.procedures import Outcome, call

log = structlog.get_logger(__name__)

Row = dict[str, Any]


async def check_payments(pool: CommandPool, gateway: Gateway, older_than: int, limit: int = BATCH) -> int:
    """Ask about one batch of attempts that were begun ``older_than`` seconds ago; how many had an answer."""
    picked = await call(pool, "pick_payments_to_check", p_limit=limit, p_older_than_seconds=older_than)
    return await _all(picked.result["payments"], lambda row: check_payment(pool, gateway, row))


async def check_refunds(pool: CommandPool, gateway: Gateway, older_than: int, limit: int = BATCH) -> int:
    """Ask about one batch of refunds that nothing was heard of for ``older_than`` seconds; how many had an answer."""
    picked = await call(pool, "pick_refunds_to_check", p_limit=limit, p_older_than_seconds=older_than)
    return await _all(picked.result["refunds"], lambda row: _check_refund(pool, gateway, row))


async def check_payment(pool: CommandPool, gateway: Gateway, row: Row) -> Outcome:
    """Ask about one attempt, book what its gateway took, and note the answer; ``check_answer`` is away for none."""
    payment_id, provider = row["payment_id"], row["provider"]
    try:
        answer = await gateway.payment_status(provider, payment_id, row["provider_payment_id"])
    except GatewayAway as error:
        log.warning("payment_not_answered", payment_id=payment_id, provider=provider, reason=str(error))
        return await call(pool, "note_payment_check", p_payment_id=payment_id, p_answer="away", p_open=True)
    said = _said(answer)
    position = None
    for payment in answer.payments:
        # a shopper whose bank said no may try again on the same attempt, as long as the gateway keeps it open
        if payment.status == "captured" or (payment.status == "failed" and said == "failed"):
            position = (await _tell_payment(pool, provider, payment_id, payment)).position or position
    noted = await call(pool, "note_payment_check", p_payment_id=payment_id, p_answer=said, p_open=answer.open)
    log.info("payment_answered", payment_id=payment_id, provider=provider, answer=said, status=noted.result["status"])
    return Outcome(noted.result, noted.position or position, noted.replayed)


def _said(answer: PaymentAnswer) -> str:
    found = {payment.status for payment in answer.payments}
    if "captured" in found:
        return "captured"
    if answer.open or "pending" in found:
        return "open"
    return "failed" if found else "none"


async def _tell_payment(pool: CommandPool, provider: str, payment_id: str, payment: GatewayPayment) -> Outcome:
    return await call(
        pool,
        "payment_webhook",
        p_provider=provider,
        p_event_id=f"asked:{payment.provider_payment_id}:{payment.status}",
        p_event_type=f"payment.{payment.status}",
        p_payment_id=payment_id,
        p_refund_id=None,
        p_provider_payment_id=payment.provider_payment_id,
        p_provider_refund_id=None,
        p_amount=payment.amount,
        p_currency=payment.currency,
        p_payload={"asked": True, "failure_code": payment.failure_code, "answer": payment.model_dump(mode="json")},
    )


async def _check_refund(pool: CommandPool, gateway: Gateway, row: Row) -> Outcome:
    refund_id, provider = row["refund_id"], row["provider"]
    try:
        answer = await gateway.refund_status(provider, refund_id, row["provider_refund_id"])
    except GatewayAway as error:
        log.warning("refund_not_answered", refund_id=refund_id, provider=provider, reason=str(error))
        return await call(pool, "note_refund_check", p_refund_id=refund_id, p_answer="away")
    if answer.status in {"processed", "failed"}:
        reference = answer.provider_refund_id or row["provider_refund_id"]
        await call(
            pool,
            "payment_webhook",
            p_provider=provider,
            p_event_id=f"asked:{reference or refund_id}:{answer.status}",
            p_event_type=f"refund.{answer.status}",
            p_payment_id=row["payment_id"],
            p_refund_id=refund_id,
            p_provider_payment_id=None,
            p_provider_refund_id=reference,
            p_amount=answer.amount,
            p_currency=answer.currency,
            p_payload={"asked": True, "failure_code": answer.failure_code, "answer": answer.model_dump(mode="json")},
        )
    noted = await call(pool, "note_refund_check", p_refund_id=refund_id, p_answer=answer.status)
    log.info("refund_answered", refund_id=refund_id, provider=provider, answer=answer.status)
    return noted


async def _all(rows: list[Row], ask: Callable[[Row], Awaitable[Outcome]]) -> int:
    """Ask about all, a few at once; one whose answer can't be booked keeps no other, and is raised at the end."""
    room = asyncio.Semaphore(AT_ONCE)

    async def answered(row: Row) -> bool:
        async with room:
            noted = await ask(row)
            return bool(noted.result["check_answer"] != "away")

    found = await asyncio.gather(*(answered(row) for row in rows), return_exceptions=True)
    failures = [one for one in found if isinstance(one, BaseException)]
    if failures:
        log.warning("answers_not_booked", failed=len(failures), of=len(rows))
        raise next((one for one in failures if not isinstance(one, psycopg.Error)), failures[0])
    return sum(one is True for one in found)
