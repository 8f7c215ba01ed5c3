"""Child processes of ``kirana up``: started, watched, started again with a growing pause, and stopped in order."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

RESTARTS = 5
FIRST_PAUSE_SECONDS = 0.5
STEADY_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass(slots=True)
class Child:
    """One child: ``command`` as for subprocess. It has a session of its own, so that Ctrl-C reaches the parent only."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    restart_at: float | None = None
    given_up: bool = False

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it now."""
        self.process = subprocess.Popen(
            list(self.command), stdin=subprocess.DEVNULL, env=dict(environment), start_new_session=True
        )
        self.started_at = time.monotonic()
        self.restart_at = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """Keeps children running until it is told to stop. ``say`` gets one line for each thing that happens."""

    children: list[Child]
    say: Callable[[str], None]
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stopping: bool = False

    def start(self) -> None:
        """Start all, in order."""
        for child in self.children:
            child.start(self.environment)

    def tick(self) -> None:
        """Look at every child once, and start again those that are due. A child may die RESTARTS times in a row."""
        now = time.monotonic()
        for child in self.children:
            if child.running or child.given_up or self.stopping:
                continue
            if child.restart_at is None:
                self._plan_restart(child, now)
            elif now >= child.restart_at:
                child.start(self.environment)

    @property
    def hopeless(self) -> bool:
        """Whether a child was given up."""
        return any(child.given_up for child in self.children)

    def run(self, until: Callable[[], bool] = lambda: False, pause: float = 0.2) -> bool:
        """Watch until ``until()`` (then True), or until told to stop or a child is given up (then False)."""
        while not self.stopping and not self.hopeless:
            if until():
                return True
            self.tick()
            time.sleep(pause)
        return False

    def ask_to_stop(self) -> None:
        """Make ``run`` return; safe in a signal handler."""
        self.stopping = True

    def stop(self) -> None:
        """SIGTERM to all, last started first; SIGKILL to those that are still there after STOP_SECONDS."""
        self.stopping = True
        for child in reversed(self.children):
            if child.running and child.process is not None:
                child.process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for child in reversed(self.children):
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.name} does not stop: killed")
                _kill_session(child.process)
                child.process.wait()

    def _plan_restart(self, child: Child, now: float) -> None:
        if now - child.started_at > STEADY_SECONDS:
            child.restarts = 0
        status = child.process.returncode if child.process is not None else None
        if child.restarts >= RESTARTS:
            child.given_up = True
            self.say(f"{child.name} ended again (status {status}): given up after {RESTARTS} restarts")
            return
        pause = FIRST_PAUSE_SECONDS * 2**child.restarts
        child.restarts += 1
        child.restart_at = now + pause
        self.say(f"{child.name} ended (status {status}): starting it again in {pause:g} s")


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and what it started: it leads a session, so its group has its pid."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
