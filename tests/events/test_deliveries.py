"""Telling subscribers: who is told what, in which order, when again, and when no more."""

import asyncio
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb
from standardwebhooks import Webhook

from app.core.config import Settings
from app.outbound.deliveries import Deliveries, Pace
from tests.events.conftest import SECRET, delivering, due_now, events, statuses, subscriber, until
from tests.support.builders import call, one, rows
from tests.support.databases import Database
from tests.support.receiver import Received, Receiver

Connection = psycopg.Connection[Any]
Subscribe = Callable[..., UUID]


async def test_an_event_arrives_signed_under_its_own_id(
    deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    webhook, product = subscribe(receiver.url), uuid.uuid4()
    position = events(owner, product)
    assert await deliveries.work() == 1
    [came] = receiver.received
    assert came.path == "/hooks"
    assert came.headers["content-type"] == "application/json"
    assert Webhook(SECRET).verify(came.body, came.headers) == came.event
    event = came.event
    assert event["id"] == came.headers["webhook-id"]
    assert (event["type"], event["topic"], event["subject"]) == ("product.saved", "catalog", str(product))
    assert event["position"] == position
    assert event["aggregate"] == {"type": "product", "id": str(product), "version": 1}
    assert statuses(owner, webhook) == {"delivered": 1}
    assert await deliveries.work() == 0, "once is enough"


async def test_nothing_of_before_and_everything_of_after(
    deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    product = uuid.uuid4()
    events(owner, product, 3)
    subscribe(receiver.url)
    last = events(owner, product, 5)
    await deliveries.work()
    assert receiver.positions == list(range(last - 4, last + 1))


async def test_types_and_topics_choose(
    deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    wanted = {
        "/all": (["*"], None),
        "/orders": (["order.*"], None),
        "/created": (["order.created", "product.saved"], None),
        "/topic": (["*"], ["orders"]),
        "/neither": (["order.*"], ["catalog"]),
    }
    for path, (types, topics) in wanted.items():
        subscribe(receiver.url.replace("/hooks", path), types, topics)
    for topic, aggregate, kind in (
        ("orders", "order", "order.created"),
        ("orders", "order", "order.expired"),
        ("orders", "order", "payment.captured"),
        ("catalog", "product", "product.saved"),
    ):
        owner.execute(
            "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type)"
            " VALUES (%s, uuidv7(), %s, uuidv7(), 1, %s)",
            (topic, aggregate, kind),
        )
    await deliveries.work()
    came = {path: {one.event["type"] for one in receiver.received if one.path == path} for path in wanted}
    everything = {"order.created", "order.expired", "payment.captured", "product.saved"}
    assert came == {
        "/all": everything,
        "/orders": {"order.created", "order.expired"},
        "/created": {"order.created", "product.saved"},
        "/topic": everything - {"product.saved"},
        "/neither": set(),
    }


async def test_a_failed_event_holds_up_its_own_aggregate_only(
    deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    webhook, sick, well = subscribe(receiver.url), uuid.uuid4(), uuid.uuid4()
    first = events(owner, sick)
    events(owner, well, 2)
    events(owner, sick, 2)
    receiver.answer = lambda came: (500, {}, b"no") if came.event["position"] == first else (204, {}, b"")
    await deliveries.work()
    assert sorted(e["subject"] for e in receiver.events) == sorted([str(sick), str(well), str(well)])
    due_now(owner)
    await deliveries.work()
    assert receiver.positions.count(first) == 2, "tried again, and nothing of its aggregate before it"
    assert statuses(owner, webhook) == {"pending": 3, "delivered": 2}
    ids = {event["id"] for event in receiver.events if event["position"] == first}
    assert len(ids) == 1, "the same id at every try"
    receiver.answer = lambda came: (200, {}, b"")
    due_now(owner)
    await deliveries.work()
    mine = [event["position"] for event in receiver.events if event["subject"] == str(sick)]
    assert mine == [first, first, first, first + 3, first + 4]
    assert statuses(owner, webhook) == {"delivered": 5}


async def test_the_log_says_what_came_back(
    deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    webhook = subscribe(receiver.url)
    events(owner, uuid.uuid4())
    receiver.answer = lambda came: (422, {}, b"\0no\xff" + b"x" * 5000)
    await deliveries.work()
    [(code, error, body, duration, attempts)] = rows(
        owner,
        "SELECT last_status_code, last_error, last_body, last_duration_ms, attempts FROM store.webhook_deliveries"
        " WHERE subscriber_id = %s",
        webhook,
    )
    assert (code, error, attempts) == (422, "answered 422", 1)
    assert body.startswith("\ufffdno\ufffdxxx")
    assert len(body) == 1000
    assert duration >= 0


@pytest.mark.parametrize(
    ("attempts", "step"), [(1, 5), (2, 300), (3, 1800), (4, 7200), (5, 18000), (6, 36000), (9, 86400), (11, 86400)]
)
def test_the_next_try_is_put_off_with_full_jitter(
    owner: Connection, command: Connection, subscribe: Subscribe, attempts: int, step: int
) -> None:
    webhook = subscribe("https://shop.example/")
    waits = []
    for _ in range(12):
        events(owner, uuid.uuid4())
    call(command, "enqueue_deliveries", p_until=one(owner, "SELECT max(position) FROM store.outbox"))
    owner.execute("UPDATE store.webhook_deliveries SET attempts = %s", (attempts - 1,))
    claimed = call(command, "claim_deliveries", p_per_subscriber=20)["deliveries"]
    assert len(claimed) == 12
    finish(command, claimed, delivered=False, status_code=500)
    for (seconds,) in rows(
        owner,
        "SELECT extract(epoch FROM next_attempt_at - now())::float FROM store.webhook_deliveries"
        " WHERE subscriber_id = %s AND status = 'pending'",
        webhook,
    ):
        waits.append(seconds)
        assert seconds <= max(1, step)
    assert len(waits) == 12
    assert max(waits) - min(waits) > step / 20, "not all at once"
    assert max(waits) > step / 4


def finish(command: Connection, claimed: list[dict[str, Any]], **how: object) -> dict[str, Any]:
    results = [
        {name: one[name] for name in ("subscriber_id", "run", "position", "claim")}
        | {"delivered": True, "final": False, "duration_ms": 1}
        | how
        for one in claimed
    ]
    more = {"p_disable_after_seconds": how["disable_after"]} if "disable_after" in how else {}
    return call(command, "finish_deliveries", p_results=results, **more)


def lay_out(owner: Connection, command: Connection, count: int = 1, **limits: object) -> list[dict[str, Any]]:
    """Events of so many aggregates, laid out and claimed."""
    for _ in range(count):
        events(owner, uuid.uuid4())
    call(command, "enqueue_deliveries", p_until=one(owner, "SELECT max(position) FROM store.outbox"))
    claimed: list[dict[str, Any]] = call(command, "claim_deliveries", **limits)["deliveries"]
    return claimed


def test_after_the_last_attempt_an_event_is_given_up_and_the_next_one_goes(
    owner: Connection, command: Connection, subscribe: Subscribe
) -> None:
    webhook, product = subscribe("https://shop.example/"), uuid.uuid4()
    last = events(owner, product, 2)
    call(command, "enqueue_deliveries", p_until=last)
    owner.execute("UPDATE store.webhook_deliveries SET attempts = 11 WHERE position = %s", (last - 1,))
    claimed = call(command, "claim_deliveries")["deliveries"]
    assert [one["position"] for one in claimed] == [last - 1]
    assert finish(command, claimed, delivered=False, status_code=500)["given_up"] == 1
    assert statuses(owner, webhook) == {"failed": 1, "pending": 1}
    assert [one["position"] for one in call(command, "claim_deliveries")["deliveries"]] == [last]


def test_a_claim_is_a_lease(owner: Connection, command: Connection, subscribe: Subscribe) -> None:
    """Who claims and dies leaves it to the next; who claims and dawdles changes nothing any more."""
    webhook = subscribe("https://shop.example/")
    [first] = lay_out(owner, command, 1, p_lease_seconds=60)
    assert call(command, "claim_deliveries")["deliveries"] == []
    due_now(owner)
    [second] = call(command, "claim_deliveries")["deliveries"]
    assert second["position"] == first["position"]
    assert second["claim"] != first["claim"]
    assert second["attempts"] == 2
    assert finish(command, [first])["finished"] == 0, "the dawdler's answer counts for nothing"
    assert statuses(owner, webhook) == {"pending": 1}
    assert finish(command, [second])["finished"] == 1
    assert statuses(owner, webhook) == {"delivered": 1}


def test_one_receiver_takes_so_many_at_once(owner: Connection, command: Connection, subscribe: Subscribe) -> None:
    subscribe("https://shop.example/")
    assert len(lay_out(owner, command, 10, p_per_subscriber=4)) == 4
    assert call(command, "claim_deliveries", p_per_subscriber=4)["deliveries"] == [], "whoever asks"
    assert len(call(command, "claim_deliveries", p_per_subscriber=6)["deliveries"]) == 2


def test_a_receiver_that_only_fails_is_asked_one_at_a_time_until_it_is_back(
    owner: Connection, command: Connection, subscribe: Subscribe
) -> None:
    webhook = subscribe("https://shop.example/")
    failed = lay_out(owner, command, 20, p_per_subscriber=10)
    finish(command, failed, delivered=False, status_code=500)
    assert subscriber(owner, webhook, "consecutive_failures") == 10
    [probe] = call(command, "claim_deliveries", p_per_subscriber=10)["deliveries"]
    assert call(command, "claim_deliveries", p_per_subscriber=10)["deliveries"] == []
    owner.execute(
        "UPDATE store.webhook_deliveries SET next_attempt_at = now() + interval '9 hours' WHERE claim IS NULL"
    )
    finish(command, [probe])
    assert subscriber(owner, webhook, "consecutive_failures") == 0
    latest = one(owner, "SELECT max(next_attempt_at) - now() FROM store.webhook_deliveries WHERE status = 'pending'")
    assert latest <= timedelta(seconds=60), "what waited for hours is due soon"


def test_a_receiver_that_takes_nothing_has_a_bounded_heap(
    owner: Connection, command: Connection, subscribe: Subscribe
) -> None:
    webhook = subscribe("https://shop.example/")
    last = events(owner, uuid.uuid4(), 25)
    said = [call(command, "enqueue_deliveries", p_until=last, p_most_pending=10) for _ in range(3)]
    assert [one["enqueued"] for one in said] == [10, 0, 0]
    assert said[-1]["behind"] == 1
    owner.execute("UPDATE store.webhook_deliveries SET status = 'delivered'")
    assert call(command, "enqueue_deliveries", p_until=last, p_most_pending=10)["enqueued"] == 10
    owner.execute("UPDATE store.webhook_deliveries SET status = 'delivered'")
    assert call(command, "enqueue_deliveries", p_until=last, p_most_pending=10) == {"enqueued": 5, "behind": 0}
    assert subscriber(owner, webhook, "position") == last
    assert statuses(owner, webhook) == {"delivered": 20, "pending": 5}


async def test_gone_is_the_end(
    deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    webhook = subscribe(receiver.url)
    other = subscribe(receiver.url.replace("/hooks", "/watch"), ["webhook.*"])
    receiver.answer = lambda came: (410, {}, b"") if came.path == "/hooks" else (204, {}, b"")
    events(owner, uuid.uuid4())
    await deliveries.work()
    assert subscriber(owner, webhook, "status") == "disabled"
    assert "410" in subscriber(owner, webhook, "disabled_reason")
    events(owner, uuid.uuid4())
    await deliveries.work()
    assert len([one for one in receiver.received if one.path == "/hooks"]) == 1
    [told] = [one.event for one in receiver.received if one.path == "/watch"]
    assert (told["type"], told["topic"], told["subject"]) == ("webhook.disabled", "operations", str(webhook))
    assert subscriber(owner, other, "status") == "active"


@pytest.mark.parametrize(("days", "status"), [(4, "active"), (6, "disabled")])
def test_days_of_nothing_but_failures_disable(
    owner: Connection, command: Connection, subscribe: Subscribe, days: int, status: str
) -> None:
    webhook = subscribe("https://shop.example/")
    claimed = lay_out(owner, command, 2)
    finish(command, claimed[:1], delivered=False, error="ConnectError")
    assert subscriber(owner, webhook, "failing_since") is not None
    owner.execute("UPDATE store.webhook_subscribers SET failing_since = now() - make_interval(days => %s)", (days,))
    finish(command, claimed[1:], delivered=False, error="ConnectError")
    assert subscriber(owner, webhook, "status") == status
    if status == "disabled":
        assert subscriber(owner, webhook, "disabled_reason").startswith("Every attempt has failed since 20")
        assert one(owner, "SELECT count(*) FROM store.outbox WHERE type = 'webhook.disabled'") == 1


def test_one_success_ends_a_row_of_failures(owner: Connection, command: Connection, subscribe: Subscribe) -> None:
    webhook = subscribe("https://shop.example/")
    claimed = lay_out(owner, command, 3)
    finish(command, claimed[:1], delivered=False)
    owner.execute("UPDATE store.webhook_subscribers SET failing_since = now() - interval '30 days'")
    finish(command, claimed[1:2])
    assert subscriber(owner, webhook, "failing_since") is None
    finish(command, claimed[2:], delivered=False)
    assert subscriber(owner, webhook, "status") == "active"


@pytest.mark.parametrize("code", [429, 503])
async def test_retry_after_is_kept_to(
    deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe, code: int
) -> None:
    webhook = subscribe(receiver.url)
    receiver.answer = lambda came: (code, {"Retry-After": "3600"}, b"")
    events(owner, uuid.uuid4())
    await deliveries.work()
    wait = one(owner, "SELECT next_attempt_at - now() FROM store.webhook_deliveries")
    assert timedelta(minutes=59) < wait <= timedelta(hours=1)
    assert timedelta(minutes=59) < subscriber(owner, webhook, "resume_at - now()") <= timedelta(hours=1)
    events(owner, uuid.uuid4())
    assert await deliveries.work() == 0, "it asked to be left alone"
    assert len(receiver.received) == 1


async def test_redirects_are_not_followed(
    deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    webhook = subscribe(receiver.url)
    receiver.answer = lambda came: (307, {"Location": receiver.url.replace("/hooks", "/inside")}, b"")
    events(owner, uuid.uuid4())
    await deliveries.work()
    assert [one.path for one in receiver.received] == ["/hooks"]
    assert statuses(owner, webhook) == {"pending": 1}
    assert one(owner, "SELECT last_status_code FROM store.webhook_deliveries") == 307


async def test_what_was_saved_when_it_was_allowed_is_judged_again(
    database: Database, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    webhook = subscribe(receiver.url)
    events(owner, uuid.uuid4())
    async with delivering(database.settings) as strict:
        await strict.work()
    assert receiver.received == []
    assert one(owner, "SELECT last_error FROM store.webhook_deliveries") == (
        "refused: 127.0.0.1 is not a public address."
    )
    assert statuses(owner, webhook) == {"pending": 1}


async def test_a_body_without_end_and_an_answer_that_never_comes(
    settings: Settings, owner: Connection, receiver: Receiver, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.events.sender.WHOLE_SECONDS", 0.5)
    webhook = subscribe(receiver.url)
    slow = subscribe(receiver.url.replace("/hooks", "/slow"))

    def answer(came: Received) -> tuple[int, dict[str, str], bytes]:
        if came.path == "/slow":
            time.sleep(1.5)
        return 200, {}, b"y" * 5_000_000

    receiver.answer = answer
    events(owner, uuid.uuid4())
    async with delivering(settings) as deliveries:
        began = time.monotonic()
        await deliveries.work()
        assert time.monotonic() - began < 1.4
    assert statuses(owner, webhook) == {"delivered": 1}
    assert len(one(owner, "SELECT last_body FROM store.webhook_deliveries WHERE subscriber_id = %s", webhook)) == 1000
    assert statuses(owner, slow) == {"pending": 1}
    assert "no answer" in one(owner, "SELECT last_error FROM store.webhook_deliveries WHERE subscriber_id = %s", slow)


async def test_a_paused_one_keeps_its_place(
    deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    webhook = subscribe(receiver.url)
    owner.execute("UPDATE store.webhook_subscribers SET status = 'paused'")
    last = events(owner, uuid.uuid4(), 3)
    assert await deliveries.work() == 0
    owner.execute("UPDATE store.webhook_subscribers SET status = 'active'")
    await deliveries.work()
    assert receiver.positions == [last - 2, last - 1, last]
    assert statuses(owner, webhook) == {"delivered": 3}


def test_an_event_that_the_outbox_lost_is_given_up(
    owner: Connection, command: Connection, subscribe: Subscribe
) -> None:
    subscribe("https://shop.example/")
    last = events(owner, uuid.uuid4())
    call(command, "enqueue_deliveries", p_until=last)
    owner.execute("DELETE FROM store.outbox")
    [claimed] = call(command, "claim_deliveries")["deliveries"]
    assert claimed["event"] is None


def test_the_log_goes_after_two_weeks_and_with_its_webhook(
    owner: Connection, command: Connection, subscribe: Subscribe
) -> None:
    kept, deleted = subscribe("https://shop.example/"), subscribe("https://other.example/")
    finish(command, lay_out(owner, command, 3))
    events(owner, uuid.uuid4())
    call(command, "enqueue_deliveries", p_until=one(owner, "SELECT max(position) FROM store.outbox"))
    assert call(command, "purge_deliveries") == {"purged": 0}
    owner.execute("UPDATE store.webhook_deliveries SET created_at = now() - interval '15 days' WHERE position = 1")
    assert call(command, "purge_deliveries") == {"purged": 2}
    call(
        command,
        "delete_webhook",
        p_staff_id=subscriber(owner, deleted, "created_by"),
        p_webhook_id=deleted,
        p_expected_version=1,
    )
    while call(command, "purge_deliveries", p_limit=2)["purged"]:
        pass
    assert subscriber(owner, deleted, "id") is None
    assert statuses(owner, kept) == {"delivered": 2, "pending": 1}
    owner.execute("UPDATE store.webhook_deliveries SET created_at = now() - interval '15 days'")
    call(command, "purge_deliveries")
    assert statuses(owner, kept) == {"pending": 1}, "what is to be told stays, however old"


async def test_it_runs_until_told_to_stop(
    settings: Settings, database: Database, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    """The loops as the worker runs them, twice at once, with a gap that an open transaction keeps."""
    subscribe(receiver.url)
    stop = asyncio.Event()

    async def again_and_again(one: Deliveries) -> None:
        while not stop.is_set():
            await one.work(stop.is_set)
            await asyncio.sleep(0.02)

    async with delivering(settings) as first, delivering(settings) as second:
        running = asyncio.gather(again_and_again(first), again_and_again(second))
        with database.connect("owner", autocommit=False) as open_one:
            products = [uuid.uuid4() for _ in range(5)]
            late = events(open_one, products[0])
            for _ in range(4):
                for product in products:
                    events(owner, product)
            await asyncio.sleep(0.4)
            assert receiver.received == [], "nothing is told before an earlier position is decided"
            open_one.commit()
        await until(lambda: len(receiver.received) == 21)
        stop.set()
        await running
        await asyncio.gather(first.finish(5), second.finish(5))
    assert sorted(receiver.positions) == list(range(late, late + 21))
    for product in products:
        mine = [event["position"] for event in receiver.events if event["subject"] == str(product)]
        assert mine == sorted(mine)
    assert one(owner, "SELECT count(*) FROM store.webhook_deliveries WHERE claim IS NOT NULL") == 0


def test_ids_are_the_events_own() -> None:
    from app.events.envelope import envelope, event_id

    row = {
        "position": 7,
        "topic": "orders",
        "view_key": str(uuid.uuid4()),
        "aggregate_type": "order",
        "aggregate_id": str(uuid.uuid4()),
        "aggregate_version": 2,
        "type": "order.created",
        "payload": {"status": "confirmed"},
        "created_at": "2026-11-23T12:30:00.5+05:30",
    }
    utc = row | {"created_at": datetime(2026, 11, 23, 7, 0, 0, 500_000, UTC)}
    assert envelope(row) == envelope(utc), "the same bytes in whatever form the row is read"
    assert event_id(row) != event_id(row | {"created_at": "2026-11-23T12:30:01+05:30"})
    assert "." not in event_id(row)


def test_no_results_are_none(command: Connection) -> None:
    assert call(command, "finish_deliveries", p_results=Jsonb([])) == {"finished": 0, "given_up": 0, "position": None}


def test_pace_defaults_outlast_an_attempt() -> None:
    from app.events.sender import WHOLE_SECONDS

    assert Pace().lease_seconds > 2 * WHOLE_SECONDS
