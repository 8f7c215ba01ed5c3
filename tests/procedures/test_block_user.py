"""block_user and save_settings: what staff decide about a shopper and about the store."""

import hashlib
import uuid

import pytest

from app.models.operations import StoreSettings
from command_api.schemas.staff import SettingsBody
from query_api.schemas.admin_staff import AdminSettings
from tests.support.builders import (
    Connection,
    call,
    checkout,
    make_address,
    make_cart,
    make_product,
    make_staff,
    make_user,
    one,
    refused,
    rows,
)

NOT_SET = {"id", "version", "updated_at"}


@pytest.fixture
def support(owner: Connection) -> uuid.UUID:
    return make_staff(owner, "support")


def block(
    connection: Connection, staff: object, user: object, blocked: bool = True, **more: object
) -> dict[str, object]:
    wish = {"p_staff_id": staff, "p_user_id": user, "p_blocked": blocked, "p_reason": "fraud"}
    return call(connection, "block_user", **(wish | more))


def log_in(command: Connection, phone: str) -> dict[str, object]:
    code = hashlib.sha256(b"123456").digest()
    who = {"p_phone": phone, "p_purpose": "login", "p_code_hash": code}
    call(command, "send_otp", p_ip="203.0.113.1", **who)
    return call(command, "verify_otp", p_refresh_token_hash=uuid.uuid4().bytes * 2, **who)


def test_a_blocked_shopper_is_out_and_may_not_check_out(
    owner: Connection, command: Connection, support: uuid.UUID
) -> None:
    phone = "+919876500001"
    user = make_user(owner, phone=phone)
    session = log_in(command, phone)["session_id"]
    make_address(owner, user)
    make_cart(owner, user, (make_product(owner, stock=2), 1))
    answer = block(command, support, user)
    assert (answer["status"], answer["session_ids"], answer["version"]) == ("blocked", [session], 2)
    assert rows(owner, "SELECT status, revoked_reason FROM store.sessions") == [("revoked", "blocked")]
    with refused("KI065"):
        checkout(command, user)
    owner.execute("DELETE FROM store.otp_verifications")
    assert log_in(command, phone)["refused"] == "KI065"
    assert rows(
        owner, "SELECT permission, action, subject_type, subject_id, before, after FROM store.staff_actions"
    ) == [
        (
            "customers.write",
            "block_user",
            "customer",
            str(user),
            {"status": "active"},
            {"status": "blocked", "reason": "fraud"},
        )
    ]
    again = block(command, support, user)
    assert (again["version"], again["session_ids"]) == (2, [])
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 1, "once blocked is blocked"
    assert block(command, support, user, blocked=False)["status"] == "active"
    owner.execute("DELETE FROM store.otp_verifications")
    assert log_in(command, phone)["user_id"] == str(user)


def test_who_may_be_blocked_and_by_whom(owner: Connection, command: Connection, support: uuid.UUID) -> None:
    user = make_user(owner)
    for role in ("catalog", "inventory", "orders", "finance", "read_only"):
        with refused("KI067") as refusal:
            block(command, make_staff(owner, role), user)
        assert refusal.detail["permission"] == "customers.write"
    with refused("KI066"):
        block(command, support, uuid.uuid4())
    with refused("KI016") as refusal:
        block(command, support, user, p_expected_version=7)
    assert refusal.detail["version"] == 1
    for role in ("owner", "support"):
        with refused("KI105"):
            block(command, support, make_staff(owner, role))
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 0


def test_whoever_is_blocked_is_no_staff(owner: Connection, command: Connection, support: uuid.UUID) -> None:
    """Blocked by hand in the database, as in an emergency: the role is there and opens nothing."""
    bad = make_staff(owner)
    owner.execute("UPDATE store.users SET status = 'blocked' WHERE id = %s", (bad,))
    with refused("KI067"):
        block(command, bad, make_user(owner))


def current(connection: Connection) -> dict[str, object]:
    found: dict[str, object] = one(connection, "SELECT to_jsonb(s) FROM store.store_settings AS s")
    return found


def save(connection: Connection, staff: object, version: object, **changes: object) -> dict[str, object]:
    return call(connection, "save_settings", p_staff_id=staff, p_definition=changes, p_expected_version=version)


def test_every_rule_of_the_store_can_be_read_and_set() -> None:
    columns = set(StoreSettings.__table__.columns.keys())
    assert set(SettingsBody.model_fields) == columns - NOT_SET, "a column of store_settings that staff can't set"
    assert set(AdminSettings.model_fields) == columns - {"id"}, "a column of store_settings that staff can't read"


def test_settings_change_with_their_version_and_are_audited(owner: Connection, command: Connection) -> None:
    boss = make_staff(owner)
    before = current(owner)
    numbers = {name: value + 1 for name, value in before.items() if type(value) is int and name not in NOT_SET}
    switches = {name: not value for name, value in before.items() if isinstance(value, bool)}
    texts = {"seller_state_code": "MH", "seller_name": "Kirana & Sons", "seller_address": "1 MG Road"}
    wish = numbers | switches | texts | {"seller_gstin": "27AAPFU0939F1ZV"}
    assert set(wish) == set(before) - NOT_SET
    saved = save(command, boss, 1, **wish)
    assert {name: saved[name] for name in wish} == wish, "save_settings must write every column"
    assert (saved["version"], saved["changed"]) == (2, True)
    assert current(owner)["version"] == 2
    [(action, was, now)] = rows(owner, "SELECT action, before, after FROM store.staff_actions")
    assert (action, was["hold_seconds"], now["hold_seconds"]) == ("save_settings", 900, 901)
    with refused("KI016") as refusal:
        save(command, boss, 1, hold_seconds=5)
    assert refusal.detail["version"] == 2
    assert save(command, boss, 2, **wish)["changed"] is False
    assert save(command, boss, 2, refund_approval_above=None)["refund_approval_above"] is None
    assert rows(
        owner, "SELECT before - '{updated_at,version}'::text[] FROM store.staff_actions ORDER BY id DESC LIMIT 1"
    ) == [({"refund_approval_above": wish["refund_approval_above"]},)]
    for role in ("catalog", "support", "finance", "read_only"):
        with refused("KI067"):
            save(command, make_staff(owner, role), 3, hold_seconds=5)
