"""Workers and the receiver are killed while events are told: none is lost, and each aggregate's come in order."""

import asyncio
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app.core.paths import ROOT
from tests.events.conftest import due_now, events, statuses, until
from tests.support.builders import one
from tests.support.databases import Database
from tests.support.processes import free_port, full_environment
from tests.support.receiver import kept_lines

Connection = psycopg.Connection[Any]
PRODUCTS = 12


class Processes:
    """Programs of the test's own, killed by SIGKILL and started again."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}
        self.kills = 0

    def start(self, name: str, *arguments: str) -> None:
        self._commands[name] = [sys.executable, "-m", *arguments]
        self.running[name] = subprocess.Popen(
            self._commands[name], cwd=ROOT, env=self._environment, start_new_session=True, stderr=subprocess.DEVNULL
        )

    def kill(self, name: str) -> None:
        self.running[name].kill()
        self.running[name].wait()
        self.kills += 1

    def again(self, name: str) -> None:
        self.start(name, *self._commands[name][2:])

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()


@pytest.mark.slow
async def test_nothing_is_lost_and_nobody_overtakes(
    database: Database, owner: Connection, subscribe: Callable[..., UUID], tmp_path: Path
) -> None:
    port, file = free_port(), tmp_path / "kept"
    environment = full_environment(database, KIRANA_WEBHOOK_ALLOWED_NETWORKS='["127.0.0.0/8"]')
    webhook = subscribe(f"http://127.0.0.1:{port}/hooks")
    products, chance = [uuid.uuid4() for _ in range(PRODUCTS)], random.Random(7)
    programs = Processes(environment)
    programs.start("receiver", "tests.support.receiver", str(port), str(file))
    for name in ("first", "second"):
        programs.start(name, "app.cli", "worker", "--only", "tell_webhooks", "--interval", "0.05")
    try:
        await until(lambda: _told(owner, file), 30)
        for victim in ("first", "receiver", "second", "first", "receiver"):
            end = time.monotonic() + 0.8
            while time.monotonic() < end:
                for product in chance.sample(products, 4):
                    events(owner, product, chance.randint(1, 3))
                await asyncio.sleep(0.02)
            programs.kill(victim)
            for product in products:
                events(owner, product)
            await asyncio.sleep(0.3)
            programs.again(victim)
        await until(lambda: _all_told(owner, webhook), 40)
    finally:
        programs.stop()
    kept = kept_lines(file)
    told = one(owner, "SELECT array_agg(position ORDER BY position) FROM store.webhook_deliveries")
    written = one(owner, "SELECT array_agg(position ORDER BY position) FROM store.outbox")
    assert told == written
    assert sorted({position for _, _, position in kept}) == written, "0 lost"
    assert len({event for event, _, _ in kept}) == len(written), "an id of its own for each, the same at every try"
    assert len(kept) > len(written), "some were told more than once, or the kills hit nothing"
    for product in products:
        seen: list[int] = []
        for _, subject, position in kept:
            if subject == str(product) and position not in seen:
                seen.append(position)
        assert seen == sorted(seen), "an aggregate's events came in order"
    assert programs.kills == 5


def _told(owner: Connection, file: Path) -> bool:
    """Until both programs work: something is told."""
    events(owner, uuid.uuid4())
    return len(kept_lines(file)) > 3


def _all_told(owner: Connection, webhook: UUID) -> bool:
    """Leases end and pauses pass, half a second after another, instead of a minute and more."""
    due_now(owner)
    time.sleep(0.5)
    last = one(owner, "SELECT max(position) FROM store.outbox")
    at = one(owner, "SELECT position FROM store.webhook_subscribers WHERE id = %s", webhook)
    return bool(at == last and set(statuses(owner, webhook)) == {"delivered"})
