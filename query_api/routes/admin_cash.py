"""GET for whoever looks after cash at the door: what couriers owe, what they paid out, and what differs."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AfterValidator
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from app.models.words import COD_LINE_STATUSES
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import admin_cash as repository
from query_api.responses import private
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import admin_cash as schemas
from query_api.state import QueryState

router = APIRouter(prefix="/admin", tags=["admin money"], responses=problems(*REFUSALS))

LineStatus = Literal[COD_LINE_STATUSES]  # type: ignore[valid-type]
CourierName = Annotated[Token, AfterValidator(lambda name: name.strip().lower())]
Cash = Annotated[QueryState, allowed("payments.settle_cod", "orders.read")]
Open = Annotated[bool, Query(alias="open", description="Only what differs and nothing has explained.")]
Outstanding = Annotated[bool, Query(alias="outstanding", description="Only what the courier still owes.")]
Unnamed = Annotated[bool, Query(description="Only what nobody is known to have.")]


@router.get("/cod-outstanding", response_model=schemas.OwedByCourierList)
async def cod_outstanding(state: Cash, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """What each courier still owes of the cash he took, by its age; who has owed longest comes first."""
    fetch = lambda *at: repository.outstanding(state.primary, *at)  # noqa: E731
    return private(await pages.listed(state, "cod-outstanding", fetch, limit, cursor))


@router.get("/cod-collections", response_model=schemas.AdminCashList)
async def cod_collections(
    state: Cash,
    courier: CourierName | None = None,
    order_id: UUID | None = None,
    outstanding_only: Outstanding = False,
    unnamed: Unnamed = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Cash of orders, what was taken first: with whom it is, and what became of it."""
    filters = {"courier": courier, "order_id": order_id, "outstanding": outstanding_only, "unnamed": unnamed}
    fetch = lambda *at: repository.collections(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"cod-collections:{filters}", fetch, limit, cursor))


@router.get("/cod-remittances", response_model=schemas.AdminRemittanceList)
async def cod_remittances(
    state: Cash,
    courier: CourierName | None = None,
    reference: Token | None = None,
    open_only: Open = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What couriers paid out, newest first."""
    filters = {"courier": courier, "reference": reference, "open": open_only}
    fetch = lambda *at: repository.remittances(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"cod-remittances:{filters}", fetch, limit, cursor))


@router.get(
    "/cod-remittances/{remittance_id}",
    response_model=schemas.AdminRemittance,
    responses=problems(*REFUSALS, "cod_remittance_not_found"),
)
async def cod_remittance(state: Cash, remittance_id: UUID) -> Response:
    """One remittance, with the verdicts on its lines as they are now."""
    found = await repository.remittance(state.primary, remittance_id)
    if found is None:
        raise Refused("cod_remittance_not_found")
    return private(found.body)


@router.get("/cod-remittance-lines", response_model=schemas.AdminRemittanceLineList)
async def cod_remittance_lines(
    state: Cash,
    remittance_id: UUID | None = None,
    order_id: UUID | None = None,
    courier: CourierName | None = None,
    status: LineStatus | None = None,
    open_only: Open = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Lines of remittances, oldest first, beside what was taken at the door, and what became of what differed."""
    wanted = {"remittance_id": remittance_id, "order_id": order_id, "courier": courier}
    filters = wanted | {"status": status, "open": open_only}
    fetch = lambda *at: repository.lines(state.primary, filters, *at)  # noqa: E731
    return private(await pages.listed(state, f"cod-remittance-lines:{filters}", fetch, limit, cursor))
