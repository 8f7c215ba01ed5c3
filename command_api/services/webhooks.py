"""Subscribers of events, as staff keep them. Secrets pass through here in the clear, and nowhere else."""

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from app.core.errors import Refused
from app.core.http import RequestContext, request_hash
from app.events.catalogue import ENVELOPE_VERSION, PING
from app.events.sender import sender
from app.events.signing import Keyring, new_secret
from app.events.targets import Rules, TargetRefused, checked_target
from command_api.services.procedures import Outcome, call
from command_api.state import CommandState


async def create(
    state: CommandState, staff_id: UUID, key: str, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """The subscriber with its secret, once. Raises webhook_url_refused, webhook_limit, webhooks_unavailable."""
    keyring = Keyring(state.settings)
    kept = keyring.encrypt(new_secret())
    outcome = await call(
        state.pool,
        "create_webhook",
        p_staff_id=staff_id,
        p_idempotency_key=key,
        p_request_hash=request_hash(body),
        **await _definition(state, body),
        p_secret=kept,
        p_context=context.as_parameter(),
    )
    return _in_the_clear(keyring, outcome)


async def update(
    state: CommandState, staff_id: UUID, webhook_id: UUID, version: int, body: dict[str, Any], context: RequestContext
) -> Outcome:
    """The subscriber as it is now. Raises webhook_not_found, version_mismatch, webhook_url_refused."""
    return await call(
        state.pool,
        "update_webhook",
        p_staff_id=staff_id,
        p_webhook_id=webhook_id,
        **await _definition(state, body),
        p_status=body["status"],
        p_expected_version=version,
        p_context=context.as_parameter(),
    )


async def delete(
    state: CommandState, staff_id: UUID, webhook_id: UUID, version: int, context: RequestContext
) -> Outcome:
    """What the subscriber was. Raises webhook_not_found, version_mismatch."""
    return await call(
        state.pool,
        "delete_webhook",
        p_staff_id=staff_id,
        p_webhook_id=webhook_id,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )


async def rotate(
    state: CommandState, staff_id: UUID, webhook_id: UUID, version: int, overlap_seconds: int, context: RequestContext
) -> Outcome:
    """The subscriber with its new secret, once. Raises webhook_not_found, version_mismatch, webhooks_unavailable."""
    keyring = Keyring(state.settings)
    outcome = await call(
        state.pool,
        "rotate_webhook_secret",
        p_staff_id=staff_id,
        p_webhook_id=webhook_id,
        p_secret=keyring.encrypt(new_secret()),
        p_overlap_seconds=overlap_seconds,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
    return _in_the_clear(keyring, outcome)


async def replay(
    state: CommandState, staff_id: UUID, webhook_id: UUID, version: int, from_position: int, context: RequestContext
) -> Outcome:
    """The subscriber, back where it is to go on. Raises webhook_not_found, version_mismatch, invalid_value."""
    return await call(
        state.pool,
        "replay_webhook",
        p_staff_id=staff_id,
        p_webhook_id=webhook_id,
        p_from_position=from_position,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )


async def redeliver(
    state: CommandState, staff_id: UUID, webhook_id: UUID, position: int, context: RequestContext
) -> Outcome:
    """The delivery, pending again. Raises webhook_not_found, delivery_not_found, event_gone, webhook_state."""
    return await call(
        state.pool,
        "redeliver_webhook_event",
        p_staff_id=staff_id,
        p_webhook_id=webhook_id,
        p_position=position,
        p_context=context.as_parameter(),
    )


async def test(state: CommandState, staff_id: UUID, webhook_id: UUID, context: RequestContext) -> dict[str, Any]:
    """Send a ``webhook.ping`` now, once; how it went. Nothing is kept of it but the audit row."""
    outcome = await call(
        state.pool,
        "ping_webhook",
        p_staff_id=staff_id,
        p_webhook_id=webhook_id,
        p_context=context.as_parameter(),
    )
    found, keyring = outcome.result, Keyring(state.settings)
    in_use = [keyring.decrypt(kept) for kept in (found["secret"], found["previous_secret"]) if kept is not None]
    event = _ping(found["id"])
    async with sender(state.settings) as sending:
        attempt = await sending.send(found["url"], in_use, event["id"], orjson.dumps(event))
    return {
        "delivered": attempt.delivered,
        "status_code": attempt.status_code,
        "error": attempt.error,
        "body": attempt.body,
        "duration_ms": attempt.duration_ms,
        "event": event,
    }


def _ping(webhook_id: str) -> dict[str, Any]:
    """An event like any other, with no position: it is not in the outbox."""
    return {
        "version": ENVELOPE_VERSION,
        "id": f"evt_{secrets.token_hex(16)}",
        "type": PING,
        "occurred_at": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "topic": "operations",
        "subject": webhook_id,
        "aggregate": {"type": "webhook", "id": webhook_id, "version": 0},
        "position": 0,
        "data": {},
    }


async def _definition(state: CommandState, body: dict[str, Any]) -> dict[str, Any]:
    try:
        url = await checked_target(body["url"], Rules.of(state.settings))
    except TargetRefused as refused:
        raise Refused("webhook_url_refused", str(refused), field="url", reason=refused.reason) from refused
    return {
        "p_url": url,
        "p_description": body["description"],
        "p_types": body["types"],
        "p_topics": body["topics"],
    }


def _in_the_clear(keyring: Keyring, outcome: Outcome) -> Outcome:
    outcome.result["secret"] = keyring.decrypt(outcome.result["secret"])
    return outcome
