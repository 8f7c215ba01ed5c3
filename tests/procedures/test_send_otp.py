"""send_otp: one live code per phone, and the limits that hold whoever asks how often."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from pglast import ast

from tests.support.builders import call, one, refused, rows
from tests.tidy.procedure_source import ALL

Connect = Callable[..., psycopg.Connection[Any]]
PHONE = "+919876543210"


def send(connection: psycopg.Connection[Any], phone: str = PHONE, ip: str | None = "203.0.113.7") -> dict[str, Any]:
    return call(connection, "send_otp", p_phone=phone, p_purpose="login", p_code_hash=b"\x01" * 32, p_ip=ip)


def set_rules(owner: psycopg.Connection[Any], **rules: int) -> None:
    for name, value in rules.items():
        owner.execute(f"UPDATE store.store_settings SET {name} = {value}")  # type: ignore[call-overload]


def test_a_code_is_kept_with_the_rules_of_its_time(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    set_rules(owner, otp_seconds=120, otp_max_attempts=3)
    result = send(command)
    assert (result["expires_in"], result["resend_in"]) == (120, 30)
    assert rows(
        owner, "SELECT phone, status, attempts, max_attempts, expires_at - created_at FROM store.otp_verifications"
    ) == [(PHONE, "pending", 0, 3, one(owner, "SELECT interval '120 seconds'"))]


def test_a_new_code_supersedes_the_old_one(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    set_rules(owner, otp_resend_seconds=0)
    for _ in range(3):
        send(command)
    assert rows(owner, "SELECT status FROM store.otp_verifications ORDER BY id") == [
        ("superseded",),
        ("superseded",),
        ("pending",),
    ]


def test_a_code_of_another_purpose_stays(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    set_rules(owner, otp_resend_seconds=0)
    send(command)
    call(command, "send_otp", p_phone=PHONE, p_purpose="staff_invite", p_code_hash=b"\x01", p_ip=None)
    assert rows(owner, "SELECT DISTINCT status FROM store.otp_verifications") == [("pending",)]


def test_a_resend_must_wait(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    send(command)
    with refused("KI060") as refusal:
        send(command)
    assert refusal.detail["limit"] == "otp-resend"
    assert 1 <= refusal.detail["retry_after"] <= 30
    owner.execute("UPDATE store.otp_verifications SET created_at = created_at - interval '31 seconds'")
    send(command)


@pytest.mark.parametrize(("minutes", "wait"), [(10, 3000), (59, 60)])
def test_the_phones_hour_counts_back_from_now(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any], minutes: int, wait: int
) -> None:
    set_rules(owner, otp_per_phone_hour=2)
    for _ in range(2):
        send(command)
        owner.execute("UPDATE store.otp_verifications SET created_at = created_at - interval '1 minute'")
    owner.execute(
        "UPDATE store.otp_verifications SET created_at = now() - make_interval(mins => %s)"
        " WHERE id = (SELECT min(id::text)::uuid FROM store.otp_verifications)",
        (minutes,),
    )
    with refused("KI060") as refusal:
        send(command)
    assert refusal.detail["limit"] == "otp-phone"
    assert wait - 5 <= refusal.detail["retry_after"] <= wait, "until the oldest of them is an hour old"
    owner.execute(
        "UPDATE store.otp_verifications SET created_at = created_at - make_interval(mins => %s)", (60 - minutes,)
    )
    send(command)


def test_verified_codes_count_too(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    set_rules(owner, otp_resend_seconds=0, otp_per_phone_hour=1)
    send(command)
    owner.execute("UPDATE store.otp_verifications SET status = 'verified'")
    with refused("KI060"):
        send(command)


def test_the_longest_wait_is_told(command: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> None:
    set_rules(owner, otp_per_phone_hour=1, otp_per_ip_hour=1)
    send(command)
    owner.execute("UPDATE store.otp_verifications SET created_at = now() - interval '10 seconds'")
    with refused("KI060") as refusal:
        send(command)
    assert refusal.detail["retry_after"] > 3000


def test_an_ipv6_network_counts_as_one_address(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    set_rules(owner, otp_per_ip_hour=2)
    send(command, "+919800000001", "2001:db8:1:2::1")
    send(command, "+919800000002", "2001:db8:1:2:ffff::2")
    with refused("KI060") as refusal:
        send(command, "+919800000003", "2001:db8:1:2:1234::3")
    assert refusal.detail["limit"] == "otp-ip"
    send(command, "+919800000003", "2001:db8:1:3::3")


def test_a_refusal_leaves_the_pending_code_alone(
    command: psycopg.Connection[Any], owner: psycopg.Connection[Any]
) -> None:
    send(command)
    with refused("KI060"):
        send(command)
    assert rows(owner, "SELECT status FROM store.otp_verifications") == [("pending",)]


def test_parallel_sends_stay_within_the_limits(connect: Connect, owner: psycopg.Connection[Any]) -> None:
    """Each contender has its own connection; without the advisory locks several would read the same count."""
    set_rules(owner, otp_resend_seconds=0, otp_per_phone_hour=3, otp_per_ip_hour=4)
    contenders = [connect("command") for _ in range(8)]

    def attempt(number: int) -> bool:
        try:
            send(contenders[number], PHONE if number % 2 else f"+91980000000{number}")
        except psycopg.Error as error:
            if error.sqlstate != "KI060":
                raise
            return False
        return True

    with ThreadPoolExecutor(len(contenders)) as pool:
        sent = list(pool.map(attempt, range(len(contenders))))
    assert sum(sent) == 4
    assert one(owner, "SELECT count(*) FROM store.otp_verifications WHERE phone = %s", PHONE) <= 3
    assert one(owner, "SELECT count(*) FROM store.otp_verifications") == 4
    assert (
        one(owner, "SELECT count(*) FROM store.otp_verifications WHERE status = 'pending' AND phone = %s", PHONE) <= 1
    )


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT code_hash FROM store.otp_verifications",
        "INSERT INTO store.otp_verifications (phone) VALUES ('+919876543210')",
        "UPDATE store.otp_verifications SET attempts = 0",
        "DELETE FROM store.otp_verifications",
        "SELECT token_hash FROM store.refresh_tokens",
        "INSERT INTO store.refresh_tokens SELECT * FROM store.refresh_tokens",
        "SELECT * FROM store.sessions",
        "UPDATE store.sessions SET status = 'active'",
        "UPDATE store.users SET status = 'active'",
        "UPDATE store.users SET phone = '+919876543211'",
        "INSERT INTO store.users (phone) VALUES ('+919876543210')",
        "INSERT INTO store.staff_members (user_id, role) SELECT id, 'owner' FROM store.users",
    ],
)
@pytest.mark.parametrize("role", ["command", "query", "projector"])
def test_no_login_role_touches_identity_itself(shared_database: Any, role: Any, statement: str) -> None:
    with shared_database.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_who_is_known_is_not_looked_at() -> None:
    """Known and unknown phones take the same time because they take the same statements."""
    [source] = [one for one in ALL if one.name == "send_otp"]
    read = {table.relname for table in source.nodes(ast.RangeVar)}
    assert read == {"otp_verifications", "store_settings"}
