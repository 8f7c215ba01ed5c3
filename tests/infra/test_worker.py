"""``kirana worker``: run once, run on, run many times over, and stop when told."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from app.core.database import command_pool
from app.core.paths import ROOT
from command_api.services import sweeper
from command_api.services.sweeper import Chore, sweep
from tests.support.blocking import until
from tests.support.builders import assert_books_balance, expire_hold, make_order, make_product, one
from tests.support.cli import kirana
from tests.support.databases import Database
from tests.support.processes import full_environment, process

Connection = psycopg.Connection[Any]


def due_orders(owner: Connection, number: int) -> None:
    variant = make_product(owner, stock=1000, buckets=4)
    for _ in range(number):
        expire_hold(owner, make_order(owner, (variant, 2))["id"])


def expired(owner: Connection) -> int:
    found: int = one(owner, "SELECT count(*) FROM store.orders WHERE status = 'expired'")
    return found


def test_once_does_what_is_due_and_ends(database: Database, owner: Connection) -> None:
    due_orders(owner, 3)
    done = kirana("worker", "--once", environment=full_environment(database))
    assert done.returncode == 0, done.stderr
    assert "expire_orders      3" in done.stdout
    assert expired(owner) == 3
    again = kirana("worker", "--once", environment=full_environment(database))
    assert "expire_orders      0" in again.stdout
    assert_books_balance(owner)


def test_it_goes_on_until_it_is_told_to_stop(database: Database, owner: Connection) -> None:
    arguments = ["-m", "app.cli", "worker", "--interval", "0.05"]
    with process(arguments, full_environment(database)) as running:
        for round_number in (1, 2):
            due_orders(owner, 1)
            until(lambda wanted=round_number: expired(owner) == wanted, lambda: "the worker does not sweep")
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


def test_many_workers_share_the_work(database: Database, owner: Connection) -> None:
    due_orders(owner, 40)
    environment = full_environment(database)
    with ThreadPoolExecutor(3) as threads:
        runs = list(threads.map(lambda _: kirana("worker", "--once", environment=environment), range(3)))
    assert [run.returncode for run in runs] == [0, 0, 0], [run.stderr for run in runs]
    assert expired(owner) == 40
    assert one(owner, "SELECT count(*) FROM store.order_events WHERE to_status = 'expired'") == 40
    assert one(owner, "SELECT sum(reserved) FROM store.inventory") == 0
    assert_books_balance(owner)


async def test_more_than_one_batch_is_done_in_one_go(
    database: Database, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_orders(owner, 7)
    monkeypatch.setattr(sweeper, "BATCH", 3)
    async with command_pool(database.settings) as pool:
        assert (await sweep(pool))["expire_orders"] == 7
    assert expired(owner) == 7


async def test_a_chore_that_fails_does_not_stop_the_others(
    database: Database, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_orders(owner, 1)
    chores = (Chore("no_such_procedure", lambda result: 0), *sweeper.CHORES)
    monkeypatch.setattr(sweeper, "CHORES", chores)
    async with command_pool(database.settings) as pool:
        with pytest.raises(ExceptionGroup):
            await sweep(pool)
    assert expired(owner) == 1


def test_no_database_is_one_line(tmp_path: Any) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "app.cli", "worker", "--once"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "KIRANA_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
