"""The embedded servers: started once, found again, stopped by their own pid, never somebody else's."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from app.core.config import NotConfigured
from app.core.embedded.pidfile import read_postmaster
from app.core.embedded.postgres import pg_bin, postgres_status, start_postgres, stop_postgres
from app.core.embedded.redis import redis_status, start_redis, stop_redis
from app.core.paths import socket_dir
from tests.support.cluster import run_dir


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder below the run's own, so that the reaper ends what a failing test leaves running."""
    path = Path(tempfile.mkdtemp(prefix="redis-embedded-", dir=run_dir()))
    path.chmod(0o711)
    yield path
    stop_postgres(path / "postgres", fast=True)
    shutil.rmtree(path)


def test_postgres_starts_once_and_keeps_what_it_holds(place: Path) -> None:
    pgdata = place / "postgres"
    first = start_postgres(pgdata)
    again = start_postgres(pgdata)
    assert (first.started, again.started) == (True, False)
    assert first.pid == again.pid
    with psycopg.connect(first.dsn(), autocommit=True) as connection:
        durable = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
        assert durable == [("on",), ("on",)]
        connection.execute("CREATE EXTENSION pg_stat_statements")
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert stop_postgres(pgdata)
    assert not stop_postgres(pgdata)
    assert postgres_status(pgdata) is None
    with psycopg.connect(start_postgres(pgdata).dsn()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_redis_starts_once_and_keeps_nothing(place: Path) -> None:
    first = start_redis(place)
    again = start_redis(place)
    assert (first.started, again.started) == (True, False)
    with Redis.from_url(first.url) as client:
        client.set("a", "b")
        assert client.config_get("save") == {"save": ""}
    assert stop_redis(place)
    assert not stop_redis(place)
    assert redis_status(place) is None
    with Redis.from_url(start_redis(place).url) as client:
        assert client.get("a") is None
    assert stop_redis(place)


def test_a_long_path_gets_a_short_socket(place: Path) -> None:
    deep = place / ("d" * 120)
    deep.mkdir()
    server = start_redis(deep)
    try:
        with Redis.from_url(server.url) as client:
            assert client.ping()
        assert server.socket.parent == socket_dir(deep, "redis.sock") != deep
    finally:
        stop_redis(deep)
        shutil.rmtree(server.socket.parent)


def test_a_pid_file_that_a_crash_left_behind_is_nobodys(place: Path) -> None:
    pgdata = place / "postgres"
    pgdata.mkdir()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        lines = [str(stranger.pid), str(pgdata), "1700000000", "5432", str(pgdata), "", " 1 2", "ready"]
        (pgdata / "postmaster.pid").write_text("\n".join(lines))
        assert read_postmaster(pgdata) is None
        assert not stop_postgres(pgdata)
        (place / "redis.pid").write_text(str(stranger.pid))
        assert not stop_redis(place)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_start_that_fails_says_why_in_one_line(place: Path) -> None:
    pgdata = place / "postgres"
    start_postgres(pgdata, durable=False)
    stop_postgres(pgdata, fast=True)
    with (pgdata / "postgresql.conf").open("a") as conf:
        conf.write("shared_buffers = nonsense\n")
    with pytest.raises(NotConfigured, match=r"^pg_ctl failed: [^\n]+$"):
        start_postgres(pgdata, durable=False)


def test_the_programs_are_those_of_postgresql_18() -> None:
    said = subprocess.run([str(pg_bin("psql")), "--version"], capture_output=True, text=True, check=True).stdout
    assert " 18." in said
    with pytest.raises(NotConfigured, match="no program nonsense"):
        pg_bin("nonsense")
