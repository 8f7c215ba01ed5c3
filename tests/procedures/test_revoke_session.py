"""revoke_session: one session or all of a user's, as often as one likes."""

import uuid
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import call, make_user, one, rows


def make_session(owner: psycopg.Connection[Any], user: UUID) -> UUID:
    made: UUID = one(
        owner,
        "INSERT INTO store.sessions (user_id, expires_at) VALUES (%s, now() + interval '1 day') RETURNING id",
        user,
    )
    return made


@pytest.fixture
def user(owner: psycopg.Connection[Any]) -> UUID:
    return make_user(owner)


def test_one_session_ends(command: psycopg.Connection[Any], owner: psycopg.Connection[Any], user: UUID) -> None:
    first, second = make_session(owner, user), make_session(owner, user)
    assert call(command, "revoke_session", p_user_id=user, p_session_id=first) == {"session_ids": [str(first)]}
    assert rows(owner, "SELECT id, status, revoked_reason FROM store.sessions ORDER BY id") == [
        (first, "revoked", "logout"),
        (second, "active", None),
    ]
    assert call(command, "revoke_session", p_user_id=user, p_session_id=first) == {"session_ids": []}


def test_all_sessions_end_but_those_of_others(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any], user: UUID
) -> None:
    mine = {str(make_session(owner, user)) for _ in range(3)}
    other = make_session(owner, make_user(owner))
    assert set(call(command, "revoke_session", p_user_id=user)["session_ids"]) == mine
    assert rows(owner, "SELECT id FROM store.sessions WHERE status = 'active'") == [(other,)]
    assert rows(owner, "SELECT DISTINCT revoked_reason FROM store.sessions WHERE status = 'revoked'") == [
        ("logout_all",)
    ]


def test_nobody_ends_anothers_session(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any], user: UUID
) -> None:
    other = make_session(owner, make_user(owner))
    assert call(command, "revoke_session", p_user_id=user, p_session_id=other) == {"session_ids": []}
    assert call(command, "revoke_session", p_user_id=uuid.uuid4()) == {"session_ids": []}
    assert rows(owner, "SELECT status FROM store.sessions") == [("active",)]
