"""Logins at the same time, as named steps: who holds the lock, who waits for it, and what is true afterwards."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from app.core.security import sha256
from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import call, one, refused, rows

Connect = Callable[..., psycopg.Connection[Any]]
PHONE = "+919876543210"
RIGHT, WRONG = b"\x01" * 32, b"\x02" * 32


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def send(connection: psycopg.Connection[Any]) -> None:
    call(connection, "send_otp", p_phone=PHONE, p_purpose="login", p_code_hash=RIGHT, p_ip="203.0.113.7")


def verify(connection: psycopg.Connection[Any], token: str, code_hash: bytes = RIGHT, **more: object) -> str:
    """``in`` with a session, else the SQLSTATE of the refusal."""
    try:
        result = call(
            connection,
            "verify_otp",
            p_phone=PHONE,
            p_purpose="login",
            p_code_hash=code_hash,
            p_refresh_token_hash=sha256(token),
            **more,
        )
    except psycopg.Error as error:
        return str(error.sqlstate)
    return str(result.get("refused", "in"))


def refresh(connection: psycopg.Connection[Any], token: str, following: str, **more: object) -> str:
    """``in`` with the next token, else the SQLSTATE of the refusal."""
    hashes = {"p_refresh_token_hash": sha256(token), "p_new_refresh_token_hash": sha256(following)}
    try:
        result = call(connection, "refresh_session", **hashes, **more)
    except psycopg.Error as error:
        return str(error.sqlstate)
    return str(result.get("refused", "in"))


def in_transaction(connection: psycopg.Connection[Any]) -> None:
    """As a procedure that calls another: the transaction is ours, and so is the writer's role."""
    connection.execute("BEGIN")
    connection.execute("SET LOCAL ROLE kirana_writer")


def test_the_second_verify_waits_for_the_first_and_finds_the_code_spent(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor
) -> None:
    first, second = connect("command"), connect("command")
    send(first)
    in_transaction(first)
    assert verify(first, "first", p_own_tx=False) == "in"
    waiting = pool.submit(verify, second, "second")
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    assert waiting.result() == "KI062"
    assert rows(owner, "SELECT count(*) FROM store.sessions") == [(1,)]


def test_the_second_verify_has_its_turn_when_the_first_falls_through(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor
) -> None:
    first, second = connect("command"), connect("command")
    send(first)
    in_transaction(first)
    verify(first, "first", p_own_tx=False)
    waiting = pool.submit(verify, second, "second")
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("ROLLBACK")
    assert waiting.result() == "in"
    assert rows(owner, "SELECT token_hash FROM store.refresh_tokens") == [(sha256("second"),)]


def test_a_new_code_waits_for_a_verify_of_the_old_one(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor
) -> None:
    first, second = connect("command"), connect("command")
    owner.execute("UPDATE store.store_settings SET otp_resend_seconds = 0")
    send(first)
    in_transaction(first)
    verify(first, "first", p_own_tx=False)
    waiting = pool.submit(send, second)
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    waiting.result()
    assert rows(owner, "SELECT status FROM store.otp_verifications ORDER BY id") == [("verified",), ("pending",)]


@pytest.mark.parametrize(("rule", "phone"), [("otp_per_phone_hour", PHONE), ("otp_per_ip_hour", "+919800000001")])
def test_a_send_waits_for_another_to_be_counted(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor, rule: str, phone: str
) -> None:
    """Of one phone, or of one address whatever the phone: counting goes by turns."""
    owner.execute(f"UPDATE store.store_settings SET otp_resend_seconds = 0, {rule} = 1")  # type: ignore[call-overload]
    first, second = connect("command"), connect("command")
    in_transaction(first)
    values = {"p_purpose": "login", "p_code_hash": RIGHT, "p_ip": "203.0.113.7"}
    call(first, "send_otp", p_phone=PHONE, **values, p_own_tx=False)
    waiting = pool.submit(call, second, "send_otp", p_phone=phone, **values)
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    with refused("KI060"):
        waiting.result()
    assert rows(owner, "SELECT count(*) FROM store.otp_verifications") == [(1,)]


def test_parallel_guesses_each_count(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor
) -> None:
    contenders = [connect("command") for _ in range(8)]
    send(contenders[0])
    answers = list(pool.map(lambda n: verify(contenders[n], str(n), WRONG), range(8)))
    assert sorted(answers) == ["KI061"] * 5 + ["KI062"] * 3, "five attempts, however they arrive"
    assert rows(owner, "SELECT attempts, status FROM store.otp_verifications") == [(5, "exhausted")]


def test_parallel_first_logins_of_two_codes_make_one_user(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor
) -> None:
    """Two purposes have two codes, so nothing but the user's unique phone stands between these two."""
    first, second = connect("command"), connect("command")
    owner.execute("UPDATE store.store_settings SET otp_resend_seconds = 0")
    for purpose in ("login", "staff_invite"):
        call(first, "send_otp", p_phone=PHONE, p_purpose=purpose, p_code_hash=RIGHT, p_ip=None)
    in_transaction(first)
    verify(first, "first", p_own_tx=False)
    waiting = pool.submit(
        call,
        second,
        "verify_otp",
        p_phone=PHONE,
        p_purpose="staff_invite",
        p_code_hash=RIGHT,
        p_refresh_token_hash=sha256("second"),
    )
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    assert waiting.result()["is_new_user"] is False
    assert rows(owner, "SELECT count(*), count(DISTINCT user_id) FROM store.sessions") == [(2, 1)]
    assert rows(owner, "SELECT count(*) FROM store.users") == [(1,)]


@pytest.fixture
def logged_in(command: psycopg.Connection[Any]) -> None:
    send(command)
    assert verify(command, "1") == "in"


@pytest.mark.usefixtures("logged_in")
def test_the_second_refresh_of_a_token_waits_and_ends_the_session(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor
) -> None:
    first, second = connect("command"), connect("command")
    in_transaction(first)
    assert refresh(first, "1", "2", p_own_tx=False) == "in"
    waiting = pool.submit(refresh, second, "1", "x")
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    assert waiting.result() == "KI064"
    assert refresh(first, "2", "3") == "KI063"
    assert one(owner, "SELECT revoked_reason FROM store.sessions") == "refresh_reuse"


@pytest.mark.usefixtures("logged_in")
def test_a_refresh_that_waits_for_a_logout_is_refused(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor
) -> None:
    first, second = connect("command"), connect("command")
    user = one(owner, "SELECT id FROM store.users")
    in_transaction(first)
    call(first, "revoke_session", p_user_id=user, p_own_tx=False)
    waiting = pool.submit(refresh, second, "1", "2")
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    assert waiting.result() == "KI063"
    assert rows(owner, "SELECT count(*) FROM store.refresh_tokens") == [(1,)]


@pytest.mark.usefixtures("logged_in")
def test_logging_out_everywhere_waits_for_a_login_and_ends_it_too(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor
) -> None:
    first, second = connect("command"), connect("command")
    user = one(owner, "SELECT id FROM store.users")
    owner.execute("UPDATE store.store_settings SET otp_resend_seconds = 0")
    send(first)
    in_transaction(first)
    assert verify(first, "another", p_own_tx=False) == "in"
    waiting = pool.submit(call, second, "revoke_session", p_user_id=user)
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    assert len(waiting.result()["session_ids"]) == 2
    assert rows(owner, "SELECT DISTINCT status FROM store.sessions") == [("revoked",)]


def test_thirty_two_verifies_of_one_code_make_one_session(
    connect: Connect, owner: psycopg.Connection[Any], pool: ThreadPoolExecutor
) -> None:
    contenders = [connect("command") for _ in range(8)]
    send(contenders[0])

    def four_times(number: int) -> list[str]:
        return [verify(contenders[number], f"{number} {turn}") for turn in range(4)]

    answers = [answer for batch in pool.map(four_times, range(8)) for answer in batch]
    assert sorted(answers) == ["KI062"] * 31 + ["in"]
    assert rows(owner, "SELECT count(*) FROM store.sessions") == [(1,)]
    assert rows(owner, "SELECT count(*) FROM store.users") == [(1,)]
