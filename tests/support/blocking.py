"""Steps of a scripted race: a statement that waits is known by who blocks it, never by a pause."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg

PATIENCE_SECONDS = 5.0
POLL_SECONDS = 0.005


def backend(connection: psycopg.Connection[Any]) -> int:
    """The server process of a connection."""
    return connection.info.backend_pid


def wait_until_blocked(observer: psycopg.Connection[Any], waiter: int, holder: int) -> None:
    """Return once ``waiter`` waits for a lock of ``holder`` (backend pids). Fails when it never does."""
    until(
        lambda: holder in _blockers(observer, waiter),
        lambda: f"backend {waiter} does not wait for {holder}: {_blockers(observer, waiter)}",
    )


def until(condition: Callable[[], bool], failure: Callable[[], str], patience: float = PATIENCE_SECONDS) -> None:
    """Poll ``condition``; it is the state that is waited for, and time only ends a test that has failed."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, failure()
        time.sleep(POLL_SECONDS)


async def wait_until_waiting(observer: psycopg.Connection[Any], number: int) -> None:
    """Return once ``number`` backends of this database wait for a lock: for requests whose connection is a pool's."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := _waiting(observer)) != number:
        assert time.monotonic() < deadline, f"{found} backends wait, not {number}"
        await asyncio.sleep(POLL_SECONDS)


def _waiting(observer: psycopg.Connection[Any]) -> int:
    row = observer.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
    ).fetchone()
    return int(row[0]) if row else 0


def _blockers(observer: psycopg.Connection[Any], pid: int) -> list[int]:
    row = observer.execute("SELECT pg_blocking_pids(%s)", (pid,)).fetchone()
    return list(row[0]) if row else []
