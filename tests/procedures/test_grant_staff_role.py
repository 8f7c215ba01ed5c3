"""grant_staff_role: the first owner, everybody after that, and never none."""

from typing import Any

import psycopg

from tests.support.builders import call, make_staff, make_user, one, refused, rows

Connection = psycopg.Connection[Any]
PHONE = "+919876500001"


def grant(connection: Connection, by: object, phone: str, role: str, **more: object) -> dict[str, Any]:
    return call(connection, "grant_staff_role", p_granted_by=by, p_phone=phone, p_role=role, **more)


def test_only_the_first_owner_is_made_by_nobody(owner: Connection, command: Connection) -> None:
    with refused("KI067"):
        grant(command, None, PHONE, "catalog")
    first = grant(command, None, PHONE, "owner")
    assert (first["created"], first["role"], first["is_active"]) == (True, "owner", True)
    with refused("KI067"):
        grant(command, None, "+919876500002", "owner")
    assert rows(owner, "SELECT staff_id::text, action FROM store.staff_actions") == [
        (first["user_id"], "grant_staff_role")
    ]


def test_an_owner_grants_changes_and_ends(owner: Connection, command: Connection) -> None:
    boss = make_staff(owner)
    made = grant(command, boss, PHONE, "catalog")
    assert made["created"] is True
    assert grant(command, boss, PHONE, "catalog")["changed"] is False
    assert grant(command, boss, PHONE, "finance")["changed"] is True
    ended = grant(command, boss, PHONE, "finance", p_is_active=False)
    assert (ended["is_active"], ended["user_id"]) == (False, made["user_id"])
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 3
    with refused("KI067"):
        grant(command, made["user_id"], PHONE, "owner")


def test_a_shopper_may_become_staff(owner: Connection, command: Connection) -> None:
    shopper = make_user(owner, phone=PHONE)
    assert grant(command, make_staff(owner), PHONE, "support")["user_id"] == str(shopper)


def test_the_last_owner_stays(owner: Connection, command: Connection) -> None:
    grant(command, None, PHONE, "owner")
    boss = one(owner, "SELECT user_id FROM store.staff_members")
    for change in ({"p_role": "catalog"}, {"p_role": "owner", "p_is_active": False}):
        with refused("KI073") as refusal:
            call(command, "grant_staff_role", p_granted_by=boss, p_phone=PHONE, **change)
        assert refusal.detail["reason"] == "last_owner"
    grant(command, boss, "+919876500002", "owner")
    assert grant(command, boss, PHONE, "catalog")["role"] == "catalog", "with another owner there"


def test_refusals(owner: Connection, command: Connection) -> None:
    boss = make_staff(owner)
    with refused("KI073") as refusal:
        grant(command, boss, PHONE, "emperor")
    assert refusal.detail["field"] == "role"
    make_user(owner, phone=PHONE, status="blocked")
    with refused("KI065"):
        grant(command, boss, PHONE, "catalog")
    for role in ("catalog", "support", "read_only"):
        with refused("KI067"):
            grant(command, make_staff(owner, role), "+919876500003", "owner")
