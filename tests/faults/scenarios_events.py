"""Scenarios of events out: subscribers, deliveries, the relay."""

import uuid
from typing import Any

from tests.faults.scenarios import Arguments, by_staff, scenario
from tests.support.builders import Connection, call, idempotent, one
from tests.support.projecting import announce

WEBHOOK = {
    "p_url": "https://shop.example/hooks",
    "p_description": "ERP",
    "p_types": ["*"],
    "p_topics": ["catalog", "orders", "operations"],
}


def a_subscriber(connection: Connection) -> tuple[Arguments, str]:
    """A member of staff and the webhook they made."""
    staff = by_staff(connection)
    made = call(connection, "create_webhook", **staff, **idempotent("webhook"), **WEBHOOK, p_secret="kept")
    return staff, made["id"]


def laid_out(connection: Connection, count: int = 2) -> tuple[Arguments, str]:
    """The same, with events of as many products laid out for it."""
    staff, webhook = a_subscriber(connection)
    for _ in range(count):
        last = announce(connection, uuid.uuid4())
    call(connection, "enqueue_deliveries", p_until=last)
    return staff, webhook


def attempts(connection: Connection, **how: Any) -> Arguments:
    """What finish_deliveries takes, of everything that can be claimed."""
    claimed = call(connection, "claim_deliveries")["deliveries"]
    said = {"delivered": False, "final": False, "duration_ms": 5} | how
    return {
        "p_results": [
            {name: found[name] for name in ("subscriber_id", "run", "position", "claim")} | said for found in claimed
        ]
    }


@scenario("create_webhook")
def a_webhook(connection: Connection) -> Arguments:
    return by_staff(connection) | idempotent("webhook") | WEBHOOK | {"p_secret": "kept"}


@scenario("update_webhook")
def a_webhook_goes_on(connection: Connection) -> Arguments:
    staff, webhook = laid_out(connection)
    call(connection, "finish_deliveries", **attempts(connection, status_code=500))
    return staff | WEBHOOK | {"p_webhook_id": webhook, "p_status": "active", "p_expected_version": 1}


@scenario("delete_webhook")
def a_webhook_ends(connection: Connection) -> Arguments:
    staff, webhook = laid_out(connection)
    return staff | {"p_webhook_id": webhook, "p_expected_version": 1}


@scenario("rotate_webhook_secret")
def another_secret(connection: Connection) -> Arguments:
    staff, webhook = a_subscriber(connection)
    more = {"p_secret": "another", "p_overlap_seconds": 60, "p_expected_version": 1}
    return staff | {"p_webhook_id": webhook} | more


@scenario("replay_webhook")
def all_again(connection: Connection) -> Arguments:
    staff, webhook = laid_out(connection)
    return staff | {"p_webhook_id": webhook, "p_from_position": 0}


@scenario("redeliver_webhook_event")
def one_event_again(connection: Connection) -> Arguments:
    staff, webhook = laid_out(connection)
    call(connection, "finish_deliveries", **attempts(connection, delivered=True, status_code=204))
    position = one(connection, "SELECT max(position) FROM store.webhook_deliveries")
    return staff | {"p_webhook_id": webhook, "p_position": position}


@scenario("ping_webhook")
def a_webhook_is_tried(connection: Connection) -> Arguments:
    staff, webhook = a_subscriber(connection)
    return staff | {"p_webhook_id": webhook}


@scenario("enqueue_deliveries")
def events_to_lay_out(connection: Connection) -> Arguments:
    a_subscriber(connection)
    return {"p_until": announce(connection, uuid.uuid4(), count=3)}


@scenario("claim_deliveries")
def events_to_claim(connection: Connection) -> Arguments:
    laid_out(connection)
    return {}


@scenario("finish_deliveries")
def a_receiver_comes_back(connection: Connection) -> Arguments:
    """After failures enough to count as away, one delivery arrives and another one waits."""
    laid_out(connection, 11)
    call(connection, "finish_deliveries", **attempts(connection, status_code=503, retry_after=0))
    connection.execute(
        "UPDATE store.webhook_deliveries SET next_attempt_at = CASE position WHEN (SELECT min(position) FROM"
        " store.webhook_deliveries) THEN now() ELSE now() + interval '1 day' END"
    )
    connection.execute("UPDATE store.webhook_subscribers SET resume_at = NULL")
    return attempts(connection, delivered=True, status_code=204)


@scenario("finish_deliveries")
def a_receiver_is_gone(connection: Connection) -> Arguments:
    laid_out(connection)
    return attempts(connection, final=True, status_code=410)


@scenario("finish_deliveries")
def a_receiver_fails_for_too_long(connection: Connection) -> Arguments:
    laid_out(connection)
    connection.execute("UPDATE store.webhook_subscribers SET failing_since = now() - interval '30 days'")
    return attempts(connection, error="ConnectError")


@scenario("purge_deliveries")
def an_old_log(connection: Connection) -> Arguments:
    laid_out(connection)
    call(connection, "finish_deliveries", **attempts(connection, delivered=True))
    connection.execute("UPDATE store.webhook_deliveries SET created_at = now() - interval '30 days'")
    staff = by_staff(connection)
    other = call(connection, "create_webhook", **staff, **idempotent("other"), **WEBHOOK, p_secret="kept")
    call(connection, "delete_webhook", **staff, p_webhook_id=other["id"], p_expected_version=1)
    return {}


@scenario("keep_relay_position")
def a_relay_moves_on(connection: Connection) -> Arguments:
    call(connection, "keep_relay_position", p_name="redis", p_position=3)
    return {"p_name": "redis", "p_position": 5}


@scenario("keep_relay_position")
def a_relay_is_forgotten(connection: Connection) -> Arguments:
    call(connection, "keep_relay_position", p_name="redis", p_position=3)
    return {"p_name": "redis", "p_position": None}
