"""Webhooks as staff keep them: over HTTP, with every refusal, and with what is kept of each write."""

import uuid
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from redis import Redis
from standardwebhooks import Webhook, WebhookVerificationError

from app.core.config import Settings
from app.main import create_app
from app.outbound.deliveries import Deliveries
from tests.events.conftest import events, statuses, subscriber
from tests.support.api import bearer, serving
from tests.support.builders import make_staff, one, rows
from tests.support.databases import Database
from tests.support.receiver import Receiver

Connection = psycopg.Connection[Any]
PATH = "/v1/admin/webhooks"


class Staff:
    """Requests of one member of staff."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.client = client
        self.headers = headers

    async def send(
        self, method: str, path: str, status: int, body: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST" and path == PATH:
            sent.setdefault("Idempotency-Key", uuid.uuid4().hex)
        response = await self.client.request(method, path, json=body, headers=sent)
        assert response.status_code == status, response.text
        return response

    async def made(self, url: str, **body: Any) -> dict[str, Any]:
        document: dict[str, Any] = (await self.send("POST", PATH, 201, {"url": url, **body})).json()
        return document


@pytest.fixture
async def client(settings: Settings, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(create_app(settings)) as opened:
        yield opened


@pytest.fixture
def staff(client: httpx.AsyncClient, settings: Settings, owner: Connection) -> Staff:
    return Staff(client, bearer(settings, make_staff(owner), "owner"))


def etag(version: int) -> str:
    return f'"{version}"'


async def test_from_the_first_call_to_the_last(
    staff: Staff, deliveries: Deliveries, owner: Connection, receiver: Receiver
) -> None:
    """Made, tried, told, changed over to another secret, looked at, told again, paused, deleted."""
    made = await staff.made(receiver.url, description="ERP", types=["product.*"], topics=["catalog"])
    secret, path = made["secret"], f"{PATH}/{made['id']}"
    assert secret.startswith("whsec_")

    tried = (await staff.send("POST", f"{path}/test", 200)).json()
    assert (tried["delivered"], tried["status_code"]) == (True, 204)
    [ping] = receiver.received
    assert Webhook(secret).verify(ping.body, ping.headers)["type"] == "webhook.ping"
    assert ping.event == tried["event"]

    first = events(owner, uuid.uuid4())
    await deliveries.work()
    assert Webhook(secret).verify(receiver.received[1].body, receiver.received[1].headers)["position"] == first

    rotated = (
        await staff.send("POST", f"{path}/rotate-secret", 200, {"overlap_seconds": 3600}, If_Match=etag(1))
    ).json()
    assert rotated["secret"] not in {secret, ""}
    events(owner, uuid.uuid4())
    await deliveries.work()
    both = receiver.received[2]
    assert Webhook(secret).verify(both.body, both.headers) == Webhook(rotated["secret"]).verify(both.body, both.headers)
    owner.execute("UPDATE store.webhook_subscribers SET previous_secret_until = now() - interval '1 second'")
    third = events(owner, uuid.uuid4())
    await deliveries.work()
    newest = receiver.received[3]
    Webhook(rotated["secret"]).verify(newest.body, newest.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(newest.body, newest.headers)

    log = (await staff.send("GET", f"{path}/deliveries?limit=2", 200)).json()
    assert [one["event_position"] for one in log["items"]] == [third, third - 1]
    assert [one["event_id"] for one in log["items"]] == [event["id"] for event in reversed(receiver.events[2:])]
    assert log["items"][0] | {"status": "delivered", "last_status_code": 204, "attempts": 1} == log["items"][0]
    rest = (await staff.send("GET", f"{path}/deliveries?limit=2&cursor={log['next_cursor']}", 200)).json()
    assert [one["event_position"] for one in rest["items"]] == [first]
    assert rest["next_cursor"] is None

    await staff.send("POST", f"{path}/deliveries/{first}/redeliver", 202)
    await deliveries.work()
    assert receiver.positions[4:] == [first]
    replayed = (await staff.send("POST", f"{path}/replay", 200, {"from_position": first - 1}, If_Match=etag(2))).json()
    assert (replayed["event_position"], replayed["behind"]) == (first - 1, 3)
    await deliveries.work()
    assert sorted(receiver.positions[5:]) == [first, first + 1, third], "in no order: each is of another product"
    again = receiver.positions.index(first, 5)
    assert receiver.events[again]["id"] == receiver.events[1]["id"], "the same id"

    body = {"url": receiver.url, "types": ["*"], "status": "paused"}
    paused = await staff.send("PUT", path, 200, body, If_Match=etag(3))
    assert paused.headers["etag"] == etag(4)
    shown = await staff.send("GET", path, 200)
    assert shown.headers["etag"] == etag(4)
    assert (shown.json()["status"], shown.json()["pending"]) == ("paused", 0)
    assert "secret" not in shown.json()
    await staff.send("DELETE", path, 200, If_Match=etag(4))
    await staff.send("GET", path, 404)
    assert (await staff.send("GET", PATH, 200)).json()["items"] == []
    assert subscriber(owner, made["id"], "secret || coalesce(previous_secret, '')") == ""


async def test_what_is_written_is_audited_and_no_secret_is_kept(
    staff: Staff, owner: Connection, receiver: Receiver
) -> None:
    made = await staff.made(receiver.url)
    path = f"{PATH}/{made['id']}"
    rotated = (await staff.send("POST", f"{path}/rotate-secret", 200, {}, If_Match=etag(1))).json()
    await staff.send("PUT", path, 200, {"url": receiver.url, "types": ["order.*"]}, If_Match=etag(2))
    await staff.send("POST", f"{path}/replay", 200, {"from_position": 0}, If_Match=etag(3))
    await staff.send("POST", f"{path}/test", 200)
    await staff.send("DELETE", path, 200, If_Match=etag(4))
    actions = rows(
        owner,
        "SELECT action, permission, before ->> 'types', after ->> 'types' FROM store.staff_actions"
        " WHERE subject_type = 'webhook' AND subject_id = %s ORDER BY id",
        made["id"],
    )
    assert [action[0] for action in actions] == [
        *("create_webhook", "rotate_webhook_secret", "update_webhook", "replay_webhook", "ping_webhook"),
        "delete_webhook",
    ]
    assert {action[1] for action in actions} == {"webhooks.write"}
    assert actions[2][2:] == ('["*"]', '["order.*"]')
    for table in ("webhook_subscribers", "staff_actions", "idempotency_keys", "outbox", "webhook_deliveries"):
        kept = one(owner, f"SELECT coalesce(string_agg(t::text, ' '), '') FROM store.{table} AS t")
        for secret in (made["secret"], rotated["secret"]):
            assert secret.removeprefix("whsec_") not in kept, table


async def test_the_same_key_makes_one_webhook_and_shows_its_secret_again(
    staff: Staff, owner: Connection, receiver: Receiver
) -> None:
    key = {"Idempotency_Key": uuid.uuid4().hex}
    first = await staff.send("POST", PATH, 201, {"url": receiver.url}, **key)
    second = await staff.send("POST", PATH, 201, {"url": receiver.url}, **key)
    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert one(owner, "SELECT count(*) FROM store.webhook_subscribers") == 1
    other = await staff.send("POST", PATH, 422, {"url": receiver.url, "types": ["order.*"]}, **key)
    assert other.json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://10.0.0.1/", "address_not_public"),
        ("https://169.254.169.254/latest/", "address_not_public"),
        ("https://[::ffff:10.0.0.1]/", "address_not_public"),
        ("https://2130706433/", "host_not_public"),
        ("https://localhost./", "host_not_public"),
        ("https://user:pw@shop.example/", "userinfo"),
        ("https://no-such-host.invalid/", "name_not_found"),
        ("ftp://shop.example/", "not_a_url"),
    ],
)
async def test_where_nothing_is_sent(
    staff: Staff, owner: Connection, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    if "localhost" in url:
        monkeypatch.setattr("command_api.services.webhooks.Rules.of", lambda _: _strict())
    refused = (await staff.send("POST", PATH, 422, {"url": url})).json()
    assert (refused["code"], refused["reason"], refused["field"]) == ("webhook_url_refused", reason, "url")
    assert one(owner, "SELECT count(*) FROM store.webhook_subscribers") == 0


def _strict() -> Any:
    from app.events.targets import Rules

    return Rules(insecure=True)


async def test_a_change_of_address_is_judged_too(staff: Staff, receiver: Receiver) -> None:
    made = await staff.made(receiver.url)
    body = {"url": "http://192.168.0.1/"}
    refused = await staff.send("PUT", f"{PATH}/{made['id']}", 422, body, If_Match=etag(1))
    assert refused.json()["code"] == "webhook_url_refused"


@pytest.mark.parametrize(
    "body",
    [
        {"url": "https://8.8.8.8/", "types": []},
        {"url": "https://8.8.8.8/", "types": ["order.creatd"]},
        {"url": "https://8.8.8.8/", "types": ["*.created"]},
        {"url": "https://8.8.8.8/", "topics": ["carts"]},
        {"url": "https://8.8.8.8/", "status": "active"},
        {"url": "https://8.8.8.8/\n"},
        {"types": ["*"]},
    ],
)
async def test_what_makes_no_sense(staff: Staff, body: dict[str, Any]) -> None:
    assert (await staff.send("POST", PATH, 422, body)).json()["code"] == "validation_failed"


async def test_only_who_may(
    client: httpx.AsyncClient, settings: Settings, owner: Connection, staff: Staff, receiver: Receiver
) -> None:
    made = await staff.made(receiver.url)
    path = f"{PATH}/{made['id']}"
    reader = Staff(client, bearer(settings, make_staff(owner, "read_only"), "read_only"))
    stranger = Staff(client, bearer(settings, make_staff(owner, "catalog"), "catalog"))
    assert (await reader.send("GET", path, 200)).json()["id"] == made["id"]
    await stranger.send("GET", path, 403)
    for who in (reader, stranger):
        for method, where, body in (
            ("POST", PATH, {"url": receiver.url}),
            ("PUT", path, {"url": receiver.url}),
            ("DELETE", path, None),
            ("POST", f"{path}/rotate-secret", {}),
            ("POST", f"{path}/replay", {"from_position": 0}),
            ("POST", f"{path}/deliveries/1/redeliver", None),
            ("POST", f"{path}/test", None),
        ):
            refused = await who.send(method, where, 403, body, If_Match=etag(1))
            assert refused.json()["permission"] == "webhooks.write"
    assert receiver.received == []


async def test_versions_and_ids_are_asked_for(staff: Staff, owner: Connection, receiver: Receiver) -> None:
    made = await staff.made(receiver.url)
    path, nowhere = f"{PATH}/{made['id']}", f"{PATH}/{uuid.uuid4()}"
    for method, ending, body in (
        ("PUT", "", {"url": receiver.url}),
        ("DELETE", "", None),
        ("POST", "/rotate-secret", {}),
        ("POST", "/replay", {"from_position": 0}),
    ):
        assert (await staff.send(method, path + ending, 428, body)).json()["code"] == "precondition_required"
        assert (await staff.send(method, path + ending, 412, body, If_Match=etag(9))).json()["version"] == 1
        missing = await staff.send(method, nowhere + ending, 404, body, If_Match=etag(1))
        assert missing.json()["code"] == "webhook_not_found"
    for ending in ("/test", "/deliveries/1/redeliver"):
        assert (await staff.send("POST", nowhere + ending, 404)).json()["code"] == "webhook_not_found"
    assert (await staff.send("GET", f"{nowhere}/deliveries", 404)).json()["code"] == "webhook_not_found"
    ahead = await staff.send("POST", f"{path}/replay", 422, {"from_position": 10**6}, If_Match=etag(1))
    assert (ahead.json()["code"], ahead.json()["reason"]) == ("invalid_value", "out_of_range")
    no_log = await staff.send("POST", f"{path}/deliveries/7/redeliver", 404)
    assert no_log.json()["code"] == "delivery_not_found"


async def test_what_can_not_be_told_again(
    staff: Staff, deliveries: Deliveries, owner: Connection, receiver: Receiver
) -> None:
    made = await staff.made(receiver.url)
    position = events(owner, uuid.uuid4())
    await deliveries.work()
    again = f"{PATH}/{made['id']}/deliveries/{position}/redeliver"
    owner.execute("UPDATE store.webhook_subscribers SET status = 'paused'")
    assert (await staff.send("POST", again, 409)).json()["code"] == "webhook_state"
    owner.execute("UPDATE store.webhook_subscribers SET status = 'active'")
    owner.execute("DELETE FROM store.outbox")
    assert (await staff.send("POST", again, 409)).json()["code"] == "event_gone"


async def test_there_is_an_end_to_their_number(staff: Staff, owner: Connection, receiver: Receiver) -> None:
    made = await staff.made(receiver.url)
    owner.execute(
        "INSERT INTO store.webhook_subscribers (url, types, topics, secret, position, created_by)"
        " SELECT s.url, s.types, s.topics, s.secret, 0, s.created_by FROM store.webhook_subscribers s,"
        " generate_series(1, 99)"
    )
    refused = (await staff.send("POST", PATH, 409, {"url": receiver.url})).json()
    assert (refused["code"], refused["limit"]) == ("webhook_limit", 100)
    await staff.send("DELETE", f"{PATH}/{made['id']}", 200, If_Match=etag(1))
    await staff.made(receiver.url)
    first = (await staff.send("GET", f"{PATH}?limit=60", 200)).json()
    second = (await staff.send("GET", f"{PATH}?limit=60&cursor={first['next_cursor']}", 200)).json()
    ids = [one["id"] for one in first["items"] + second["items"]]
    assert len(ids) == len(set(ids)) == 100


async def test_a_disabled_one_is_made_active_again_and_goes_on_where_it_was(
    staff: Staff, deliveries: Deliveries, owner: Connection, receiver: Receiver
) -> None:
    made = await staff.made(receiver.url)
    receiver.answer = lambda came: (410, {}, b"")
    gone = events(owner, uuid.uuid4())
    await deliveries.work()
    shown = (await staff.send("GET", f"{PATH}/{made['id']}", 200)).json()
    assert (shown["status"], shown["version"]) == ("disabled", 2)
    assert "410" in shown["disabled_reason"]
    missed = events(owner, uuid.uuid4(), 2)
    receiver.answer = lambda came: (204, {}, b"")
    body = {"url": receiver.url, "types": ["product.*"], "status": "active"}
    again = (await staff.send("PUT", f"{PATH}/{made['id']}", 200, body, If_Match=etag(2))).json()
    assert (again["status"], again["disabled_reason"]) == ("active", None)
    await deliveries.work()
    assert receiver.positions == [gone, missed - 1, missed]
    assert statuses(owner, UUID(made["id"])) == {"failed": 1, "delivered": 2}


async def test_without_a_key_nothing_is_made(
    database: Database, owner: Connection, redis: Redis, receiver: Receiver
) -> None:
    bare = database.settings.model_copy(
        update={"webhook_encryption_keys": (), "webhook_allowed_networks": ("127.0.0.0/8",)}
    )
    async with serving(create_app(bare)) as client:
        member = Staff(client, bearer(bare, make_staff(owner), "owner"))
        refused = (await member.send("POST", PATH, 503, {"url": receiver.url})).json()
    assert refused["code"] == "webhooks_unavailable"


async def test_a_test_says_what_is_wrong(staff: Staff, owner: Connection, receiver: Receiver) -> None:
    made = await staff.made(receiver.url)
    receiver.answer = lambda came: (302, {"Location": "http://169.254.169.254/"}, b"over there")
    tried = (await staff.send("POST", f"{PATH}/{made['id']}/test", 200)).json()
    assert (tried["delivered"], tried["status_code"], tried["body"]) == (False, 302, "over there")
    assert len(receiver.received) == 1
    owner.execute("UPDATE store.webhook_subscribers SET url = 'http://127.0.0.1:1024/'")
    tried = (await staff.send("POST", f"{PATH}/{made['id']}/test", 200)).json()
    assert (tried["delivered"], tried["status_code"]) == (False, None)
    assert tried["error"].startswith("ConnectError")
    assert one(owner, "SELECT count(*) FROM store.webhook_deliveries") == 0
