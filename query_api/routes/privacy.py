"""GET of everything that is kept of the caller."""

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from app.core.openapi import problems
from app.core.security import CurrentPrincipal
from query_api.pages import customers
from query_api.responses import PRIVATE
from query_api.schemas.admin_staff import CustomerData
from query_api.state import State

router = APIRouter()

HEADERS = {"Cache-Control": PRIVATE, "Content-Disposition": 'attachment; filename="my-data.json"'}


@router.get(
    "/me/export",
    tags=["profile"],
    response_model=CustomerData,
    responses=problems("unauthenticated", "user_not_found"),
)
async def export(state: State, principal: CurrentPrincipal) -> Response:
    """Everything the store keeps of the caller, as one JSON document that is sent while it is read."""
    document = await customers.export(state, principal.user_id)
    return StreamingResponse(document, headers=HEADERS, media_type="application/json")
