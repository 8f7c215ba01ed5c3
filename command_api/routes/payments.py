"""Paying an order, and the events of payment gateways."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Path, Request
from starlette.responses import Response

from app.core.http import Context, IdempotencyKey, json_response
from app.core.openapi import KEYED, problems
from app.core.security import CurrentPrincipal
from command_api.schemas.payments import (
    EventReceipt,
    KnownEvent,
    Payment,
    PaymentProof,
    PaymentRequest,
    ProviderName,
    VerifiedPayment,
)
from command_api.services import payments
from command_api.services.procedures import Outcome
from command_api.state import State

router = APIRouter(tags=["payments"])

Signature = Annotated[
    str,
    Header(
        alias="Kirana-Signature",
        max_length=2048,
        description="`t=<unix seconds>,v1=<hex>`: HMAC-SHA256 of `{t}.{body}`; several v1 while a secret is changed.",
    ),
]
# The body is read raw, because the signature is over its bytes; this is what it holds.
EVENT_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": KnownEvent.model_json_schema()}}}
}


def _payment(outcome: Outcome, status: int = 200) -> Response:
    document = outcome.result
    return json_response(
        document, status, version=document["version"], position=outcome.position, replayed=outcome.replayed
    )


@router.post(
    "/orders/{order_id}/payments",
    status_code=201,
    response_model=Payment,
    responses=problems(*KEYED, "order_not_found", "order_state", "order_hold_expired", "payment_method_unavailable"),
)
async def register_attempt(
    order_id: UUID,
    body: PaymentRequest,
    principal: CurrentPrincipal,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Begin to pay an order. An attempt that was begun before is given up; pay at the gateway with the new one's id."""
    outcome = await payments.register(state, principal.user_id, order_id, key, body.model_dump(), context)
    return _payment(outcome, 201)


@router.post(
    "/payments/{payment_id}/verify",
    response_model=VerifiedPayment,
    responses=problems(*KEYED, "payment_not_found", "payment_state", "payment_signature", "payment_mismatch"),
)
async def verify_payment(
    payment_id: UUID,
    body: PaymentProof,
    principal: CurrentPrincipal,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Show what the gateway signed. The order is confirmed by this or by the gateway's event, whichever is first."""
    return _payment(await payments.verify(state, principal.user_id, payment_id, key, body.model_dump(), context))


@router.post(
    "/webhooks/payments/{provider}",
    tags=["webhooks"],
    response_model=EventReceipt,
    responses=problems("webhook_signature"),
    openapi_extra=EVENT_BODY,
)
async def receive_event(
    provider: Annotated[ProviderName, Path()],
    request: Request,
    state: State,
    context: Context,
    signature: Signature = "",
) -> Response:
    """Take a gateway's event, in any order and any number of times. 200 means that it need not be sent again."""
    outcome = await payments.receive_event(state, provider, signature, await request.body(), context)
    return json_response(outcome.result, position=outcome.position)
