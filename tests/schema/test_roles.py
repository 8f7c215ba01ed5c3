"""The database, not convention, makes the command API call procedures: every role, every table, every verb, tried."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.support.databases import Database

VERBS = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
# what the command API's role may write itself (R25); of users, only the profile's columns
PLAIN = {"wishlists", "addresses"}
PROFILE = {"email", "full_name", "marketing_opt_in", "default_address_id", "version", "updated_at"}
APPEND_ONLY = {
    "outbox",
    "stock_movements",
    "money_movements",
    "order_events",
    "staff_actions",
    "invoices",
    "invoice_lines",
}


@pytest.fixture(scope="module")
def connections(shared_database: Database) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    opened: dict[str, psycopg.Connection[Any]] = {}

    def of(role: Any) -> psycopg.Connection[Any]:
        if role not in opened:
            opened[role] = shared_database.connect(role)
        return opened[role]

    yield of
    for connection in opened.values():
        connection.close()


def store_tables(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute("""
        SELECT c.relname FROM pg_class AS c
        WHERE c.relnamespace = 'store'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1
    """)
    return [name for (name,) in rows]


def attempt(connection: psycopg.Connection[Any], verb: str, table: str) -> str | None:
    """Try the verb for real, in a transaction that is rolled back; the SQLSTATE of what stopped it, or None."""
    statement = {
        "INSERT": f"INSERT INTO store.{table} DEFAULT VALUES",
        "UPDATE": f"UPDATE store.{table} SET {first_column(connection, table)} = DEFAULT WHERE false",
        "DELETE": f"DELETE FROM store.{table} WHERE false",
        "TRUNCATE": f"TRUNCATE store.{table}",
    }[verb]
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def first_column(connection: psycopg.Connection[Any], table: str) -> str:
    row = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attidentity = ''"
        " AND NOT attisdropped ORDER BY attnum LIMIT 1",
        [f"store.{table}"],
    ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("verb", VERBS)
def test_the_command_role_writes_nothing_but_by_call(connections: Any, verb: str) -> None:
    owner, command = connections("owner"), connections("command")
    refused = {table: attempt(command, verb, table) for table in store_tables(owner)}
    let_through = {table for table, sqlstate in refused.items() if sqlstate != "42501"}
    assert let_through == (PLAIN if verb != "TRUNCATE" else set()), f"{verb} must be refused on every other table"


def test_the_command_role_writes_the_profile_columns_only(connections: Any) -> None:
    owner, command = connections("owner"), connections("command")
    columns = [
        row[0]
        for row in owner.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'store.users'::regclass AND attnum > 0"
        )
    ]
    for column in columns:
        try:
            with command.transaction(force_rollback=True):
                command.execute(f"UPDATE store.users SET {column} = {column} WHERE false")
            allowed = True
        except psycopg.errors.InsufficientPrivilege:
            allowed = False
        assert allowed == (column in PROFILE), column


@pytest.mark.parametrize("role", ["query", "projector"])
@pytest.mark.parametrize("verb", VERBS)
def test_readers_write_nothing_in_store(connections: Any, role: str, verb: str) -> None:
    refused = {table: attempt(connections(role), verb, table) for table in store_tables(connections("owner"))}
    assert set(refused.values()) == {"42501"}, refused


def test_readers_see_no_secret(connections: Any) -> None:
    for role in ("query", "projector"):
        for table in ("otp_verifications", "sessions", "refresh_tokens", "idempotency_keys", "payment_events"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connections(role).execute(f"SELECT * FROM store.{table} LIMIT 0")


@pytest.mark.parametrize("table", sorted(APPEND_ONLY))
def test_ledgers_are_append_only_even_for_the_writer(connections: Any, table: str) -> None:
    owner = connections("owner")
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        owner.execute("SET ROLE kirana_writer")
        try:
            assert attempt(owner, verb, table) == "42501"
        finally:
            owner.execute("RESET ROLE")


def test_nobody_may_call_what_the_file_does_not_grant(connections: Any) -> None:
    owner = connections("owner")
    rows = owner.execute("""
        SELECT p.proname FROM pg_proc AS p
        WHERE p.pronamespace = 'store'::regnamespace
            AND (has_function_privilege('kirana_query', p.oid, 'EXECUTE')
                OR has_function_privilege('kirana_projector', p.oid, 'EXECUTE')
                OR NOT has_function_privilege('kirana_writer', p.oid, 'EXECUTE')
                OR EXISTS (SELECT 1 FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0))
    """).fetchall()
    assert rows == []


def test_there_are_no_functions_and_no_triggers(connections: Any) -> None:
    """R17, in the live database."""
    owner = connections("owner")
    kinds = owner.execute(
        "SELECT DISTINCT prokind FROM pg_proc WHERE pronamespace IN ('store'::regnamespace)"
    ).fetchall()
    assert kinds == [("p",)]
    triggers = owner.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal").fetchall()
    assert triggers == []


def test_a_procedure_has_one_signature(connections: Any) -> None:
    """CREATE OR REPLACE with another parameter makes an overload, and the next CALL is ambiguous."""
    twice = (
        connections("owner")
        .execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'store'::regnamespace GROUP BY 1 HAVING count(*) > 1"
        )
        .fetchall()
    )
    assert twice == []


def test_a_query_takes_one_core_whatever_a_pooler_does_with_options(connections: Callable[..., Any]) -> None:
    found = connections("owner").execute("SELECT rolconfig FROM pg_roles WHERE rolname = 'kirana_query'").fetchone()
    assert "max_parallel_workers_per_gather=0" in found[0]
    assert connections("query").execute("SHOW max_parallel_workers_per_gather").fetchone() == ("0",)
