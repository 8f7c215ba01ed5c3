"""GET for whoever looks after the store's money: payments, settlements, and all that a person must look at."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import admin_money
from query_api.responses import private
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import admin_money as schemas
from query_api.state import QueryState

router = APIRouter(prefix="/admin", responses=problems(*REFUSALS))

PaymentStatus = Literal["created", "pending_collection", "captured", "mismatched", "failed", "cancelled"]
LineStatus = Literal[
    "matched", "amount_differs", "currency_differs", "missing_in_ledger", "duplicate", "missing_at_gateway"
]
AttentionKind = Literal[
    "order",
    "refund_failed",
    "refund_stuck",
    "refund_by_hand",
    "refund_approval",
    "payment_stuck",
    "settlement_line",
    "cod_line",
    "dead_letter",
    "webhook_disabled",
]

Payments = Annotated[QueryState, allowed("payments.reconcile", "orders.read")]
Stuck = Annotated[bool, Query(description="Only those whose gateway was asked three times and gave no end of it.")]
Open = Annotated[bool, Query(description="Only those that differ and that nothing has explained.")]


@router.get("/payments", tags=["admin money"], response_model=schemas.AdminPaymentList)
async def payments(
    state: Payments,
    status: PaymentStatus | None = None,
    provider: Token | None = None,
    order_id: UUID | None = None,
    stuck: Stuck = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Attempts to pay, newest first, with what their gateway said when it was asked."""
    filters = {"status": status, "provider": provider, "order_id": order_id, "stuck": stuck}
    fetch = lambda *at: admin_money.payments(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"payments:{filters}", fetch, limit, cursor))


@router.get(
    "/payments/{payment_id}",
    tags=["admin money"],
    response_model=schemas.AdminPayment,
    responses=problems(*REFUSALS, "payment_not_found"),
)
async def payment(state: Payments, payment_id: UUID) -> Response:
    """One attempt to pay."""
    found = await admin_money.payment(state.primary, payment_id)
    if found is None:
        raise Refused("payment_not_found")
    return private(found.body, version=found.version)


@router.get("/settlements", tags=["admin money"], response_model=schemas.AdminSettlementList)
async def settlements(
    state: Payments,
    provider: Token | None = None,
    reference: Token | None = None,
    utr: Token | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Payouts of gateways, newest first, with the sums of their lines."""
    filters = {"provider": provider, "reference": reference, "utr": utr}
    fetch = lambda *at: admin_money.settlements(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"settlements:{filters}", fetch, limit, cursor))


@router.get("/settlement-files", tags=["admin money"], response_model=schemas.AdminSettlementFileList)
async def files(state: Payments, provider: Token | None = None, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Settlement files that were read, newest first, and what came of each."""
    fetch = lambda *at: admin_money.files(state.primary, provider, *at)  # noqa: E731
    return private(await pages.listed(state, f"settlement-files:{provider}", fetch, limit, cursor))


@router.get("/settlement-lines", tags=["admin money"], response_model=schemas.AdminSettlementLineList)
async def lines(
    state: Payments,
    file_id: UUID | None = None,
    settlement_id: UUID | None = None,
    status: LineStatus | None = None,
    open_only: Annotated[Open, Query(alias="open")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Lines of settlement files beside what the ledger says, and what became of those that differed."""
    filters = {"file_id": file_id, "settlement_id": settlement_id, "status": status, "open": open_only}
    fetch = lambda *at: admin_money.lines(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"settlement-lines:{filters}", fetch, limit, cursor))


@router.get("/attention", tags=["admin money"], response_model=schemas.AttentionList)
async def attention(
    state: Payments, kind: AttentionKind | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """All that a person must look at, what waits longest first: orders, refunds, payments, settlements, and more."""
    fetch = lambda *at: admin_money.attention(state.primary, kind, *at)  # noqa: E731
    return private(await pages.listed(state, f"attention:{kind}", fetch, limit, cursor))
