"""Subscribers of events, kept by staff."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import Context, IdempotencyKey, RequiredVersion, json_response
from app.core.openapi import KEYED, problems
from app.core.security import CurrentStaff
from command_api.schemas import webhooks as schemas
from command_api.services import webhooks
from command_api.state import State

STAFF = ("unauthenticated", "forbidden", "webhook_not_found")
CHANGE = (*STAFF, "precondition_required", "version_mismatch")
router = APIRouter(prefix="/admin/webhooks", tags=["admin webhooks"])
EventPosition = Annotated[int, Path(ge=1, le=2**62, description="The event's position, as in its body.")]


@router.post(
    "",
    status_code=201,
    response_model=schemas.WebhookWithSecret,
    responses=problems(
        *KEYED, "forbidden", "webhook_url_refused", "webhook_limit", "webhooks_unavailable", "invalid_value"
    ),
)
async def create_webhook(
    body: schemas.WebhookDefinition, staff: CurrentStaff, context: Context, state: State, key: IdempotencyKey
) -> Response:
    """Tell a URL of what happens from now on, and get the secret that events are signed with. It is shown once."""
    outcome = await webhooks.create(state, staff.user_id, key, body.model_dump(), context)
    return json_response(outcome.result, 201, version=outcome.result["version"], replayed=outcome.replayed)


@router.put(
    "/{webhook_id}",
    response_model=schemas.Webhook,
    responses=problems(*CHANGE, "webhook_url_refused", "invalid_value"),
)
async def update_webhook(
    webhook_id: UUID,
    body: schemas.WebhookChange,
    staff: CurrentStaff,
    context: Context,
    state: State,
    version: RequiredVersion,
) -> Response:
    """Replace all that is said about a webhook; pause it, or let it go on from where it was."""
    outcome = await webhooks.update(state, staff.user_id, webhook_id, version, body.model_dump(), context)
    return json_response(outcome.result, version=outcome.result["version"])


@router.delete("/{webhook_id}", response_model=schemas.Webhook, responses=problems(*CHANGE))
async def delete_webhook(
    webhook_id: UUID, staff: CurrentStaff, context: Context, state: State, version: RequiredVersion
) -> Response:
    """Tell it nothing more and forget its secrets; its log goes with time."""
    return json_response((await webhooks.delete(state, staff.user_id, webhook_id, version, context)).result)


@router.post(
    "/{webhook_id}/rotate-secret",
    response_model=schemas.WebhookWithSecret,
    responses=problems(*CHANGE, "webhooks_unavailable"),
)
async def rotate_secret(
    webhook_id: UUID,
    body: schemas.Rotation,
    staff: CurrentStaff,
    context: Context,
    state: State,
    version: RequiredVersion,
) -> Response:
    """Make another secret, shown once; for a while events are signed with both, so that receivers can change over."""
    outcome = await webhooks.rotate(state, staff.user_id, webhook_id, version, body.overlap_seconds, context)
    return json_response(outcome.result, version=outcome.result["version"])


@router.post(
    "/{webhook_id}/replay", response_model=schemas.ReplayedWebhook, responses=problems(*CHANGE, "invalid_value")
)
async def replay_webhook(
    webhook_id: UUID,
    body: schemas.Replay,
    staff: CurrentStaff,
    context: Context,
    state: State,
    version: RequiredVersion,
) -> Response:
    """Tell it again, in order, of everything after a position. Events keep their ids."""
    outcome = await webhooks.replay(state, staff.user_id, webhook_id, version, body.from_position, context)
    return json_response(outcome.result, version=outcome.result["version"])


@router.post(
    "/{webhook_id}/deliveries/{position}/redeliver",
    status_code=202,
    response_model=schemas.Redelivery,
    responses=problems(*STAFF, "delivery_not_found", "event_gone", "webhook_state"),
)
async def redeliver_event(
    webhook_id: UUID, position: EventPosition, staff: CurrentStaff, context: Context, state: State
) -> Response:
    """Tell it of one event once more, whatever came of it before."""
    return json_response((await webhooks.redeliver(state, staff.user_id, webhook_id, position, context)).result, 202)


@router.post(
    "/{webhook_id}/test",
    response_model=schemas.TestResult,
    responses=problems(*STAFF, "webhooks_unavailable"),
)
async def test_webhook(webhook_id: UUID, staff: CurrentStaff, context: Context, state: State) -> Response:
    """Send it a `webhook.ping` now, and see how it answers. Paused and disabled ones can be tried too."""
    return json_response(await webhooks.test(state, staff.user_id, webhook_id, context))
