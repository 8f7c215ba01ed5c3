"""`kirana up` from nothing to ready and down again, as `make run` does it."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from app.core.embedded.postgres import postgres_status
from app.core.embedded.redis import redis_status
from app.core.paths import ROOT
from tests.support.cluster import run_dir

UP_SECONDS = 180


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on; all are held until the last is found, so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


@pytest.fixture
def environment() -> dict[str, str]:
    """Free ports and an empty data folder below the run's own, which the reaper clears."""
    path = Path(tempfile.mkdtemp(prefix="up-", dir=run_dir()))
    path.chmod(0o711)
    ports = free_ports(4)
    names = ("KIRANA_PORT", "KIRANA_COMMAND_PORT", "KIRANA_QUERY_PORT", "KIRANA_SANDBOX_PORT")
    chosen = dict(zip(names, map(str, ports), strict=True))
    return {**os.environ, **chosen, "KIRANA_DATA_DIR": str(path), "COLUMNS": "160"}


def printed_journey(said: str) -> str:
    """The commands that `kirana up` prints for a shopper's journey."""
    return "api=" + said.split("\napi=", 1)[1].split("\nReady.", 1)[0]


def readme_answers() -> list[str]:
    """What README.md says that the journey answers, line by line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.split("```json\n", 1)[1].split("```", 1)[0].splitlines()


def start(environment: dict[str, str]) -> tuple[subprocess.Popen[str], threading.Timer]:
    """The command, and the timer that ends it should it never be ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    timer = threading.Timer(UP_SECONDS, process.terminate)
    timer.start()
    return process, timer


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_and_leaves_nothing_behind(environment: dict[str, str], ending: signal.Signals) -> None:
    process, timer = start(environment)
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ready."):
                break
        said = "".join(lines)
        assert process.poll() is None, said
        assert re.search(r"^procedures +\d+ installed", said, re.MULTILINE), said
        children = psutil.Process(process.pid).children(recursive=True)
        for name in ("KIRANA_PORT", "KIRANA_COMMAND_PORT", "KIRANA_QUERY_PORT"):
            answer = httpx.get(f"http://127.0.0.1:{environment[name]}/readyz", trust_env=False)
            assert answer.status_code == 200, answer.text
        if ending is signal.SIGINT:
            walked = subprocess.run(["bash", "-c", printed_journey(said)], capture_output=True, text=True, timeout=60)
            assert walked.stdout.splitlines() == readme_answers(), walked.stdout + walked.stderr
        process.send_signal(ending)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, rest
        assert "Traceback" not in said + rest, said + rest
    finally:
        timer.cancel()
        process.kill()
        process.communicate()
    assert len(children) >= 3
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    data_dir = Path(environment["KIRANA_DATA_DIR"])
    assert postgres_status(data_dir / "postgres") is None
    assert redis_status(data_dir / "redis") is None


def test_a_port_in_use_is_said_before_anything_starts(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["KIRANA_QUERY_PORT"]))):
        process, timer = start(environment)
        said, _ = process.communicate()
        timer.cancel()
    assert process.returncode == 1
    assert "KIRANA_QUERY_PORT" in said
    assert not (Path(environment["KIRANA_DATA_DIR"]) / "postgres").exists()
