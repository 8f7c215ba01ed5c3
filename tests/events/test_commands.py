"""`kirana webhooks` and `kirana relay` as a person runs them, what the doctor says, and what the outbox waits for."""

import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from redis import Redis
from typer.testing import CliRunner

from app.cli import application
from app.commands.console import CommandFailed
from app.core.config import Settings, get_settings
from app.doctor.events import EVENTS
from app.doctor.examination import examine
from app.doctor.findings import Finding
from app.outbound.deliveries import Deliveries
from projections.consumers import consumer_positions
from projections.partitions import PARTITION_ROWS, passed, prune
from tests.events.conftest import due_now, events, until
from tests.events.test_streams import entries, relaying
from tests.support.builders import call, one
from tests.support.cli import kirana
from tests.support.databases import Database
from tests.support.processes import full_environment
from tests.support.receiver import Receiver

Connection = psycopg.Connection[Any]
Subscribe = Callable[..., UUID]


def said(database: Database, *arguments: str, fails: bool = False) -> str:
    """Run the command here, in a thread that may have a loop of its own: a process takes seconds to start."""
    variables = full_environment(database) | {"COLUMNS": "250"}
    with ThreadPoolExecutor(1) as thread, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        get_settings.cache_clear()
        run = CliRunner().invoke
        done = thread.submit(run, application(arguments[0]), list(arguments)).result()
    get_settings.cache_clear()
    if fails:
        assert isinstance(done.exception, CommandFailed), done.output
        return str(done.exception)
    assert done.exit_code == 0, done.exception
    return done.output


async def test_webhooks_on_the_command_line(
    database: Database, deliveries: Deliveries, owner: Connection, receiver: Receiver, subscribe: Subscribe
) -> None:
    webhook = subscribe(receiver.url, ["product.*"])
    first = events(owner, uuid.uuid4())
    receiver.answer = lambda came: (500, {}, b"")
    await deliveries.work()
    listed = said(database, "webhooks", "list")
    assert str(webhook) in listed
    assert "active" in listed
    assert "answered 500" in said(database, "webhooks", "deliveries", str(webhook)[-6:])
    assert "answered" not in said(database, "webhooks", "deliveries", str(webhook), "--status", "delivered")
    receiver.answer = lambda came: (204, {}, b"")
    due_now(owner)
    await deliveries.work()
    again = said(database, "webhooks", "replay", str(webhook), "--from", str(first - 1))
    assert f"goes on after {first - 1}: 1 positions to go through" in again
    await deliveries.work()
    assert receiver.positions == [first, first, first]
    assert one(owner, "SELECT count(*) FROM store.staff_actions WHERE action = 'replay_webhook'") == 1
    assert "begins at a position that the webhook is past" in said(
        database, "webhooks", "replay", str(webhook), "--from", "999999", fails=True
    )
    assert "is no webhook" in said(database, "webhooks", "deliveries", "zzz", fails=True)
    subscribe(receiver.url)
    assert "is the end of several ids" in said(database, "webhooks", "deliveries", "", fails=True)


async def test_the_relay_on_the_command_line(
    database: Database, settings: Settings, owner: Connection, redis: Redis
) -> None:
    assert "has never run" in said(database, "relay", "status")
    async with relaying(settings, from_start=True):
        last = events(owner, uuid.uuid4(), 5)
        await until(lambda: one(owner, "SELECT max(position) FROM store.event_relays") == last)
        running = said(database, "relay", "status")
        assert f"at {last}, 0 positions behind" in running
        assert "kirana-relay (backend" in running
        assert "a relay is running" in said(database, "relay", "reset", "--from", "0", fails=True)
    assert "nobody" in said(database, "relay", "status")
    assert "say where to begin" in said(database, "relay", "reset", fails=True)
    said(database, "relay", "reset", "--from", str(last - 2))
    assert entries(redis) == []
    async with relaying(settings):
        await until(lambda: [event["position"] for _, event in entries(redis)] == [last - 1, last])
    said(database, "relay", "reset", "--forget")
    assert redis.keys("*") == []
    assert one(owner, "SELECT count(*) FROM store.event_relays") == 0


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(settings) if finding.area == EVENTS}


def test_the_doctor_looks(
    settings: Settings, owner: Connection, command: Connection, subscribe: Subscribe, redis: Redis
) -> None:
    well = found(settings)
    assert {finding.state for finding in well.values()} == {"ok"}
    webhook = subscribe("https://shop.example/")
    name = f"webhook {webhook}"
    assert name not in found(settings)
    assert found(settings.model_copy(update={"webhook_encryption_keys": ()}))["webhook secrets"].state == "failed"
    events(owner, uuid.uuid4())
    owner.execute("UPDATE store.outbox SET created_at = now() - interval '20 minutes'")
    assert re.search(r"active, and 1,2\d\d s behind", found(settings)[name].seen)
    owner.execute("UPDATE store.webhook_subscribers SET failing_since = now() - interval '1 day'")
    assert "every attempt has failed since" in found(settings)[name].seen
    call(owner, "disable_webhook", p_webhook_id=webhook, p_reason="It is gone.")
    assert "disabled: It is gone." in found(settings)[name].seen
    call(command, "keep_relay_position", p_name="redis", p_position=0)
    assert found(settings)["relay"].state == "warning"
    assert re.search(r"at 0, 1,2\d\d s behind", found(settings)["relay"].seen)
    call(command, "keep_relay_position", p_name="redis", p_position=10)
    assert found(settings)["relay"].state == "ok"


def test_a_relays_position_goes_back_only_when_told_so(owner: Connection, command: Connection) -> None:
    for position, reset in ((5, False), (9, False), (7, False)):
        call(command, "keep_relay_position", p_name="redis", p_position=position, p_reset=reset)
    assert one(owner, "SELECT position FROM store.event_relays") == 9
    call(command, "keep_relay_position", p_name="redis", p_position=3, p_reset=True)
    assert one(owner, "SELECT position FROM store.event_relays") == 3
    assert call(command, "keep_relay_position", p_name="redis", p_position=None)["before"] == 3


def test_the_outbox_is_not_cut_before_whoever_still_reads(
    owner: Connection, command: Connection, subscribe: Subscribe
) -> None:
    """Projections are past it all; a subscriber's cursor, its pending events and the relay hold it, each in turn."""
    webhook = subscribe("https://shop.example/")
    low = events(owner, uuid.uuid4())
    owner.execute(f"ALTER SEQUENCE store.outbox_position_seq RESTART {PARTITION_ROWS + 5}")
    high = events(owner, uuid.uuid4())
    owner.execute(
        "INSERT INTO read.projection_checkpoints (projection, shard, generation, position)"
        " SELECT name, 0, 1, %s FROM read.projections ON CONFLICT (projection, shard) DO UPDATE SET position = %s",
        (high, high),
    )
    assert passed(owner) == low - 1, "not laid out yet"
    assert prune(owner, dry_run=True).dropped == []
    call(command, "enqueue_deliveries", p_until=high)
    assert passed(owner) == low - 1, "laid out, and pending"
    assert {(one.kind, one.position) for one in consumer_positions(owner)} == {
        ("projection", high),
        ("webhook", low - 1),
    }
    owner.execute("UPDATE store.webhook_deliveries SET status = 'delivered' WHERE position = %s", (low,))
    assert passed(owner) == high - 1
    assert prune(owner, dry_run=True).dropped == ["outbox_p00000"]
    call(command, "keep_relay_position", p_name="redis", p_position=low - 1)
    assert prune(owner, dry_run=True).dropped == []
    call(command, "keep_relay_position", p_name="redis", p_position=high)
    owner.execute("UPDATE store.webhook_deliveries SET status = 'pending'")
    owner.execute("UPDATE store.webhook_subscribers SET status = 'paused'")
    assert prune(owner, dry_run=True).dropped == [], "a paused one keeps its place"
    call(owner, "disable_webhook", p_webhook_id=webhook, p_reason="It is gone.")
    assert prune(owner, dry_run=True).dropped == ["outbox_p00000"]


def test_without_servers_it_is_one_line(tmp_path: Any) -> None:
    done = kirana("relay", "status", environment={"KIRANA_DATA_DIR": str(tmp_path)})
    assert done.returncode == 1
    assert "no PostgreSQL is running" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
