"""verify_otp: the right code once, in time, within its attempts; and the guest's cart comes along."""

from typing import Any

import psycopg
import pytest

from app.core.security import sha256
from tests.support.builders import call, make_product, make_user, one, refused, rows

PHONE = "+919876543210"
RIGHT, WRONG = b"\x01" * 32, b"\x02" * 32


@pytest.fixture(autouse=True)
def code(command: psycopg.Connection[Any]) -> None:
    call(command, "send_otp", p_phone=PHONE, p_purpose="login", p_code_hash=RIGHT, p_ip="203.0.113.7")


def verify(connection: psycopg.Connection[Any], code_hash: bytes = RIGHT, **more: object) -> dict[str, Any]:
    values: dict[str, object] = {"p_phone": PHONE, "p_purpose": "login", "p_code_hash": code_hash}
    return call(connection, "verify_otp", **(values | {"p_refresh_token_hash": sha256("first")} | more))


def test_the_right_code_makes_a_user_and_a_session(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    result = verify(command, p_user_agent="x" * 600, p_context={"ip": "203.0.113.9"})
    assert (result["is_new_user"], result["role"], result["cart_id"]) == (True, None, None)
    assert rows(owner, "SELECT id::text, phone, status FROM store.users") == [(result["user_id"], PHONE, "active")]
    assert rows(owner, "SELECT id::text, status, host(ip), length(user_agent) FROM store.sessions") == [
        (result["session_id"], "active", "203.0.113.9", 512)
    ]
    assert rows(owner, "SELECT token_hash, session_id::text, used_at FROM store.refresh_tokens") == [
        (sha256("first"), result["session_id"], None)
    ]
    assert rows(owner, "SELECT status, verified_at IS NOT NULL FROM store.otp_verifications") == [("verified", True)]


def test_a_known_phone_is_the_same_user(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    user = make_user(owner, phone=PHONE)
    result = verify(command)
    assert (result["user_id"], result["is_new_user"]) == (str(user), False)


def test_a_code_is_good_once(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    verify(command)
    with refused("KI062"):
        verify(command, p_refresh_token_hash=sha256("second"))
    assert rows(owner, "SELECT count(*) FROM store.sessions") == [(1,)]


def test_a_code_grows_too_old(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    owner.execute("UPDATE store.otp_verifications SET expires_at = now()")
    with refused("KI062"):
        verify(command)


def test_there_is_no_code_for_another_phone_or_purpose(command: psycopg.Connection[Any]) -> None:
    with refused("KI062"):
        verify(command, p_phone="+919800000001")
    with refused("KI062"):
        verify(command, p_purpose="staff_invite")


def test_wrong_codes_are_counted_in_committed_refusals(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    for left in (4, 3):
        result = verify(command, WRONG)
        assert (result["refused"], result["attempts_left"]) == ("KI061", left)
    assert rows(owner, "SELECT attempts, status FROM store.otp_verifications") == [(2, "pending")]
    assert "refused" not in verify(command), "there are attempts left"


def test_brute_force_ends_in_exhausted(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    assert [verify(command, WRONG)["attempts_left"] for _ in range(5)] == [4, 3, 2, 1, 0]
    assert rows(owner, "SELECT attempts, status FROM store.otp_verifications") == [(5, "exhausted")]
    with refused("KI062"):
        verify(command)
    assert rows(owner, "SELECT count(*) FROM store.users") == [(0,)]


@pytest.mark.parametrize("status", ["blocked", "erased"])
def test_only_active_users_log_in(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any], status: str
) -> None:
    make_user(owner, phone=PHONE, status=status)
    assert verify(command)["refused"] == "KI065"
    assert rows(owner, "SELECT status FROM store.otp_verifications") == [("verified",)]
    assert rows(owner, "SELECT count(*) FROM store.sessions") == [(0,)]


@pytest.mark.parametrize(("is_active", "role"), [(True, "catalog"), (False, None)])
def test_the_staff_role_is_told(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any], is_active: bool, role: str | None
) -> None:
    user = make_user(owner, phone=PHONE)
    owner.execute(
        "INSERT INTO store.staff_members (user_id, role, is_active) VALUES (%s, 'catalog', %s)", (user, is_active)
    )
    assert verify(command)["role"] == role


def test_the_guests_cart_becomes_the_users(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    variant = make_product(owner, stock=10)
    token = sha256("guest")
    call(command, "add_to_cart", p_guest_token_hash=token, p_sku=variant.sku, p_quantity=3)
    result = verify(command, p_guest_token_hash=token)
    assert one(owner, "SELECT user_id::text FROM store.carts WHERE id = %s", result["cart_id"]) == result["user_id"]
    assert rows(owner, "SELECT quantity FROM store.cart_items WHERE cart_id = %s", result["cart_id"]) == [(3,)]
    assert rows(owner, "SELECT count(*) FROM store.carts WHERE status = 'open'") == [(1,)]


def test_a_cart_token_of_no_cart_is_no_hindrance(command: psycopg.Connection[Any]) -> None:
    result = verify(command, p_guest_token_hash=sha256("nobody's"))
    assert "refused" not in result
    assert result["session_id"]


def test_a_failed_login_leaves_no_trace_but_the_error(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        verify(command, p_refresh_token_hash=b"too short")
    assert rows(owner, "SELECT status FROM store.otp_verifications") == [("pending",)]
    assert rows(owner, "SELECT count(*) FROM store.users") == [(0,)]
    verify(command)
