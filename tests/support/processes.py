"""Kirana's own processes for a test: started on a free port of 127.0.0.1, waited for, ended by their pid."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from app.core.paths import ROOT
from tests.support.cli import environment_for
from tests.support.databases import TEST_SECRETS, Database

READY_SECONDS = 30.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def full_environment(database: Database, **more: str) -> dict[str, str]:
    """Everything a process needs to serve a test's database: URLs, secrets, the sender that leaves codes in files."""
    secrets = {
        f"KIRANA_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in TEST_SECRETS.items()
    }
    development = {"KIRANA_OTP_SENDER": "file", "KIRANA_TRUSTED_PROXIES": '["127.0.0.1/32"]'}
    return environment_for(database) | secrets | development | more


@contextmanager
def process(arguments: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of this Python, terminated at the end (killed if it does not go)."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextmanager
def serving_process(
    database: Database, application: str = "app.main:app", environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """uvicorn with one of the applications, ready; yields its base URL."""
    port = free_port()
    arguments = ["-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
    with process([*arguments, "--log-level", "warning"], environment or full_environment(database)) as server:
        base = f"http://127.0.0.1:{port}"
        wait_until_ready(base, server)
        yield base


def wait_until_ready(base: str, server: subprocess.Popen[bytes]) -> None:
    """Until /readyz answers well; fails with what it said last."""
    end, last = time.monotonic() + READY_SECONDS, "nothing"
    while time.monotonic() < end:
        assert server.poll() is None, f"the server ended with status {server.returncode}"
        try:
            answer = httpx.get(f"{base}/readyz", timeout=2)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if answer.status_code < 400:
            return
        last = answer.text
        time.sleep(0.05)
    raise AssertionError(f"{base} was not ready within {READY_SECONDS:g} s: {last}")
