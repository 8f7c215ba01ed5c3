"""Erasure: afterwards nothing anywhere names the person, the books balance, and the phone is free."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis

from app.audit.books import audit
from app.core.config import Settings
from app.main import create_app
from projections.rebuild import rebuild, rollback
from projections.registry import PROJECTIONS
from projections.verify import verify
from tests.privacy.traces import redis_keys_with, tables_with, written
from tests.support.api import bearer, log_in, sent_code, serving
from tests.support.builders import call, idempotent, make_product, make_staff, one, refused, rows
from tests.support.databases import Database
from tests.support.paying import Document, begin, capture, deliver, give_back, paid_order, tell_refund
from tests.support.projecting import projecting, reached

Connection = psycopg.Connection[Any]
PHONE = "+919876543210"
EMAIL = "kaveri.subramaniam@example.in"
NAME = "Kaveri Subramaniam"
RECIPIENT = "Aunt Lakshmi Devi"
LINE1 = 'Flat 4B, "Sea View" Towers'
LINE2 = r"Behind [the] old mill (2nd floor) c:\lane ^1*?+{2}|$."  # a text that is no pattern
LANDMARK = "Opposite Ganesh temple"
WORDS = [PHONE, PHONE[3:], "kaveri", "subramaniam", RECIPIENT, "Sea View", LINE2, LANDMARK, "+919812312312"]
ORDERS = PROJECTIONS["orders"]


@pytest.fixture
def settings(database: Database) -> Settings:
    return database.settings.model_copy(update={"otp_sender": "file"})


@pytest.fixture
async def api(settings: Settings, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(create_app(settings)) as client:
        yield client


class Shopper:
    """Somebody who used the store for a while, over HTTP; every request answers well or the test ends."""

    def __init__(self, api: httpx.AsyncClient, owner: Connection, tokens: dict[str, Any]) -> None:
        self.api, self.owner, self.id = api, owner, uuid.UUID(str(tokens["user_id"]))
        self.tokens = tokens
        self.headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        more = {"Idempotency-Key": uuid.uuid4().hex} | headers
        answer = await self.api.request(method, f"/v1{path}", json=body, headers=self.headers | more)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def settle_in(self) -> str:
        """A profile, an address, a wish; the address's id."""
        version = self.version()
        await self.send("PATCH", "/me", {"full_name": NAME, "email": EMAIL}, **{"If-Match": f'"{version}"'})
        address = {
            "label": "Home",
            "recipient_name": RECIPIENT,
            "phone": "+919812312312",
            "line1": LINE1,
            "line2": LINE2,
            "landmark": LANDMARK,
            "city": "Bengaluru",
            "state_code": "KA",
            "pincode": "560001",
        }
        made = await self.send("POST", "/addresses", address)
        return str(made["id"])

    def version(self) -> int:
        found: int = one(self.owner, "SELECT version FROM store.users WHERE id = %s", self.id)
        return found

    async def order(self, sku: str, address: str, note: str) -> Document:
        await self.send("POST", "/cart/items", {"sku": sku, "quantity": 2})
        body = {"address_id": address, "payment_method": "prepaid", "note": note}
        made: Document = await self.send("POST", "/checkout", body)
        return made | {"user_id": str(self.id)}


async def shopped(api: httpx.AsyncClient, owner: Connection, settings: Settings) -> tuple[Shopper, Document]:
    """Two orders with all that can be said about them: delivered and returned in part; paid and cancelled."""
    shopper = Shopper(api, owner, await log_in(api, settings, PHONE, **{"User-Agent": f"phone of {NAME}"}))
    product = make_product(owner, "KETTLE", price=50_000, stock=20)
    address = await shopper.settle_in()
    slug = one(owner, "SELECT slug FROM store.products WHERE id = %s", product.product_id)
    await shopper.send("PUT", f"/wishlist/{slug}")
    staff = make_staff(owner)
    boss = bearer(settings, staff, "owner")

    first = await shopper.order("KETTLE", address, f"Ring twice for {RECIPIENT}")
    payment = begin(owner, first)
    capture(owner, payment, p_payload={"body": f'{{"email":"{EMAIL}","name":"{NAME}"}}'})
    deliver(owner, first)
    returned = await shopper.send(
        "POST",
        f"/orders/{first['id']}/refunds",
        {"lines": [{"sku": "KETTLE", "quantity": 1}], "reason": f"{NAME} said so"},
    )
    tell_refund(owner, returned, p_payload={"body": f'{{"phone":"{PHONE}"}}'})
    goodwill = {"kind": "goodwill", "amount": 100, "reason": f"Sorry, {NAME}, {PHONE}"}
    paid_back = await api.post(
        f"/v1/admin/orders/{first['id']}/refunds", json=goodwill, headers=boss | {"Idempotency-Key": "staff-1"}
    )
    assert paid_back.status_code == 201, paid_back.text
    tell_refund(owner, paid_back.json())

    second = await shopper.order("KETTLE", address, LANDMARK)
    capture(owner, begin(owner, second))
    reason = {"reason": f"Flooded: {LINE2.upper()}"}
    cancelled = await api.post(
        f"/v1/admin/orders/{second['id']}/cancel", json=reason, headers=boss | {"Idempotency-Key": "staff-2"}
    )
    assert cancelled.status_code == 200, cancelled.text
    [refund_id] = [row[0] for row in rows(owner, "SELECT id FROM store.refunds WHERE order_id = %s", second["id"])]
    amount = one(owner, "SELECT amount FROM store.refunds WHERE id = %s", refund_id)
    refund = {"id": str(refund_id), "payment_id": None, "amount": amount}
    tell_refund(owner, refund, p_payment_id=one(owner, "SELECT payment_id FROM store.refunds WHERE id = %s", refund_id))

    owner.execute(
        "INSERT INTO store.product_reviews (product_id, user_id, rating, title, body) VALUES (%s, %s, 5, %s, %s)",
        (product.product_id, shopper.id, f"By {NAME}", f"Write to {EMAIL}"),
    )
    await shopper.send("POST", "/cart/items", {"sku": "KETTLE", "quantity": 1})
    return shopper, first


async def ask_code(api: httpx.AsyncClient, owner: Connection, settings: Settings) -> str:
    owner.execute("UPDATE store.otp_verifications SET created_at = created_at - interval '10 minutes'")
    assert (await api.post("/v1/auth/otp", json={"phone": PHONE})).status_code == 202
    return sent_code(settings, PHONE)


def newest(owner: Connection) -> int:
    found: int = one(owner, "SELECT max(position) FROM store.outbox")
    return found


async def forgotten(redis: Redis) -> None:
    """Redis follows the views; what an older generation held goes a few seconds after the switch."""
    end = time.monotonic() + 20
    while found := redis_keys_with(redis, WORDS):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)


async def test_nothing_names_the_person_afterwards(
    database: Database, owner: Connection, api: httpx.AsyncClient, settings: Settings, redis: Redis
) -> None:
    async with projecting(database):
        shopper, first = await shopped(api, owner, settings)
        await reached(database, newest(owner))
        await rebuild(database.dsn("projector"), ORDERS)  # so that an older version of the view is kept
        page = (await shopper.send("GET", f"/orders/{first['id']}"))["shipping_address"]
        assert page["recipient_name"] == RECIPIENT
        before = tables_with(owner, WORDS)
        known = {"users", "addresses", "orders", "refunds", "payment_events", "order_events", "staff_actions"}
        known |= {"idempotency_keys", "otp_verifications", "sessions", "product_reviews"}
        assert known <= {table.removeprefix("store.") for table in before}, "else the search below finds nothing"
        assert {"read.orders_v1", "read.orders_v2"} <= set(before)
        assert redis_keys_with(redis, WORDS) != set()
        money = rows(owner, "SELECT kind, amount FROM store.money_movements ORDER BY id")
        export = (await api.get("/v1/me/export", headers=shopper.headers)).text
        assert all(form in export.lower() for form in written(WORDS)), "the export holds it all"

        code = await ask_code(api, owner, settings)
        answer = await api.post("/v1/me/erasure", json={"phone": PHONE, "code": code}, headers=shopper.headers)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"user_id": str(shopper.id), "erased_at": answer.json()["erased_at"], "orders": 2}
        await reached(database, int(answer.headers["x-consistency-token"]))

        assert tables_with(owner, WORDS) == {}
        await forgotten(redis)
        assert rows(owner, "SELECT kind, amount FROM store.money_movements ORDER BY id") == money
        assert [finding for finding in audit(database.dsn()) if finding.count] == []
        address = one(owner, "SELECT shipping_address FROM store.orders WHERE id = %s", first["id"])
        assert address == {"state_code": "KA", "country": "IN"}, "what GST asks for stays"
        async with await database.aconnect("projector") as connection:
            assert (await verify(connection, ORDERS)).clean
        await rollback(database.dsn("projector"), ORDERS)
        assert tables_with(owner, WORDS) == {}, "not even by going back to the view before"
        assert one(owner, "SELECT count(*) FROM read.orders") == 2


async def test_the_phone_is_free_for_somebody_new(
    owner: Connection, api: httpx.AsyncClient, settings: Settings
) -> None:
    first = await log_in(api, settings, PHONE)
    code = await ask_code(api, owner, settings)
    headers = {"Authorization": f"Bearer {first['access_token']}"}
    body = {"phone": PHONE, "code": code}
    assert (await api.post("/v1/me/erasure", json=body, headers=headers)).json()["orders"] == 0
    refreshed = await api.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert refreshed.json()["code"] == "session_invalid"
    second = await log_in(api, settings, PHONE)
    assert second["is_new_user"] is True
    assert second["user_id"] != first["user_id"]
    assert rows(owner, "SELECT phone, status FROM store.users ORDER BY created_at") == [
        (None, "erased"),
        (PHONE, "active"),
    ]


async def test_erasure_asks_for_the_phone_and_a_fresh_code(
    owner: Connection, api: httpx.AsyncClient, settings: Settings
) -> None:
    tokens = await log_in(api, settings, PHONE)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    async def erase(phone: str, code: str) -> tuple[int, dict[str, Any]]:
        answer = await api.post("/v1/me/erasure", json={"phone": phone, "code": code}, headers=headers)
        return answer.status_code, answer.json()

    assert (await erase(PHONE, sent_code(settings, PHONE)))[1]["code"] == "otp_expired", "the login spent it"
    code = await ask_code(api, owner, settings)
    status, problem = await erase(PHONE, f"{(int(code) + 1) % 10**6:06d}")
    assert (status, problem["code"], problem["attempts_left"]) == (401, "otp_invalid", 4)
    other = "+919812345670"
    assert (await api.post("/v1/auth/otp", json={"phone": other})).status_code == 202
    status, problem = await erase(other, sent_code(settings, other))
    assert (status, problem["code"], problem["field"]) == (422, "invalid_value", "phone")
    assert (await api.post("/v1/me/erasure", json={"phone": PHONE, "code": code})).status_code == 401
    assert one(owner, "SELECT status FROM store.users WHERE phone = %s", PHONE) == "active"
    assert (await erase(PHONE, code))[0] == 200, "the code that fits is still good"


def erase_by_staff(connection: Connection, user: object, staff: object) -> Document:
    return call(connection, "erase_user", p_user_id=user, p_staff_id=staff)


def test_not_while_an_order_is_open_or_money_is_on_its_way(owner: Connection, command: Connection) -> None:
    boss = make_staff(owner)
    order = paid_order(owner)
    user = order["user_id"]
    with refused("KI106") as refusal:
        erase_by_staff(command, user, boss)
    [blocking] = refusal.detail["orders"]
    assert (blocking["order_id"], blocking["status"], blocking["reason"]) == (order["id"], "confirmed", "not closed")
    deliver(owner, order)
    refund = give_back(owner, order, boss, p_lines=[{"order_item_id": order["items"][0]["id"], "quantity": 1}])
    with refused("KI106") as refusal:
        erase_by_staff(command, user, boss)
    assert refusal.detail["orders"][0]["reason"] == "refund on its way"
    tell_refund(owner, refund)
    owner.execute(
        "INSERT INTO store.returns (order_id, resolution, reason_code) VALUES (%s, 'refund', 'damaged')", (order["id"],)
    )
    with refused("KI106") as refusal:
        erase_by_staff(command, user, boss)
    assert refusal.detail["orders"][0]["reason"] == "return under way"
    owner.execute("UPDATE store.returns SET status = 'cancelled'")
    owner.execute("UPDATE store.store_settings SET refund_approval_above = 0")
    wish = {"p_order_id": order["id"], "p_kind": "goodwill", "p_amount": 100, "p_reason": "x", **idempotent()}
    waiting = call(owner, "request_refund", p_staff_id=boss, **wish)
    with refused("KI106") as refusal:
        erase_by_staff(command, user, boss)
    assert refusal.detail["orders"][0]["reason"] == "refund waits for approval"
    decision = {"p_approval_id": waiting["id"], "p_approve": False, **idempotent()}
    call(owner, "decide_refund", p_staff_id=make_staff(owner, "finance"), **decision)
    assert rows(owner, "SELECT count(*) FROM store.staff_actions WHERE action = 'erase_user'") == [(0,)]
    assert erase_by_staff(command, user, boss)["orders"] == 1
    assert rows(owner, "SELECT staff_id, subject_id FROM store.staff_actions WHERE action = 'erase_user'") == [
        (boss, user)
    ]
    with refused("KI066"):
        erase_by_staff(command, user, boss)


def test_who_may_erase_whom(owner: Connection, command: Connection) -> None:
    boss, colleague = make_staff(owner), make_staff(owner, "catalog")
    with refused("KI105"):
        erase_by_staff(command, colleague, boss)
    owner.execute("UPDATE store.staff_members SET is_active = false WHERE user_id = %s", (colleague,))
    for role in ("catalog", "orders", "finance", "read_only"):
        with refused("KI067") as refusal:
            erase_by_staff(command, colleague, make_staff(owner, role))
        assert refusal.detail["permission"] == "customers.write"
    with refused("KI066"):
        erase_by_staff(command, uuid.uuid4(), boss)
    with refused("KI062"):
        call(command, "erase_user", p_user_id=colleague, p_phone=PHONE, p_code_hash=b"x" * 32)
    assert erase_by_staff(command, colleague, make_staff(owner, "support"))["orders"] == 0
    assert one(owner, "SELECT count(*) FROM store.staff_members WHERE user_id = %s", colleague) == 0
