"""A whole store as it runs in production: real processes, each of which can be killed and comes back.

Two command APIs (one reaches PostgreSQL through a pipe that can be stalled or cut), a query API, two projectors (one
leads, one stands by), two workers, a durable PostgreSQL and a Redis of its own. What is killed is started again at
once, as a service manager would.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from app.core.config import NotConfigured
from app.core.embedded.postgres import start_postgres, stop_postgres
from app.core.embedded.redis import redis_status, start_redis, stop_redis
from app.core.migrations import upgrade
from app.core.paths import ROOT
from app.core.procedure_files import install
from tests.faults.pipe import Pipe
from tests.support.cluster import Cluster, run_dir
from tests.support.databases import Database, settings_for
from tests.support.processes import full_environment, wait_until_ready

NAME = "kirana"
GONE_SECONDS = 60
LISTEN = range(23_000, 31_000)  # below the range that the system gives to clients


@dataclass
class Daemon:
    """A process that is started again whenever it was killed; ``base`` is where it serves, if it does."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    log: Path
    base: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it need not be ready when this returns."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.arguments],
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def ready(self) -> None:
        """Wait until it serves."""
        if self.base and self.process is not None:
            wait_until_ready(self.base, self.process)


@dataclass
class Plant:
    """The running store."""

    folder: Path
    postgres: Path
    database: Database
    pipe: Pipe
    daemons: dict[str, Daemon] = field(default_factory=dict)

    @property
    def commands(self) -> list[str]:
        """Where the command APIs serve."""
        return [daemon.base for name, daemon in self.daemons.items() if name.startswith("command")]

    @property
    def query(self) -> str:
        """Where the query API serves."""
        return self.daemons["query api"].base

    def kill_daemon(self, name: str) -> None:
        """Kill one of Kirana's own processes and start it again."""
        self.daemons[name].kill()
        self.daemons[name].start()

    def kill_redis(self) -> None:
        """Kill Redis; it comes back empty."""
        running = redis_status(self.folder / "redis")
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        gone(running.pid)
        start_redis(self.folder / "redis")

    def kill_postgres(self) -> None:
        """Kill the postmaster: a crash, not a shutdown. It recovers from its write-ahead log when it is started."""
        running = start_postgres(self.postgres)
        os.kill(running.pid, signal.SIGKILL)
        gone(running.pid)
        self.revive_postgres()

    def revive_postgres(self) -> None:
        """Start PostgreSQL where it is not running, as soon as it can be."""
        end = time.monotonic() + GONE_SECONDS
        while True:
            try:
                start_postgres(self.postgres)
                return
            except NotConfigured:  # its old children are still letting go of the shared memory
                assert time.monotonic() < end, "PostgreSQL did not come back"
                time.sleep(0.1)

    def kill_backend(self) -> None:
        """Kill one connection's server process: PostgreSQL ends all others, and recovers."""
        found = self.backends()
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(found), signal.SIGKILL)

    def cut_connections(self) -> None:
        """Terminate every connection in mid-call, as a failover or an administrator does."""
        with contextlib.suppress(psycopg.OperationalError), self.database.connect() as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND usename LIKE 'kirana%'"
            )

    def backends(self) -> list[int]:
        """The server processes of Kirana's connections."""
        with contextlib.suppress(psycopg.OperationalError), self.database.connect() as owner:
            query = "SELECT pid FROM pg_stat_activity WHERE usename = 'kirana_command'"
            return [pid for (pid,) in owner.execute(query).fetchall()]
        return []


def gone(pid: int) -> None:
    """Wait until no such process is there."""
    end = time.monotonic() + GONE_SECONDS
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        assert time.monotonic() < end, f"process {pid} does not go"
        time.sleep(0.02)


@contextmanager
def servers(folder: Path, postgres: Path) -> Iterator[Database]:
    """A durable PostgreSQL with the schema and the procedures, and a Redis."""
    server = start_postgres(postgres, durable=True)
    redis = start_redis(folder / "redis")
    try:
        database = Database(NAME, Cluster(server), settings_for(Cluster(server), NAME, redis.url))
        upgrade("postgresql+psycopg" + database.dsn().removeprefix("postgresql"))
        with database.connect() as owner:
            install(owner)
        yield database
    finally:
        stop_redis(folder / "redis")
        stop_postgres(postgres, fast=True)


@asynccontextmanager
async def plant(name: str, postgres: Path | None = None) -> AsyncIterator[Plant]:
    """The whole store, ready; every process is ended afterwards by its pid. ``postgres``: its data, if elsewhere."""
    folder = run_dir() / name
    folder.mkdir()
    folder.chmod(0o711)
    data = postgres or folder / "postgres"
    with servers(folder, data) as database:
        socket = Path(database.cluster.server.socket_dir) / f".s.PGSQL.{database.cluster.server.port}"
        async with Pipe(socket) as pipe:
            made = Plant(folder, data, database, pipe)
            made.daemons = {daemon.name: daemon for daemon in daemons(made)}
            try:
                for daemon in made.daemons.values():
                    daemon.start()
                for daemon in made.daemons.values():
                    await pipe.meanwhile(daemon.ready)
                yield made
            finally:
                for daemon in made.daemons.values():
                    if daemon.process is not None:
                        daemon.kill()


def daemons(made: Plant) -> Iterator[Daemon]:
    """Kirana's own processes."""
    quiet = {"KIRANA_COMMAND_RATE_LIMIT": "0"}
    environment = full_environment(made.database, **quiet)
    piped = f"postgresql://kirana_command@127.0.0.1:{made.pipe.port}/{NAME}?connect_timeout=3"
    ports = random.sample(LISTEN, 3)
    served = [
        ("command api", "command_api.main:app", environment),
        ("command api behind the pipe", "command_api.main:app", environment | {"KIRANA_COMMAND_DATABASE_URL": piped}),
        ("query api", "query_api.main:app", environment),
    ]
    for port, (name, application, variables) in zip(ports, served, strict=True):
        arguments = ["-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
        log = made.folder / f"{name.replace(' ', '-')}.log"
        yield Daemon(name, [*arguments, "--log-level", "warning"], variables, log, f"http://127.0.0.1:{port}")
    for kind, arguments in (("projector", ["projections", "run"]), ("worker", ["worker", "--interval", "0.2"])):
        for number in (1, 2):
            log = made.folder / f"{kind}-{number}.log"
            yield Daemon(f"{kind} {number}", ["-m", "app.cli", *arguments], environment, log)
