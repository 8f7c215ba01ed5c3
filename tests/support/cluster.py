"""One throwaway PostgreSQL cluster for the whole run, shared by all workers, and the templates that databases clone.

It starts when a test first asks for it, so that a run without databases waits for none. Whoever asks first (under a
file lock) makes the templates; `tests/support/reaper.py` ends the servers when the run ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from app.core.embedded.postgres import PostgresServer, start_postgres
from app.core.migrations import upgrade
from app.core.paths import ROOT
from app.core.procedure_files import InstallError, install, load_files

RUN_DIR_VARIABLE = "KIRANA_TEST_RUN_DIR"
MIGRATED = "template_migrated"
INSTALLED = "template_installed"


def run_dir() -> Path:
    """The folder of this run: servers, sockets, locks."""
    return Path(os.environ[RUN_DIR_VARIABLE])


@contextmanager
def run_lock(name: str) -> Iterator[None]:
    """One worker of this run at a time."""
    with (run_dir() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Cluster:
    """The run's cluster. Its templates hold: the migrated schema; the same with the procedures installed."""

    server: PostgresServer

    def create_database(self, name: str, template: str) -> None:
        """Clone ``template``. Measured without fsync, per clone: FILE_COPY 22-26 ms, WAL_LOG 40-70 ms."""
        with self.admin() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )

    def drop_database(self, name: str) -> None:
        """Drop it, ending whatever is still connected."""
        with self.admin() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def admin(self) -> psycopg.Connection:
        """An autocommit connection as superuser to the `postgres` database."""
        return psycopg.connect(self.server.dsn(database="postgres"), autocommit=True)


def cluster() -> Cluster:
    """The run's cluster, started and with its templates made, by whichever worker comes first."""
    made = run_dir() / "templates.made"
    with run_lock("cluster"):
        server = start_postgres(run_dir() / "postgres", durable=False)
        found = Cluster(server)
        if not made.exists():
            make_templates(found)
            made.touch()
    return found


def make_templates(found: Cluster) -> None:
    """Migrate one template and install the procedures in a clone of it."""
    found.create_database(MIGRATED, "template0")
    if (ROOT / "migrations" / "env.py").exists():
        upgrade("postgresql+psycopg" + found.server.dsn(database=MIGRATED).removeprefix("postgresql"))
    found.create_database(INSTALLED, MIGRATED)
    with psycopg.connect(found.server.dsn(database=INSTALLED), autocommit=True) as connection:
        # the compiler's own lint: shadowed names, wrong numbers of INTO targets
        connection.execute("SET plpgsql.extra_errors = 'all'")
        install_what_installs(connection)
        connection.execute("VACUUM (ANALYZE, FREEZE)")


def install_what_installs(connection: psycopg.Connection) -> None:
    """Install all procedures; when some fail, the others, so that one broken file fails its own tests only.

    `tests/infra/test_procedures_install.py` fails whenever a file does not install.
    """
    try:
        install(connection)
    except InstallError:
        for file in load_files():
            try:
                install(connection, [file])
            except InstallError as error:
                (run_dir() / f"broken-{file.name}").write_text(str(error))


def broken_procedures() -> list[str]:
    """What did not install, one message a file."""
    return sorted(path.read_text() for path in run_dir().glob("broken-*"))
