"""GET of webhooks and of their delivery logs."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import admin_webhooks as webhooks
from query_api.responses import private
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import admin_webhooks as schemas
from query_api.state import QueryState

router = APIRouter(prefix="/admin/webhooks", tags=["admin webhooks"])
Webhooks = Annotated[QueryState, allowed("webhooks.read", "webhooks.write")]
DeliveryStatus = Literal["pending", "delivered", "failed", "superseded"]


@router.get("", response_model=schemas.AdminWebhookList, responses=problems(*REFUSALS))
async def list_webhooks(state: Webhooks, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Who is told of events, newest first, and how each does."""
    fetch = lambda *at: webhooks.subscribers(state.primary, *at)  # noqa: E731
    return private(await pages.listed(state, "webhooks", fetch, limit, cursor))


@router.get("/{webhook_id}", response_model=schemas.AdminWebhook, responses=problems(*REFUSALS, "webhook_not_found"))
async def read_webhook(state: Webhooks, webhook_id: UUID) -> Response:
    """A webhook; its ETag is what If-Match takes."""
    found = await webhooks.subscriber(state.primary, webhook_id)
    if found is None:
        raise Refused("webhook_not_found")
    return private(found.body, version=found.version)


@router.get(
    "/{webhook_id}/deliveries",
    response_model=schemas.AdminDeliveryList,
    responses=problems(*REFUSALS, "webhook_not_found"),
)
async def list_deliveries(
    state: Webhooks,
    webhook_id: UUID,
    status: DeliveryStatus | None = None,
    type: Token | None = None,  # noqa: A002 (the parameter's name on the wire)
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What it was told or is to be told, the newest event first, kept for two weeks."""
    if await webhooks.subscriber(state.primary, webhook_id) is None:
        raise Refused("webhook_not_found")
    filters = {"status": status, "type": type}
    fetch = lambda *at: webhooks.deliveries(state.primary, webhook_id, filters, *at)  # noqa: E731
    name = f"deliveries:{webhook_id}:{status}:{type}"
    return private(await pages.listed(state, name, fetch, limit, cursor))
