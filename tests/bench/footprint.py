"""What a process weighs, and how long it takes to answer for the first time."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from app.core.paths import ROOT
from tests.bench import servers, wrk
from tests.bench.figures import Figure, Goal, alone, compared
from tests.bench.reads import LIST, PAGE
from tests.support.databases import Database
from tests.support.processes import free_port, full_environment, process

POLL_SECONDS = 0.005


def figures(database: Database, rounds: int) -> Iterator[Figure]:
    """Memory of an API under load and of a rebuild; the time to the first answer."""
    yield alone(Figure("memory of an API worker, after load", "MiB", Goal(at_most=150)), lambda: worker(database), 1)
    yield alone(Figure("memory of a rebuild of the catalog", "MiB", Goal(at_most=200)), lambda: rebuilder(database), 1)
    yield compared(
        Figure("uvicorn app.main:app to the first 200", "s", Goal(at_most=4), "python -c 'import fastapi'"),
        lambda: first_answer(database),
        imported,
        rounds,
    )


def peak_mib(pid: int) -> float:
    """The most memory a process had at one time (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def worker(database: Database) -> float:
    """The peak of both APIs in one process, after pages and lists at full speed."""
    port = free_port()
    arguments = ["-m", "uvicorn", "app.main:app", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    with process(arguments, full_environment(database, **servers.UNLIMITED)) as server:
        base = f"http://127.0.0.1:{port}"
        _first_200(f"{base}/readyz")
        for path in (PAGE, LIST):
            wrk.rate(base + path, 3)
        return peak_mib(server.pid)


def rebuilder(database: Database) -> float:
    """The peak of `kirana projections rebuild catalog`."""
    with process(["-m", "app.cli", "projections", "rebuild", "catalog"], full_environment(database)) as running:
        most = 0.0
        while running.poll() is None:
            try:
                most = max(most, peak_mib(running.pid))
            except (AssertionError, OSError):
                break
            time.sleep(0.02)
        assert running.wait() == 0
    return most


def first_answer(database: Database) -> float:
    """Seconds from the start of the process to its first 200."""
    port = free_port()
    started = time.perf_counter()
    arguments = ["-m", "uvicorn", "app.main:app", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    with process(arguments, full_environment(database, **servers.UNLIMITED)):
        _first_200(f"http://127.0.0.1:{port}/healthz")
        return time.perf_counter() - started


def _first_200(url: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"{url} did not answer")


def imported() -> float:
    """Seconds of a Python that imports FastAPI and ends."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import fastapi"], cwd=ROOT, check=True)
    return time.perf_counter() - started
