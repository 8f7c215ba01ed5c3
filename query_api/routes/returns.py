"""GET of returns, invoices and credit notes: a shopper's own, and all of them for staff."""

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from app.core.security import CurrentPrincipal
from app.models.words import DOCUMENT_KINDS, RETURN_STATUSES
from app.utils.amounts import in_words
from app.utils.times import Day
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import invoices, returns
from query_api.responses import page, private
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import returns as schemas
from query_api.state import QueryState, State

router = APIRouter()

ReturnStatus = Literal[RETURN_STATUSES]  # type: ignore[valid-type]
Kind = Literal[DOCUMENT_KINDS]  # type: ignore[valid-type]
IssuedOn = Annotated[Day | None, Query(description="A date of issue, in India; included.")]
Returns = Annotated[QueryState, allowed("returns.write", "orders.read")]
Invoices = Annotated[QueryState, allowed("invoices.read")]


@router.get(
    "/orders/{order_id}/returns",
    tags=["returns"],
    response_model=schemas.OrderReturnList,
    responses=problems("unauthenticated", "order_not_found"),
)
async def order_returns(state: State, principal: CurrentPrincipal, order_id: UUID) -> Response:
    """The returns of one of the caller's orders, oldest first."""
    found = await returns.of_order(state.primary, order_id, principal.user_id)
    if found is None:
        raise Refused("order_not_found")
    return private(page(found, None))


@router.get(
    "/orders/{order_id}/invoice",
    tags=["orders"],
    response_model=schemas.OrderInvoice,
    responses=problems("unauthenticated", "order_not_found", "invoice_not_found"),
)
async def order_invoice(state: State, principal: CurrentPrincipal, order_id: UUID) -> Response:
    """The invoice of one of the caller's orders with all that GST asks for, and its credit notes.

    It is issued when the order is packed.
    """
    found = await invoices.of_order(state.primary, order_id, principal.user_id)
    if found is None:
        raise Refused("order_not_found")
    if not found:
        raise Refused("invoice_not_found")
    invoice, *credited = [_worded(document) for document in found]
    left = invoice["amount"] - sum(note["amount"] for note in credited)
    return private(orjson.dumps({"invoice": invoice, "credit_notes": credited, "amount_left": left}))


@router.get(
    "/admin/returns",
    tags=["admin returns"],
    response_model=schemas.AdminReturnList,
    responses=problems(*REFUSALS),
)
async def list_returns(
    state: Returns, status: ReturnStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Returns of all shoppers, newest first."""
    fetch = lambda *at: returns.listed(state.primary, status, *at)  # noqa: E731
    return private(await pages.listed(state, f"returns:{status}", fetch, limit, cursor))


@router.get(
    "/admin/returns/{return_id}",
    tags=["admin returns"],
    response_model=schemas.AdminReturn,
    responses=problems(*REFUSALS, "return_not_found"),
)
async def one_return(state: Returns, return_id: UUID) -> Response:
    """A return; its ETag is what If-Match takes."""
    found = await returns.one(state.primary, return_id)
    if found is None:
        raise Refused("return_not_found")
    return private(found.body, version=found.version)


@router.get(
    "/admin/invoices",
    tags=["admin invoices"],
    response_model=schemas.AdminInvoiceList,
    responses=problems(*REFUSALS),
)
async def list_invoices(
    state: Invoices,
    since: IssuedOn = None,
    until: IssuedOn = None,
    kind: Kind | None = None,
    number: Token | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Invoices and credit notes by their date of issue, newest first."""
    filters = {"since": since, "until": until, "kind": kind, "number": number}
    fetch = lambda *at: invoices.listed(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"invoices:{since}:{until}:{kind}:{number}", fetch, limit, cursor))


@router.get(
    "/admin/invoices/{invoice_id}",
    tags=["admin invoices"],
    response_model=schemas.Invoice,
    responses=problems(*REFUSALS, "invoice_not_found"),
)
async def one_invoice(state: Invoices, invoice_id: UUID) -> Response:
    """An invoice or credit note with its lines."""
    found = await invoices.one(state.primary, invoice_id)
    if found is None:
        raise Refused("invoice_not_found")
    return private(orjson.dumps(_worded(found)))


def _worded(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"amount_in_words": in_words(document["amount"])}
