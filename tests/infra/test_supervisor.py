"""Children of `kirana up`: started again when they die, given up when they keep dying, stopped without remains."""

import sys
import time

import pytest

from app.commands import supervisor
from app.commands.supervisor import RESTARTS, Child, Supervisor

FOREVER = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)",
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.001)


def test_a_child_that_is_killed_comes_back() -> None:
    said: list[str] = []
    child = Child("api", FOREVER)
    watched = Supervisor([child], said.append)
    watched.start()
    try:
        assert child.process is not None
        first = child.process.pid
        child.process.kill()
        child.process.wait()
        assert watched.run(lambda: child.running and child.process is not None and child.process.pid != first, 0.01)
        assert said == ["api ended (status -9): starting it again in 0.001 s"]
    finally:
        watched.stop()
    assert not child.running


def test_a_child_that_keeps_dying_is_given_up() -> None:
    said: list[str] = []
    watched = Supervisor([Child("api", [sys.executable, "-c", "raise SystemExit(7)"])], said.append)
    watched.start()
    assert not watched.run(pause=0.01)
    assert watched.hopeless
    assert said[-1] == f"api ended again (status 7): given up after {RESTARTS} restarts"
    watched.stop()


def test_a_child_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.3)
    said: list[str] = []
    child = Child("worker", STUBBORN)
    watched = Supervisor([child], said.append)
    watched.start()
    time.sleep(0.5)  # until it ignores SIGTERM; too short a time makes this test pass for less, never fail
    watched.stop()
    assert not child.running


def test_told_to_stop_it_starts_nothing_again() -> None:
    child = Child("api", FOREVER)
    watched = Supervisor([child], print)
    watched.start()
    watched.ask_to_stop()
    assert not watched.run()
    watched.stop()
    watched.tick()
    assert not child.running
