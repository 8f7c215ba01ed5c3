"""The fixtures every test may use. Docs: docs/testing.md."""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import hypothesis
import psycopg
import pytest
import redis as redis_package
import redis.asyncio as async_redis

from app.core.config import Role, Settings
from app.core.embedded.redis import RedisServer, start_redis
from app.core.paths import ROOT
from tests.support.cluster import MIGRATED, RUN_DIR_VARIABLE, Cluster, broken_procedures, run_dir
from tests.support.cluster import cluster as start_cluster
from tests.support.databases import Database, cloned
from tests.support.fault_report import Report
from tests.support.reaper import WORKERS_LOCK

# A machine that is busy is no reason for a property to fail.
hypothesis.settings.register_profile(
    "kirana", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("kirana")

REAPER_SECONDS = 60
LONG_FORM_SECONDS = 3600
_worker_lock = pytest.StashKey[TextIO]()
_reaper = pytest.StashKey[subprocess.Popen[bytes]]()


def pytest_configure(config: pytest.Config) -> None:
    """In the controller: make the run's folder, and start the reaper that ends the run's servers."""
    if hasattr(config, "workerinput"):
        lock = (run_dir() / WORKERS_LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_SH)
        config.stash[_worker_lock] = lock  # held while this process lives
        return
    for name in [name for name in os.environ if name.startswith("KIRANA_") and name != "KIRANA_SHARED_DATA"]:
        del os.environ[name]  # a developer's settings must not reach the tests, nor the tests a developer's database
    path = Path(tempfile.mkdtemp(prefix="kirana-test-"))
    path.chmod(0o711)  # the server may run as a user of its own
    os.environ[RUN_DIR_VARIABLE] = str(path)
    config.stash[_reaper] = subprocess.Popen(
        [sys.executable, "-m", "tests.support.reaper", str(path)],
        stdin=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long forms run when they are asked for: ``-m long``, and may take their time."""
    asked = "long" in str(config.getoption("markexpr"))
    for item in items:
        if item.get_closest_marker("long") and asked:
            item.add_marker(pytest.mark.timeout(LONG_FORM_SECONDS))
        elif item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="a long form: runs with -m long"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """In the controller: let go of the reaper, and wait until it has ended the servers."""
    reaper = config.stash.get(_reaper, None)
    if reaper is not None:
        reaper.communicate(timeout=REAPER_SECONDS)
        os.environ.pop(RUN_DIR_VARIABLE, None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the procedures that did not install, which explains the failures above; and what the fault tests tried."""
    if RUN_DIR_VARIABLE not in os.environ:
        return
    if broken := broken_procedures():
        terminalreporter.section("procedures that did not install")
        for message in broken:
            terminalreporter.line(message, red=True)
    if lines := Report(run_dir()).lines():
        terminalreporter.section("faults")
        width = max(len(what) for what, *_ in lines)
        for what, tried, wrong, note in lines:
            terminalreporter.line(f"{what:<{width}}  {tried:>7,} tried  {wrong:>3} wrong  {note}")


@pytest.fixture(scope="session")
def faults_report() -> Report:
    """Where a fault test adds what it measured."""
    return Report(run_dir())


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The run's PostgreSQL cluster, with its templates."""
    return start_cluster()


@pytest.fixture(scope="session")
def redis_server() -> RedisServer:
    """A Redis of this worker's own; `redis` flushes it for each test."""
    return start_redis(run_dir() / f"redis-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator["redis_package.Redis"]:
    """A client of an empty Redis (bytes in, bytes out)."""
    with redis_package.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
async def aredis(redis: "redis_package.Redis", redis_server: RedisServer) -> AsyncIterator[async_redis.Redis]:
    """The same for asyncio."""
    client = async_redis.Redis.from_url(redis_server.url)
    yield client
    await client.aclose()


@pytest.fixture
def database(cluster: Cluster, redis_server: RedisServer) -> Iterator[Database]:
    """A database of this test's own: migrated, procedures installed, no other rows than the migrations' own."""
    with cloned(cluster, redis_url=redis_server.url) as made:
        yield made


@pytest.fixture
def bare_database(cluster: Cluster, redis_server: RedisServer) -> Iterator[Database]:
    """Like `database`, with no procedure installed."""
    with cloned(cluster, MIGRATED, redis_url=redis_server.url) as made:
        yield made


@pytest.fixture(scope="module")
def shared_database(cluster: Cluster, redis_server: RedisServer) -> Iterator[Database]:
    """Like `database`, one for the module: for tests that only read, or that keep out of each other's way."""
    with cloned(cluster, redis_url=redis_server.url) as made:
        yield made


@pytest.fixture
def settings(database: Database) -> Settings:
    """Settings that lead to `database` and to this worker's Redis."""
    return database.settings


@pytest.fixture
def connect(database: Database) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """``connect(role)`` opens a connection to `database`; all are closed at the end."""
    with ExitStack() as stack:

        def opened(role: Role = "owner", **options: Any) -> psycopg.Connection[Any]:
            return stack.enter_context(database.connect(role, **options))

        yield opened


@pytest.fixture
def owner(connect: Callable[..., psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """An autocommit connection as the owner."""
    return connect("owner")


@pytest.fixture
def command(connect: Callable[..., psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """An autocommit connection as kirana_command: what may CALL, and little else."""
    return connect("command")


@pytest.fixture
def query(connect: Callable[..., psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """An autocommit connection as kirana_query: what may SELECT."""
    return connect("query")


@pytest.fixture
def projector(connect: Callable[..., psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """An autocommit connection as kirana_projector."""
    return connect("projector")
