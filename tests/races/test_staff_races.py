"""Staff and shoppers who decide at the same moment: one decision counts, and nobody is half in, half out."""

import hashlib
import uuid
from typing import Any

import pytest

from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    checkout,
    idempotent,
    make_address,
    make_cart,
    make_product,
    make_staff,
    make_user,
    one,
    rows,
)
from tests.support.contenders import contend
from tests.support.databases import Database
from tests.support.paying import Document, order_row, paid_order

PRICE = 100_000
PHONE = "+919876500001"
CODE = hashlib.sha256(b"123456").digest()


@pytest.fixture
def order(owner: Connection) -> Document:
    owner.execute("UPDATE store.store_settings SET refund_approval_above = 0")
    return paid_order(owner, (make_product(owner, price=PRICE, stock=10), 7))


def request(owner: Connection, order: Document, units: int) -> str:
    line = {"order_item_id": order["items"][0]["id"], "quantity": units}
    wish: Document = {"p_order_id": order["id"], "p_kind": "return", "p_reason": "torn", "p_lines": [line]}
    waiting: str = call(owner, "request_refund", p_staff_id=make_staff(owner), **idempotent(), **wish)["id"]
    return waiting


def decide(connection: Connection, who: object, approval: object, approve: bool) -> dict[str, Any]:
    wish = {"p_approval_id": approval, "p_approve": approve}
    return call(connection, "decide_refund", p_staff_id=who, **idempotent(), **wish)


def test_one_of_many_decisions_counts(database: Database, owner: Connection, order: Document) -> None:
    waiting = request(owner, order, 2)
    deciders = [(make_staff(owner, "finance"), number % 2 == 0) for number in range(12)]
    results = contend(database, deciders, lambda c, who: decide(c, who[0], waiting, who[1]), connections=12)
    assert (len(results.answers), dict(results.refused)) == (1, {"KI102": 11})
    paid = 2 * PRICE if results.answers[0]["status"] == "approved" else 0
    assert order_row(owner, order)["refund_pending_total"] == paid
    assert one(owner, "SELECT count(*) FROM store.refunds") == (1 if paid else 0)
    assert one(owner, "SELECT count(*) FROM store.staff_actions WHERE permission = 'refunds.approve'") == 1
    assert_books_balance(owner)


def test_approvals_at_once_never_pay_more_than_was_paid(database: Database, owner: Connection, order: Document) -> None:
    """Four requests for three of seven units each: two of them fit."""
    waiting = [(make_staff(owner, "finance"), request(owner, order, 3)) for _ in range(4)]
    results = contend(database, waiting, lambda c, one_of: decide(c, *one_of, True), connections=4)
    assert (len(results.answers), dict(results.refused)) == (2, {"KI052": 2})
    assert order_row(owner, order)["refund_pending_total"] == 6 * PRICE
    assert rows(owner, "SELECT status, count(*) FROM store.refund_approvals GROUP BY 1 ORDER BY 1") == [
        ("approved", 2),
        ("pending", 2),
    ]
    assert_books_balance(owner)


def test_a_phone_is_invited_once(database: Database, owner: Connection) -> None:
    owners = [make_staff(owner) for _ in range(8)]

    def invite(connection: Connection, who: uuid.UUID) -> dict[str, Any]:
        return call(connection, "invite_staff", p_staff_id=who, p_phone=PHONE, p_role="support")

    results = contend(database, owners, invite, connections=8)
    assert (len(results.answers), dict(results.refused)) == (1, {"KI100": 7})
    assert one(owner, "SELECT count(*) FROM store.staff_invitations") == 1


def test_a_code_lets_one_in_while_the_role_is_granted_directly(database: Database, owner: Connection) -> None:
    """Both ways into the staff at once, with several tries each: nobody waits in a circle, one role is held."""
    boss = make_staff(owner)
    call(
        owner,
        "invite_staff",
        p_staff_id=boss,
        p_phone=PHONE,
        p_role="support",
        p_code_hash=CODE,
        p_context={"ip": "203.0.113.9"},
    )

    def come_in(connection: Connection, number: int) -> dict[str, Any]:
        if number % 2:
            return call(connection, "grant_staff_role", p_granted_by=boss, p_phone=PHONE, p_role="finance")
        proof = {"p_phone": PHONE, "p_code_hash": CODE, "p_refresh_token_hash": uuid.uuid4().bytes * 2}
        return call(connection, "accept_staff_invitation", **proof)

    results = contend(database, list(range(16)), come_in, connections=16)
    assert dict(results.refused) == {"KI062": 7}, "seven of eight came too late with the code; nobody else was refused"
    assert len([answer for answer in results.answers if "session_id" in answer]) == 1
    [(role, status)] = rows(
        owner,
        "SELECT m.role, i.status FROM store.staff_members AS m JOIN store.users AS u ON u.id = m.user_id"
        " JOIN store.staff_invitations AS i ON i.phone = u.phone",
    )
    assert (role, status) in {("finance", "accepted"), ("finance", "revoked")}, "the direct word stands"


def test_settings_are_saved_once_for_each_version(database: Database, owner: Connection) -> None:
    boss = make_staff(owner)

    def save(connection: Connection, number: int) -> dict[str, Any]:
        wish = {"p_definition": {"hold_seconds": 1000 + number}, "p_expected_version": 1}
        return call(connection, "save_settings", p_staff_id=boss, **wish)

    results = contend(database, list(range(8)), save, connections=8)
    assert (len(results.answers), dict(results.refused)) == (1, {"KI016": 7})
    assert one(owner, "SELECT hold_seconds FROM store.store_settings") == results.answers[0]["hold_seconds"]


def test_a_block_leaves_no_session_behind(database: Database, owner: Connection) -> None:
    support = make_staff(owner, "support")
    phones = [f"+9198765000{number:02d}" for number in range(12)]
    users = {phone: make_user(owner, phone=phone) for phone in phones}
    for number, phone in enumerate(phones):
        send = {"p_phone": phone, "p_purpose": "login", "p_code_hash": CODE, "p_ip": f"203.0.113.{number}"}
        call(owner, "send_otp", **send)

    def log_in_or_block(connection: Connection, wish: tuple[str, bool]) -> dict[str, Any]:
        phone, block = wish
        if block:
            who = {"p_staff_id": support, "p_user_id": users[phone], "p_blocked": True}
            return call(connection, "block_user", **who)
        proof = {"p_phone": phone, "p_purpose": "login", "p_code_hash": CODE}
        return call(connection, "verify_otp", p_refresh_token_hash=uuid.uuid4().bytes * 2, **proof)

    contend(database, [(phone, block) for phone in phones for block in (True, False)], log_in_or_block, connections=12)
    assert rows(owner, "SELECT DISTINCT u.status FROM store.users AS u WHERE u.phone = ANY(%s)", phones) == [
        ("blocked",)
    ]
    assert one(owner, "SELECT count(*) FROM store.sessions WHERE status = 'active'") == 0


def test_nobody_is_erased_with_an_order_under_way(database: Database, owner: Connection) -> None:
    """Checkout and erasure of the same shopper at once: an order and a shopper, or neither."""
    boss, product = make_staff(owner), make_product(owner, stock=100)
    addresses: dict[uuid.UUID, uuid.UUID] = {}
    for _ in range(10):
        user = make_user(owner)
        addresses[user] = make_address(owner, user)
        make_cart(owner, user, (product, 1))

    def check_out_or_go(connection: Connection, wish: tuple[uuid.UUID, bool]) -> dict[str, Any]:
        user, go = wish
        if go:
            return call(connection, "erase_user", p_user_id=user, p_staff_id=boss)
        return checkout(connection, user, addresses[user])

    items = [(user, go) for user in addresses for go in (True, False)]
    results = contend(database, items, check_out_or_go, connections=10)
    found = rows(
        owner,
        "SELECT u.status, count(o.id) FROM store.users AS u LEFT JOIN store.orders AS o ON o.user_id = u.id"
        " WHERE u.id = ANY(%s) GROUP BY u.id",
        list(addresses),
    )
    assert set(found) <= {("erased", 0), ("active", 1)}
    assert len(results.answers) == len(addresses), "of each two, one"
    assert_books_balance(owner)
