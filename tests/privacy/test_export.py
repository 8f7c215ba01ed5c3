"""GET /v1/me/export and `kirana privacy`: all that is kept, in one document, however much it is."""

import asyncio
import uuid
from typing import Any

import orjson
import psycopg
import pytest
from redis import Redis

from app.core.security import sha256
from app.main import create_app
from app.utils import customer_data
from command_api.services.revocations import key_of
from query_api.schemas.admin_staff import CustomerData
from tests.support.api import bearer, serving
from tests.support.builders import call, idempotent, make_product, make_staff, make_user, one, rows
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database
from tests.support.paying import deliver, give_back, paid_order, tell_refund

Connection = psycopg.Connection[Any]
PHONE = "+919876543210"


@pytest.fixture
def shopper(owner: Connection) -> uuid.UUID:
    """Somebody with a little of everything."""
    user = make_user(owner, phone=PHONE)
    owner.execute("UPDATE store.users SET full_name = 'Kaveri', email = 'k@example.in' WHERE id = %s", (user,))
    product = make_product(owner, "KETTLE", stock=9)
    order = paid_order(owner, (product, 2), user_id=user)
    deliver(owner, order)
    line = {"sku": "KETTLE", "quantity": 1}
    refund = give_back(owner, order, user, p_as_staff=False, p_lines=[line], p_reason="too small")
    tell_refund(owner, refund)
    owner.execute("INSERT INTO store.wishlists (user_id, product_id) VALUES (%s, %s)", (user, product.product_id))
    owner.execute(
        "INSERT INTO store.product_reviews (product_id, user_id, rating, title) VALUES (%s, %s, 4, 'Hot')",
        (product.product_id, user),
    )
    send = {"p_phone": PHONE, "p_purpose": "login", "p_code_hash": sha256("1")}
    call(owner, "send_otp", p_ip="203.0.113.1", **send)
    call(owner, "verify_otp", p_refresh_token_hash=sha256("2"), p_user_agent="curl", **send)
    call(owner, "add_to_cart", p_user_id=user, p_sku="KETTLE", p_quantity=1)
    paid_order(owner, (product, 1))  # somebody else's
    return user


async def exported(database: Database, user: uuid.UUID) -> dict[str, Any]:
    async with serving(create_app(database.settings)) as client:
        answer = await client.get("/v1/me/export", headers=bearer(database.settings, user))
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "private, no-store"
        document: dict[str, Any] = answer.json()
        return document


async def test_everything_that_is_kept_and_nothing_of_others(
    database: Database, redis: Redis, shopper: uuid.UUID
) -> None:
    document = await exported(database, shopper)
    assert list(document) == [section.name for section in customer_data.SECTIONS] == list(CustomerData.model_fields)
    CustomerData.model_validate(document)
    assert (document["profile"]["phone"], document["profile"]["email"]) == (PHONE, "k@example.in")
    assert document["addresses"][0]["line1"] == "1 MG Road"
    assert [cart["items"][0]["sku"] for cart in document["carts"] if cart["status"] == "open"] == ["KETTLE"]
    assert [wish["title"] for wish in document["wishlist"]] == ["Product KETTLE"]
    [order] = document["orders"]
    assert (order["order"]["status"], order["order"]["refunds"][0]["reason"]) == ("delivered", "too small")
    assert order["order"]["payments"][0]["status"] == "captured"
    assert order["events"][0]["type"] == "order.created"
    assert {event["type"] for event in document["payment_events"]} == {"payment.captured", "refund.processed"}
    assert [(review["rating"], review["title"]) for review in document["reviews"]] == [(4, "Hot")]
    assert [(session["user_agent"], session["status"]) for session in document["sessions"]] == [("curl", "active")]
    assert [(code["purpose"], code["status"]) for code in document["codes"]] == [("login", "verified")]
    assert b"signature" not in orjson.dumps(document), "no secret of ours"


async def test_long_sections_come_whole(database: Database, owner: Connection, redis: Redis) -> None:
    user = make_user(owner)
    for number in (0, customer_data.PAGE - 1, customer_data.PAGE, 2 * customer_data.PAGE + 1):
        owner.execute("DELETE FROM store.addresses")
        owner.execute(
            "INSERT INTO store.addresses (user_id, recipient_name, phone, line1, city, state_code, pincode)"
            " SELECT %s, 'R', '+919812345678', n::text, 'B', 'KA', '560001' FROM generate_series(1, %s) AS n",
            (user, number),
        )
        found = (await exported(database, user))["addresses"]
        assert [address["line1"] for address in found] == [str(n) for n in range(1, number + 1)]


async def test_only_for_whoever_is_somebody(database: Database, owner: Connection, redis: Redis) -> None:
    async with serving(create_app(database.settings)) as client:
        assert (await client.get("/v1/me/export")).status_code == 401
        gone = await client.get("/v1/me/export", headers=bearer(database.settings, uuid.uuid4()))
        assert (gone.status_code, gone.json()["code"]) == (404, "user_not_found")


async def test_the_command_writes_the_same_document(
    database: Database, owner: Connection, redis: Redis, shopper: uuid.UUID
) -> None:
    over_http = await exported(database, shopper)
    done = await asyncio.to_thread(kirana, "privacy", "export", "98765 43210", environment=environment_for(database))
    assert done.returncode == 0, done.stderr
    assert orjson.loads(done.stdout) == over_http


def test_the_command_erases_when_told_twice(
    database: Database, owner: Connection, redis: Redis, shopper: uuid.UUID
) -> None:
    environment = environment_for(database)
    session = one(owner, "SELECT id FROM store.sessions")
    no_owner = kirana("privacy", "erase", PHONE, "--yes", environment=environment)
    assert (no_owner.returncode, no_owner.stdout) == (1, "")
    assert "no owner yet" in no_owner.stderr
    boss = make_staff(owner)
    not_asked = kirana("privacy", "erase", PHONE, environment=environment)
    assert not_asked.returncode == 1, "there is nobody to say yes"
    assert one(owner, "SELECT status FROM store.users WHERE id = %s", shopper) == "active"
    done = kirana("privacy", "erase", PHONE, "--yes", environment=environment)
    assert done.returncode == 0, done.stderr
    assert f"user {shopper}, 1 orders reduced, 1 sessions ended" in done.stdout
    assert redis.exists(key_of(session)), "its access tokens end as well"
    assert rows(owner, "SELECT staff_id, action FROM store.staff_actions WHERE subject_id = %s", str(shopper)) == [
        (boss, "erase_user")
    ]
    again = kirana("privacy", "export", str(shopper), environment=environment)
    assert (again.returncode, again.stdout, "no account has" in again.stderr) == (1, "", True)


def test_the_command_says_what_stands_in_the_way(database: Database, owner: Connection, redis: Redis) -> None:
    make_staff(owner)
    order = paid_order(owner)
    done = kirana("privacy", "erase", order["user_id"], "--yes", environment=environment_for(database))
    assert done.returncode == 1
    assert f"{order['number']} (not closed)" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_staff_are_invited_from_the_command_line(database: Database, owner: Connection) -> None:
    environment = environment_for(database)
    make_staff(owner)
    done = kirana("staff", "invite", "98765 43210", "support", environment=environment)
    assert done.returncode == 0, done.stderr
    assert f"{PHONE} as support" in done.stdout
    again = kirana("staff", "invite", PHONE, "support", environment=environment)
    assert (again.returncode, again.stderr.strip()) == (1, "error: This phone has an open invitation.")
    assert PHONE in kirana("staff", "invitations", environment=environment).stdout
    assert kirana("staff", "revoke", PHONE, environment=environment).returncode == 0
    assert rows(owner, "SELECT status FROM store.staff_invitations") == [("revoked",)]
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 2


def test_a_stored_answer_keeps_its_shape_and_loses_the_person(owner: Connection) -> None:
    """Stored under a staff member's key, it still keeps a second refund from starting."""
    boss, order = make_staff(owner), paid_order(owner, delivered=True)
    owner.execute("UPDATE store.users SET full_name = 'Kaveri' WHERE id = %s", (order["user_id"],))
    key = idempotent(key="k")
    wish = {"p_order_id": order["id"], "p_kind": "goodwill", "p_amount": 100, "p_reason": "for Kaveri"}
    refund = call(owner, "request_refund", p_staff_id=boss, **key, **wish)
    tell_refund(owner, refund)
    call(owner, "erase_user", p_user_id=order["user_id"], p_staff_id=boss)
    replayed = call(owner, "request_refund", p_staff_id=boss, **key, **wish)
    assert replayed == refund | {"reason": None, "replayed": True}, "and no second refund"
