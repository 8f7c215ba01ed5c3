"""Paying an order: attempts, the gateway's signed word brought by the shopper, and the gateway's own events."""

import hmac
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from app.core.config import Settings
from app.core.errors import Refused
from app.core.http import RequestContext, request_hash
from app.core.security import sign_payment, webhook_is_genuine
from command_api.schemas.payments import GatewayEvent, KnownEvent
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState

MAX_EVENT_BYTES = 65_536
NO_ID = UUID(int=0)
KNOWN_TYPES = frozenset({"payment.captured", "payment.failed", "refund.processed", "refund.failed"})


async def register(
    state: CommandState, user_id: UUID, order_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """A new attempt to pay the order; refused with payment_method_unavailable for a provider nobody configured."""
    if not state.settings.webhook_secret_values(body["provider"]):
        raise Refused("payment_method_unavailable", "There is no such payment provider.", provider=body["provider"])
    outcome = await call(
        state.pool,
        "register_payment_attempt",
        p_user_id=user_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(order_id, body),
        p_order_id=order_id,
        p_method=body["method"],
        p_provider=body["provider"],
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


async def verify(
    state: CommandState, user_id: UUID, payment_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """The payment, captured if its own provider signed the proof. A proof that nobody signed leaves a trace."""
    outcome = await call(
        state.pool,
        "verify_payment",
        p_user_id=user_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(payment_id, body),
        p_payment_id=payment_id,
        p_provider_payment_id=body["provider_payment_id"],
        p_amount=body["amount"],
        p_currency=body["currency"],
        p_signed_by=signers(state.settings, payment_id, body),
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def signers(settings: Settings, payment_id: UUID, proof: dict[str, Any]) -> list[str]:
    """The providers whose secrets sign the proof, found in constant time; the procedure knows whose payment it is."""
    signed = (payment_id, proof["provider_payment_id"], proof["amount"], proof["currency"])
    return [provider for provider in settings.webhook_secrets if _signs(settings, provider, signed, proof["signature"])]


def _signs(settings: Settings, provider: str, signed: tuple[UUID, str, int, str], signature: str) -> bool:
    fits = [
        hmac.compare_digest(sign_payment(secret, *signed), signature)
        for secret in settings.webhook_secret_values(provider)
    ]
    return any(fits)


async def receive_event(
    state: CommandState, provider: str, signature: str, body: bytes, context: RequestContext
) -> Outcome:
    """What became of a gateway's event. Raises webhook_signature before anything of the body is looked at."""
    secrets = list(state.settings.webhook_secret_values(provider))
    if not webhook_is_genuine(secrets, signature, body):
        raise Refused("webhook_signature")
    event = read_event(body)
    # of a type that nobody here knows, nothing but its id and type is looked at
    facts = event.model_dump() if isinstance(event, KnownEvent) else {}
    outcome = await call(
        state.pool,
        "payment_webhook",
        p_provider=provider,
        p_event_id=event.id,
        p_event_type=event.type,
        p_payment_id=_our_id(facts.get("payment_id")),
        p_refund_id=_our_id(facts.get("refund_id")),
        p_provider_payment_id=facts.get("provider_payment_id"),
        p_provider_refund_id=facts.get("provider_refund_id"),
        p_amount=facts.get("amount"),
        p_currency=facts.get("currency"),
        # The text as it was signed, not the parsed document: whatever it holds, it can be stored and proved.
        p_payload={
            "failure_code": _storable(facts.get("failure_code")),
            "signature": signature,
            "body": body.decode(),
        },
        p_context=context.as_parameter(),
    )
    return _rung(state, outcome)


def read_event(body: bytes) -> GatewayEvent:
    """The event in a body whose signature fits. Raises malformed_json, payload_too_large or validation_failed."""
    if len(body) > MAX_EVENT_BYTES:
        raise Refused("payload_too_large", limit=MAX_EVENT_BYTES)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused("malformed_json") from error
    if not isinstance(document, dict):
        raise Refused("malformed_json", "The body must be one JSON object.")
    known = any(document.get("type") == kind for kind in KNOWN_TYPES)
    model = KnownEvent if known else GatewayEvent
    try:
        return model.model_validate(document)
    except ValidationError as error:
        listed = [
            {"field": ".".join(map(str, item["loc"])), "reason": item["msg"], "kind": item["type"]}
            for item in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise Refused("validation_failed", errors=listed) from error


def _our_id(text: str | None) -> UUID | None:
    """Our id in an event, None when it names none; a reference that can't be ours becomes an id that nothing has."""
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return NO_ID


def _storable(text: str | None) -> str | None:
    return None if text is None else text.replace("\x00", "")


def _rung(state: CommandState, outcome: Outcome) -> Outcome:
    if outcome.position is not None:
        state.wake.ring()
    return outcome
