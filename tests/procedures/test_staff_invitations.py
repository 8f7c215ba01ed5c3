"""invite_staff, accept_staff_invitation, revoke_staff_invitation: who may bring whom in, once, and for how long."""

import hashlib
import uuid
from typing import Any

import psycopg
import pytest

from tests.support.builders import call, make_staff, make_user, one, refused, rows

Connection = psycopg.Connection[Any]
PHONE = "+919876500001"
CONTEXT = {"ip": "203.0.113.9", "request_id": "r-1"}


def code_hash(code: str = "123456") -> bytes:
    return hashlib.sha256(code.encode()).digest()


def invite(connection: Connection, by: object, role: str = "support", phone: str = PHONE, **more: object) -> Any:
    wish = {"p_staff_id": by, "p_phone": phone, "p_role": role, "p_code_hash": code_hash(), "p_context": CONTEXT}
    return call(connection, "invite_staff", **(wish | more))


def accept(connection: Connection, code: str = "123456", phone: str = PHONE) -> Any:
    token = uuid.uuid4().bytes * 2
    return call(
        connection,
        "accept_staff_invitation",
        p_phone=phone,
        p_code_hash=code_hash(code),
        p_refresh_token_hash=token,
        p_context=CONTEXT,
    )


@pytest.fixture
def boss(owner: Connection) -> uuid.UUID:
    return make_staff(owner)


def test_invited_and_in(owner: Connection, command: Connection, boss: uuid.UUID) -> None:
    invited = invite(command, boss)
    assert (invited["phone"], invited["role"], invited["status"]) == (PHONE, "support", "open")
    assert (invited["invited_by"], invited["code_expires_in"]) == (str(boss), 300)
    assert one(owner, "SELECT count(*) FROM store.users WHERE phone = %s", PHONE) == 0, "nobody before they accept"
    session = accept(command)
    assert (session["role"], session["is_new_user"]) == ("support", True)
    assert rows(owner, "SELECT user_id::text, role, is_active, added_by FROM store.staff_members ORDER BY 2") == [
        (str(boss), "owner", True, None),
        (session["user_id"], "support", True, boss),
    ]
    assert rows(owner, "SELECT status, accepted_by::text FROM store.staff_invitations") == [
        ("accepted", session["user_id"])
    ]
    assert rows(owner, "SELECT status FROM store.sessions WHERE id = %s", session["session_id"]) == [("active",)]
    actions = rows(
        owner, "SELECT staff_id::text, action, subject_id, ip::text, after FROM store.staff_actions ORDER BY id"
    )
    assert [(who, what, subject, ip) for who, what, subject, ip, _ in actions] == [
        (str(boss), "invite_staff", invited["id"], "203.0.113.9/32"),
        (session["user_id"], "accept_staff_invitation", invited["id"], "203.0.113.9/32"),
    ]
    assert PHONE not in str(actions), "the log must not hold what an erasure would have to take out"


def test_a_code_is_good_once_and_counts_wrong_tries(owner: Connection, command: Connection, boss: uuid.UUID) -> None:
    invite(command, boss)
    assert accept(command, "000000")["attempts_left"] == 4
    assert accept(command)["role"] == "support"
    with refused("KI062"):
        accept(command)
    invite(command, boss, phone="+919876500002")
    answers = [accept(command, "000000", "+919876500002") for _ in range(5)]
    assert [answer["refused"] for answer in answers] == ["KI061"] * 5
    with refused("KI062"):
        accept(command, phone="+919876500002")
    assert one(owner, "SELECT count(*) FROM store.staff_members") == 2


def test_codes_are_limited_like_any_other(command: Connection, boss: uuid.UUID) -> None:
    invited = invite(command, boss)
    call(command, "revoke_staff_invitation", p_staff_id=boss, p_invitation_id=invited["id"])
    with refused("KI060") as refusal:
        invite(command, boss)
    assert refusal.detail["limit"] == "otp-resend"


def test_one_open_invitation_a_phone(owner: Connection, command: Connection, boss: uuid.UUID) -> None:
    first = invite(command, boss, p_code_hash=None)
    with refused("KI100") as refusal:
        invite(command, boss, "catalog", p_code_hash=None)
    assert (refusal.detail["invitation_id"], refusal.detail["role"]) == (first["id"], "support")
    owner.execute("UPDATE store.staff_invitations SET expires_at = now()")
    assert invite(command, boss, "catalog", p_code_hash=None)["role"] == "catalog"
    assert rows(owner, "SELECT role, status FROM store.staff_invitations ORDER BY id") == [
        ("support", "expired"),
        ("catalog", "open"),
    ]


def test_who_may_not_be_invited(owner: Connection, command: Connection, boss: uuid.UUID) -> None:
    with refused("KI073") as refusal:
        invite(command, boss, "emperor")
    assert refusal.detail["field"] == "role"
    colleague = make_staff(owner, "catalog")
    phone = one(owner, "SELECT phone FROM store.users WHERE id = %s", colleague)
    with refused("KI072") as refusal:
        invite(command, boss, phone=phone)
    assert refusal.detail == {"field": "phone", "role": "catalog"}
    make_user(owner, phone=PHONE, status="blocked")
    with refused("KI065"):
        invite(command, boss)
    for role in ("catalog", "inventory", "orders", "support", "finance", "read_only"):
        with refused("KI067"):
            invite(command, make_staff(owner, role), phone="+919876500003")
    assert one(owner, "SELECT count(*) FROM store.staff_invitations") == 0


def test_a_revoked_invitation_lets_nobody_in(owner: Connection, command: Connection, boss: uuid.UUID) -> None:
    invited = invite(command, boss)
    who = {"p_staff_id": boss, "p_invitation_id": invited["id"]}
    with refused("KI067"):
        call(command, "revoke_staff_invitation", **(who | {"p_staff_id": make_staff(owner, "support")}))
    with refused("KI068"):
        call(command, "revoke_staff_invitation", **(who | {"p_invitation_id": uuid.uuid4()}))
    assert call(command, "revoke_staff_invitation", **who)["status"] == "revoked"
    with refused("KI069") as refusal:
        call(command, "revoke_staff_invitation", **who)
    assert refusal.detail["status"] == "revoked"
    with refused("KI068"):
        accept(command)
    assert one(owner, "SELECT count(*) FROM store.users WHERE phone = %s", PHONE) == 0, "all of it was undone"
    assert rows(owner, "SELECT action FROM store.staff_actions ORDER BY id") == [
        ("invite_staff",),
        ("revoke_staff_invitation",),
    ]


def test_an_invitation_is_as_good_as_whoever_made_it(owner: Connection, command: Connection, boss: uuid.UUID) -> None:
    fired = make_staff(owner)
    invite(command, fired)
    owner.execute("UPDATE store.staff_members SET is_active = false WHERE user_id = %s", (fired,))
    with refused("KI069") as refusal:
        accept(command)
    assert refusal.detail["status"] == "void"
    owner.execute("UPDATE store.staff_members SET is_active = true WHERE user_id = %s", (fired,))
    owner.execute("UPDATE store.staff_invitations SET expires_at = now()")
    with refused("KI069") as refusal:
        accept(command)
    assert refusal.detail["status"] == "expired"


def test_an_old_invitation_does_not_lower_a_role(owner: Connection, command: Connection, boss: uuid.UUID) -> None:
    invite(command, boss, "read_only")
    call(command, "grant_staff_role", p_granted_by=boss, p_phone=PHONE, p_role="owner")
    assert accept(command)["role"] == "owner"
    assert rows(owner, "SELECT role FROM store.staff_members WHERE is_active") == [("owner",), ("owner",)]
    assert rows(owner, "SELECT status, accepted_by FROM store.staff_invitations") == [("revoked", None)]


def test_whoever_left_may_be_invited_again(owner: Connection, command: Connection, boss: uuid.UUID) -> None:
    back = make_staff(owner, "finance")
    owner.execute("UPDATE store.staff_members SET is_active = false WHERE user_id = %s", (back,))
    phone = one(owner, "SELECT phone FROM store.users WHERE id = %s", back)
    invite(command, boss, "support", phone)
    assert (accept(command, phone=phone)["role"], one(owner, "SELECT count(*) FROM store.staff_members")) == (
        "support",
        2,
    )


def test_a_blocked_phone_is_refused_and_its_code_is_spent(
    owner: Connection, command: Connection, boss: uuid.UUID
) -> None:
    invite(command, boss)
    make_user(owner, phone=PHONE, status="blocked")
    assert accept(command)["refused"] == "KI065"
    assert one(owner, "SELECT count(*) FROM store.staff_members") == 1


def test_the_sweeper_closes_what_is_over(owner: Connection, command: Connection, boss: uuid.UUID) -> None:
    for number in range(3):
        invite(command, boss, phone=f"+91987650001{number}", p_code_hash=None)
    owner.execute("UPDATE store.staff_invitations SET expires_at = now() WHERE phone <> '+919876500012'")
    assert call(command, "expire_staff_requests", p_limit=1)["closed"] == 1
    assert call(command, "expire_staff_requests", p_limit=5)["invitations"] == 1
    assert call(command, "expire_staff_requests", p_limit=5)["closed"] == 0
    assert rows(owner, "SELECT status, count(*) FROM store.staff_invitations GROUP BY 1 ORDER BY 1") == [
        ("expired", 2),
        ("open", 1),
    ]
