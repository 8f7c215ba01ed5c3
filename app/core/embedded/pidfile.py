"""Reading the notes that the embedded servers leave on disk. Needs neither of their packages."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# postmaster.pid by line: pid, data folder, start time, port, socket folder, host, shared memory, status
_LINES_WITH_SOCKET = 5
_CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A PostgreSQL server as ``postmaster.pid`` describes it."""

    pid: int
    port: int
    socket_dir: Path


def alive(pid: int) -> bool:
    """Whether a process of that id exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def read_postmaster(pgdata: Path) -> Postmaster | None:
    """The running server of that data folder, or None: no file, a file half written, or one left by a crash."""
    try:
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(lines) < _LINES_WITH_SOCKET:
        return None
    found = Postmaster(int(lines[0]), int(lines[3]), Path(lines[4].strip()))
    # a pid alone proves nothing after a crash: another program may have it by now
    listening = accepts(found.socket_dir / f".s.PGSQL.{found.port}")
    return found if listening and alive(found.pid) else None


def accepts(path: Path) -> bool:
    """Whether somebody listens on that unix socket; a file that a crash left behind refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_SECONDS)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def read_pid(path: Path) -> int | None:
    """The process id that a pid file names, if that process exists."""
    try:
        pid = int(path.read_text().strip() or 0)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return pid if pid > 0 and alive(pid) else None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at ``path``, waiting for whoever holds it: one process at a time starts a server."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
