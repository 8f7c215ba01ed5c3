"""`kirana doctor` finds what is broken and says what mends it: each break is made for real, and mended as it says."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from pydantic import SecretStr

from app.core.config import Settings
from app.core.embedded.postgres import start_postgres, stop_postgres
from app.core.embedded.redis import RedisServer
from app.core.procedure_files import install
from app.doctor import flow
from app.doctor.examination import examine
from app.doctor.findings import Finding, Patient
from app.doctor.setup import logins
from projections.partitions import prune
from tests.support.cli import environment_for, kirana
from tests.support.cluster import run_dir
from tests.support.databases import TEST_SECRETS, Database

# the test cluster may lose all it has, and says so
DURABILITY = {"fsync", "full_page_writes", "synchronous_commit"}


def findings(settings: Settings) -> dict[str, Finding]:
    return {f"{finding.area}/{finding.name}": finding for finding in examine(settings)}


def ill(settings: Settings) -> dict[str, Finding]:
    return {
        name: finding
        for name, finding in findings(settings).items()
        if finding.state != "ok" and finding.name not in DURABILITY
    }


def test_a_good_database_is_well_and_every_area_is_looked_at(settings: Settings) -> None:
    found = findings(settings)
    assert ill(settings) == {}
    areas = {finding.area for finding in found.values()}
    assert areas == {
        *(
            "money",
            "settings",
            "logins",
            "PostgreSQL",
            "Redis",
            "clocks",
            "schema",
            "roles",
            "grants",
            "flow",
            "events out",
            "transactions",
        )
    }
    assert found["PostgreSQL/fsync"].state == "failed", "the test cluster has none, and the doctor sees it"
    assert "ALTER SYSTEM SET fsync = on" in found["PostgreSQL/fsync"].mend


def test_the_doctor_can_change_nothing(settings: Settings) -> None:
    patient = Patient(settings)
    try:
        assert {finding.state for finding in logins(patient)} == {"ok"}
        for connection in patient.connections.values():
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute("CREATE TABLE public.trace ()")
    finally:
        patient.close()


def test_a_table_that_is_locked_is_one_finding(settings: Settings, owner: psycopg.Connection[Any]) -> None:
    with owner.transaction():
        owner.execute("LOCK TABLE store.outbox IN ACCESS EXCLUSIVE MODE")
        found = ill(settings)
    assert found["flow/could not look"].state == "failed"
    assert "lock timeout" in found["flow/could not look"].seen


def test_no_database_at_all_is_a_report_too(tmp_path: Path) -> None:
    found = kirana("doctor", environment={"KIRANA_DATA_DIR": str(tmp_path)})
    assert found.returncode == 1
    assert found.stderr == ""
    assert "✗ logins, as command: no PostgreSQL is running" in found.stdout
    assert "→ run `kirana servers start`" in found.stdout
    assert "✗ settings, secrets: not set: KIRANA_JWT_SECRET" in found.stdout
    assert "✗ Redis, answers:" in found.stdout


def test_a_server_that_does_not_answer(settings: Settings) -> None:
    nowhere = SecretStr("postgresql://kirana_command:hunter2@127.0.0.1:1/kirana")
    found = ill(settings.model_copy(update={"command_database_url": nowhere}))
    assert set(found) == {"logins/as command"}
    assert "KIRANA_COMMAND_DATABASE_URL" in found["logins/as command"].mend
    assert "hunter2" not in str(found)


def test_a_login_that_is_somebody_else(settings: Settings) -> None:
    found = ill(settings.model_copy(update={"query_database_url": settings.owner_database_url}))
    assert found["logins/as query"].seen == "works as postgres"


def test_a_database_that_nobody_migrated(database: Database) -> None:
    empty = f"{database.name}_empty"
    database.cluster.create_database(empty, "template0")
    try:
        urls = {
            f"{role}_database_url": SecretStr(database.dsn(role).replace(f"/{database.name}?", f"/{empty}?"))
            for role in ("owner", "command", "query", "projector")
        }
        found = ill(database.settings.model_copy(update=urls))
    finally:
        database.cluster.drop_database(empty)
    assert set(found) == {"schema/migrations"}
    assert found["schema/migrations"].mend == "run `kirana migrate`"


def test_an_old_revision(settings: Settings, owner: psycopg.Connection[Any]) -> None:
    owner.execute("UPDATE public.alembic_version SET version_num = '0001'")
    assert ill(settings)["schema/migrations"].seen.startswith("at 0001, newest is ")


def test_procedures_that_are_not_as_their_files_say(settings: Settings, owner: psycopg.Connection[Any]) -> None:
    owner.execute("DROP PROCEDURE store.send_otp")
    owner.execute("CREATE PROCEDURE store.by_hand() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$")
    found = ill(settings)
    assert found["schema/procedures"].seen == "by_hand (extra), send_otp (missing)"
    assert "`kirana procedures install`" in found["schema/procedures"].mend
    assert found["grants/who may CALL"].seen == "PUBLIC may call by_hand"
    owner.execute("DROP PROCEDURE store.by_hand")
    install(owner)
    assert ill(settings) == {}


@pytest.mark.parametrize(
    ("statement", "name", "seen"),
    [
        ("GRANT UPDATE ON store.orders TO kirana_command", "what must not be", "command has UPDATE on store.orders"),
        ("GRANT DELETE ON store.outbox TO kirana_writer", "what must not be", "writer has DELETE on store.outbox"),
        ("GRANT SELECT ON store.sessions TO kirana_query", "what must not be", "query has SELECT on store.sessions"),
        ("REVOKE INSERT ON store.orders FROM kirana_writer", "what must be", "writer lacks INSERT on store.orders"),
        ("REVOKE SELECT ON store.outbox FROM kirana_projector", "what must be", "projector lacks SELECT on"),
    ],
)
def test_a_hole_in_the_wall_and_a_door_that_is_shut(
    settings: Settings, owner: psycopg.Connection[Any], statement: str, name: str, seen: str
) -> None:
    owner.execute(statement.encode())
    [found] = ill(settings).values()
    assert (found.area, found.name, found.state) == ("grants", name, "failed")
    assert seen in found.seen
    assert "0002_roles_and_reference_data.py" in found.mend


def test_pools_that_do_not_fit(settings: Settings) -> None:
    found = ill(settings.model_copy(update={"command_pool_size": 100_000}))
    assert found["PostgreSQL/connections"].state == "failed"
    assert "PgBouncer" in found["PostgreSQL/connections"].mend


def test_redis_that_is_away_is_one_finding(settings: Settings) -> None:
    found = ill(settings.model_copy(update={"redis_url": SecretStr("redis://:hunter2@127.0.0.1:1/0")}))
    assert set(found) == {"Redis/answers"}
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(("ahead", "state"), [(3.0, "warning"), (-60.0, "failed")])
def test_a_clock_that_is_wrong(settings: Settings, monkeypatch: pytest.MonkeyPatch, ahead: float, state: str) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + ahead)
    found = ill(settings)
    assert {name: finding.state for name, finding in found.items()} == {
        "clocks/Redis and this machine": state,
        "clocks/PostgreSQL and this machine": state,
    }


def test_settings_that_production_must_not_have(settings: Settings) -> None:
    found = ill(settings.model_copy(update={"environment": "production", "jwt_secret": None, "otp_sender": "file"}))
    assert found["settings/secrets"].state == "failed"
    assert "KIRANA_JWT_SECRET" in found["settings/secrets"].seen
    assert found["settings/one-time passwords"].state == "failed"
    assert found["settings/proxies"].state == "warning"


def append(owner: psycopg.Connection[Any], age: str = "0 s", position: int | None = None) -> None:
    """A row of the outbox, of that age, at the next position or at this one."""
    owner.execute(
        "INSERT INTO store.outbox (position, topic, view_key, aggregate_type, aggregate_id, aggregate_version, type,"
        " created_at) OVERRIDING SYSTEM VALUE SELECT COALESCE(%s, nextval('store.outbox_position_seq')), 'catalog',"
        " gen_random_uuid(), 'product', gen_random_uuid(), 1, 'product.saved', now() - %s::interval",
        (position, age),
    )


def test_views_that_fall_behind(settings: Settings, owner: psycopg.Connection[Any]) -> None:
    append(owner, "30 s")
    found = ill(settings)
    assert {finding.state for finding in found.values()} == {"warning"}
    append(owner, "5 min")
    owner.execute(
        "INSERT INTO read.projection_checkpoints (projection, shard, generation, position)"
        " VALUES ('catalog', 0, 1, 1), ('orders', 0, 1, 2)"
    )
    found = ill(settings)
    assert set(found) == {"flow/projection catalog"}, "orders has read everything"
    assert found["flow/projection catalog"].state == "failed"
    assert "kirana projections run" in found["flow/projection catalog"].mend


def test_rows_that_were_parked(settings: Settings, owner: psycopg.Connection[Any]) -> None:
    owner.execute(
        "INSERT INTO read.dead_letters (projection, view_key, position, sqlstate, error)"
        " VALUES ('orders', gen_random_uuid(), 7, '22003', 'out of range')"
    )
    assert ill(settings)["flow/parked view rows"].seen == "orders: 1 (such as SQLSTATE 22003)"


def test_an_outbox_that_runs_out_of_partitions(settings: Settings, owner: psycopg.Connection[Any]) -> None:
    """What the doctor says to run mends it."""
    append(owner, position=39_999_990)
    owner.execute(
        "INSERT INTO read.projection_checkpoints (projection, shard, generation, position)"
        " VALUES ('catalog', 0, 1, 39999990), ('orders', 0, 1, 39999990)"
    )
    [found] = ill(settings).values()
    assert (found.name, found.state) == ("outbox partitions", "warning")
    assert "kirana projections prune" in found.mend
    prune(owner)
    assert ill(settings) == {}
    append(owner, position=99_999_999)
    assert ill(settings)["flow/outbox partitions"].state == "failed"


def test_a_transaction_that_keeps_the_projector_waiting(
    settings: Settings, owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "LONG_WARNING_SECONDS", 0)
    with owner.transaction():
        append(owner)
        found = {name: finding for name, finding in ill(settings).items() if finding.area == "transactions"}
        [waited] = found.values()
        assert waited.state == "failed"
        assert "the projector waits for it" in waited.seen
        assert f"pg_terminate_backend({owner.info.backend_pid})" in waited.mend


def test_the_report_for_machines(database: Database, settings: Settings) -> None:
    found = kirana("doctor", "--json", "--problems", environment=environment_for(database) | secrets())
    document = orjson.loads(found.stdout)
    assert found.returncode == 1
    assert document["ok"] is False
    assert {finding["name"] for finding in document["findings"]} <= DURABILITY
    assert set(document["findings"][0]) == {"area", "name", "state", "seen", "mend"}


def secrets() -> dict[str, str]:
    return {
        f"KIRANA_{name.upper()}": value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in TEST_SECRETS.items()
    }


@dataclass(frozen=True)
class Store:
    """A store as docs/operations.md sets one up: ``environment`` leads to it, ``superuser`` is a DSN."""

    environment: dict[str, str]
    superuser: str


@pytest.fixture(scope="module")
def store(redis_server: RedisServer) -> Iterator[Store]:
    """On a cluster of the module's own, which promises what production's does, and whose roles can be broken."""
    folder = run_dir() / f"durable-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    server = start_postgres(folder)
    try:
        with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute("CREATE ROLE kirana_owner LOGIN CREATEROLE")
            connection.execute("CREATE DATABASE shop OWNER kirana_owner ENCODING 'UTF8' TEMPLATE template0")
        superuser = server.dsn(database="shop")
        urls = {
            f"KIRANA_{role}_DATABASE_URL": superuser.replace("postgres@", f"kirana_{role.lower()}@", 1)
            for role in ("OWNER", "COMMAND", "QUERY", "PROJECTOR")
        }
        more = {"KIRANA_REDIS_URL": redis_server.url, "KIRANA_DATA_DIR": str(folder / "data")}
        made = Store(urls | secrets() | more, superuser)
        for command in (("migrate",), ("procedures", "install")):
            done = kirana(*command, environment=made.environment)
            assert done.returncode == 0, done.stderr
        yield made
    finally:
        stop_postgres(folder)


def test_a_store_set_up_as_the_page_says_is_well(store: Store) -> None:
    found = kirana("doctor", "--problems", environment=store.environment)
    assert found.returncode == 0, found.stdout
    assert found.stdout.count("!") == 1
    assert "→ as a superuser: GRANT pg_read_all_stats TO kirana_owner" in found.stdout
    with psycopg.connect(store.superuser, autocommit=True) as connection:
        connection.execute("GRANT pg_read_all_stats TO kirana_owner")
    found = kirana("doctor", "--problems", environment=store.environment)
    assert found.returncode == 0
    assert re.fullmatch(r"\d+ checks: 0 failed, 0 to be looked at\n", found.stdout), found.stdout


@pytest.mark.parametrize(
    ("breaks", "mends", "said"),
    [
        (
            "GRANT kirana_writer TO kirana_command WITH INHERIT TRUE",
            "GRANT kirana_writer TO kirana_command WITH INHERIT FALSE",
            "inherits it, or hands it on: the API can write without a procedure",
        ),
        (
            "GRANT kirana_writer TO kirana_command WITH SET FALSE",
            "GRANT kirana_writer TO kirana_command WITH SET TRUE",
            "can't SET ROLE to it",
        ),
        ("ALTER ROLE kirana_query SUPERUSER", "ALTER ROLE kirana_query NOSUPERUSER", "powers over the whole cluster"),
        ("ALTER ROLE kirana_writer LOGIN", "ALTER ROLE kirana_writer NOLOGIN", "kirana_writer: is LOGIN"),
        (
            "ALTER ROLE kirana_command SET synchronous_commit = off",
            "ALTER ROLE kirana_command RESET synchronous_commit",
            "an answered order may be gone",
        ),
    ],
)
def test_roles_that_are_not_as_they_should_be(store: Store, breaks: str, mends: str, said: str) -> None:
    # a membership is its grantor's to change: here the owner's, who migrated
    grantor = store.environment["KIRANA_OWNER_DATABASE_URL"] if breaks.startswith("GRANT") else store.superuser
    with psycopg.connect(grantor, autocommit=True) as connection:
        connection.execute(breaks.encode())
        found = kirana("doctor", "--problems", environment=store.environment)
        connection.execute(mends.encode())
    assert found.returncode == 1, found.stdout
    assert said in found.stdout
    assert mends.split(" WITH ", maxsplit=1)[0] in found.stdout, "the mend is the statement that mends it"
