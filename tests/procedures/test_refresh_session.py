"""refresh_session: each refresh token once, and a copy of one ends the session."""

from typing import Any

import psycopg
import pytest

from app.core.security import sha256
from tests.support.builders import call, refused, rows

PHONE = "+919876543210"


@pytest.fixture(autouse=True)
def session(command: psycopg.Connection[Any]) -> dict[str, Any]:
    call(command, "send_otp", p_phone=PHONE, p_purpose="login", p_code_hash=b"\x01", p_ip=None)
    return call(
        command,
        "verify_otp",
        p_phone=PHONE,
        p_purpose="login",
        p_code_hash=b"\x01",
        p_refresh_token_hash=sha256("1"),
    )


def refresh(connection: psycopg.Connection[Any], token: str, following: str, **more: object) -> dict[str, Any]:
    return call(
        connection,
        "refresh_session",
        p_refresh_token_hash=sha256(token),
        p_new_refresh_token_hash=sha256(following),
        **more,
    )


def test_tokens_follow_each_other_in_one_session(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any], session: dict[str, Any]
) -> None:
    for turn in range(1, 4):
        result = refresh(command, str(turn), str(turn + 1))
        assert (result["session_id"], result["user_id"]) == (session["session_id"], session["user_id"])
    assert rows(owner, "SELECT count(*), count(used_at) FROM store.refresh_tokens") == [(4, 3)]


def test_a_refresh_prolongs_the_session(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    owner.execute("UPDATE store.sessions SET expires_at = now() + interval '1 minute', last_used_at = '2020-01-01'")
    refresh(command, "1", "2", p_context={"ip": "203.0.113.8"})
    assert rows(
        owner,
        "SELECT expires_at > now() + interval '29 days', last_used_at > now() - interval '1 minute', host(ip)"
        " FROM store.sessions",
    ) == [(True, True, "203.0.113.8")]


def test_reuse_ends_the_session_for_every_token(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any], session: dict[str, Any]
) -> None:
    refresh(command, "1", "2")
    refresh(command, "2", "3")
    result = refresh(command, "1", "x")
    assert (result["refused"], result["session_id"]) == ("KI064", session["session_id"])
    assert rows(owner, "SELECT status, revoked_reason FROM store.sessions") == [("revoked", "refresh_reuse")]
    with refused("KI063"):
        refresh(command, "3", "4")


def test_reuse_leaves_other_sessions_alone(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    owner.execute("UPDATE store.store_settings SET otp_resend_seconds = 0")
    call(command, "send_otp", p_phone=PHONE, p_purpose="login", p_code_hash=b"\x01", p_ip=None)
    call(
        command,
        "verify_otp",
        p_phone=PHONE,
        p_purpose="login",
        p_code_hash=b"\x01",
        p_refresh_token_hash=sha256("other"),
    )
    refresh(command, "1", "2")
    refresh(command, "1", "x")
    assert "refused" not in refresh(command, "other", "other 2")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE store.sessions SET expires_at = now()",
        "UPDATE store.refresh_tokens SET expires_at = now()",
        "UPDATE store.sessions SET status = 'revoked', revoked_reason = 'logout'",
        "DELETE FROM store.refresh_tokens",
    ],
)
def test_a_session_that_is_over_stays_over(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any], change: Any
) -> None:
    owner.execute(change)
    with refused("KI063"):
        refresh(command, "1", "2")


def test_blocking_the_user_ends_the_session(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    owner.execute("UPDATE store.users SET status = 'blocked'")
    assert refresh(command, "1", "2")["refused"] == "KI065"
    assert rows(owner, "SELECT status, revoked_reason FROM store.sessions") == [("revoked", "blocked")]
    owner.execute("UPDATE store.users SET status = 'active'")
    with refused("KI063"):
        refresh(command, "1", "2")


def test_a_role_taken_away_is_gone_at_the_next_refresh(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any], session: dict[str, Any]
) -> None:
    owner.execute("INSERT INTO store.staff_members (user_id, role) VALUES (%s, 'owner')", (session["user_id"],))
    assert refresh(command, "1", "2")["role"] == "owner"
    owner.execute("UPDATE store.staff_members SET is_active = false")
    assert refresh(command, "2", "3")["role"] is None


def test_expired_tokens_of_the_session_are_tidied_away(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    refresh(command, "1", "2")
    owner.execute("UPDATE store.refresh_tokens SET expires_at = now() WHERE used_at IS NOT NULL")
    refresh(command, "2", "3")
    assert rows(owner, "SELECT token_hash, used_at IS NULL FROM store.refresh_tokens ORDER BY created_at") == [
        (sha256("2"), False),
        (sha256("3"), True),
    ]
