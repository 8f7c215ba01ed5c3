"""PostgreSQL's client programs: those on the PATH, else the embedded wheel's; never older than the server."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.commands.console import CommandFailed, one_line
from app.core.config import NotConfigured
from app.core.embedded.postgres import pg_bin


def program(name: str, server_version: int) -> Path:
    """Where the program is. ``server_version`` as libpq gives it: 180001 is 18.1. Raises CommandFailed without one."""
    found = [Path(path) for path in [shutil.which(name)] if path]
    with contextlib.suppress(NotConfigured):
        found.append(pg_bin(name))
    for path in found:
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False).stdout
        major = re.search(r"(\d+)", said.partition(")")[2])
        if major and int(major[1]) >= server_version // 10_000:
            return path
    raise CommandFailed(
        f"{name} of PostgreSQL {server_version // 10_000} or newer is not here: install its client programs"
    )


def run(path: Path, arguments: list[str], dsn: str | None = None) -> None:
    """Run it to its end; the password goes by the environment, where no process list shows it."""
    environment = dict(os.environ)
    if dsn is not None:
        parts = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
        if password := parts.pop("password", ""):
            environment["PGPASSWORD"] = password
        arguments = [*arguments, "--dbname", make_conninfo("", **parts)]
    ended = subprocess.run(
        [str(path), *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        lines = [line for line in ended.stderr.splitlines() if "error" in line.lower() or "fatal" in line.lower()]
        raise CommandFailed(f"{path.name}: {(lines or ended.stderr.splitlines() or ['it failed'])[0]}")


def connected(dsn: str) -> psycopg.Connection:
    """An autocommit connection; one line when there is none to be had."""
    try:
        return psycopg.connect(dsn, autocommit=True)
    except psycopg.OperationalError as error:
        raise CommandFailed(f"PostgreSQL does not answer: {one_line(error)}") from error
