"""purge_expired_records: only what nothing can ask for any more, a batch at a time."""

from collections.abc import Callable
from typing import Any

import psycopg

from app.core.security import sha256
from tests.support.builders import call, make_user, one, rows

Connect = Callable[..., psycopg.Connection[Any]]
OTP = (
    "INSERT INTO store.otp_verifications (phone, code_hash, max_attempts, expires_at, created_at)"
    " VALUES (%s, '\\x01', 5, now() - make_interval(hours => %s), now() - make_interval(hours => %s))"
)


def make_session(owner: psycopg.Connection[Any], days: int) -> object:
    session = one(
        owner,
        "INSERT INTO store.sessions (user_id, expires_at) VALUES (%s, now() + make_interval(days => %s)) RETURNING id",
        make_user(owner),
        days,
    )
    owner.execute(
        "INSERT INTO store.refresh_tokens (token_hash, session_id, expires_at) VALUES (%s, %s, now())",
        (sha256(str(session)), session),
    )
    return session


def test_what_is_over_goes_and_the_rest_stays(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    owner.execute(OTP, ("+919800000001", 25, 25))
    owner.execute(OTP, ("+919800000002", 2, 2))
    over, live = make_session(owner, -1), make_session(owner, 1)
    for key, hours in (("old", -1), ("new", 1)):
        owner.execute(
            "INSERT INTO store.idempotency_keys (principal, operation, key, request_hash, result, expires_at)"
            " VALUES ('p', 'o', %s, '\\x01', '{}', now() + make_interval(hours => %s))",
            (key, hours),
        )
    result = call(command, "purge_expired_records")
    assert result == {"purged": 1, "otp_verifications": 1, "sessions": 1, "idempotency_keys": 1}
    assert rows(owner, "SELECT phone FROM store.otp_verifications") == [("+919800000002",)]
    assert rows(owner, "SELECT id FROM store.sessions") == [(live,)]
    assert rows(owner, "SELECT session_id FROM store.refresh_tokens") == [(live,)]
    assert rows(owner, "SELECT key FROM store.idempotency_keys") == [("new",)]
    assert over != live


def test_a_batch_is_no_larger_than_asked_for(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    for number in range(5):
        owner.execute(OTP, (f"+91980000000{number}", 30 + number, 30 + number))
        owner.execute("UPDATE store.otp_verifications SET status = 'superseded'")
    assert [call(command, "purge_expired_records", p_limit=2)["purged"] for _ in range(4)] == [2, 2, 1, 0]


def test_it_waits_for_nobody(
    connect: Connect, command: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    session = make_session(owner, -1)
    holder = connect("owner", autocommit=False)
    holder.execute("SELECT 1 FROM store.sessions WHERE id = %s FOR UPDATE", (session,))
    command.execute("SET lock_timeout = '1s'")
    assert call(command, "purge_expired_records")["sessions"] == 0
    holder.rollback()
    assert call(command, "purge_expired_records")["sessions"] == 1
