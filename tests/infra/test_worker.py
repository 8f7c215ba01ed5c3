"""``kirana worker``: run once, run on, run many times over, and stop when told."""

import asyncio
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from app.commands.console import CommandFailed
from app.commands.worker import chosen
from app.core.paths import ROOT
from app.worker import runner
from app.worker.metrics import WorkerMetrics
from app.worker.rounds import Kit, Round
from app.worker.runner import run_once, run_until
from command_api.services import sweeper
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
    assert "expire_orders            3" in done.stdout
    assert expired(owner) == 3
    again = kirana("worker", "--once", environment=full_environment(database))
    assert "expire_orders            0" in again.stdout
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
    (expiry,) = chosen(database.settings, "expire_orders")
    assert await run_once(database.settings, [expiry]) == {"expire_orders": 7}
    assert expired(owner) == 7


async def _fails(kit: Kit) -> int:
    raise LookupError(f"nothing to be found in {kit.settings.environment}")


async def test_a_round_that_fails_stays_alone(database: Database, owner: Connection) -> None:
    """In its metrics and in its pauses, too; the others go on, and the worker ends when it is told."""
    due_orders(owner, 1)
    registry = CollectorRegistry()
    rounds = [Round("broken", 0.01, _fails), *chosen(database.settings, "expire_orders", 0.05)]
    stop = asyncio.Event()
    running = asyncio.create_task(run_until(stop, database.settings, rounds, WorkerMetrics(registry)))

    def runs(name: str, outcome: str) -> float:
        return registry.get_sample_value("kirana_worker_runs_total", {"round": name, "outcome": outcome}) or 0.0

    async with asyncio.timeout(20):
        while runs("broken", "failed") < 3 or runs("expire_orders", "ok") < 2:  # noqa: ASYNC110 - counters have no event
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(running, 10)
    assert expired(owner) == 1
    assert registry.get_sample_value("kirana_worker_done_total", {"round": "expire_orders"}) == 1
    assert registry.get_sample_value("kirana_worker_last_success_timestamp_seconds", {"round": "broken"}) is None
    assert runs("expire_orders", "failed") == runs("broken", "ok") == 0


async def test_what_is_under_way_is_cut_off_at_last(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "STOP_SECONDS", 0.2)
    stop, begun = asyncio.Event(), asyncio.Event()

    async def endless(_: Kit) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 0

    running = asyncio.create_task(
        run_until(stop, database.settings, [Round("endless", 1, endless)], WorkerMetrics(CollectorRegistry()))
    )
    await asyncio.wait_for(begun.wait(), 10)
    stop.set()
    await asyncio.wait_for(running, 10)


def test_a_pause_grows_with_failures_up_to_a_minute() -> None:
    def around(seconds: float) -> Any:
        return pytest.approx(seconds, rel=runner.JITTER)

    assert [runner.pause_after(1.0, failures) for failures in (0, 1, 3, 9, 900)] == [
        around(1),
        around(2),
        around(8),
        around(60),
        around(60),
    ]
    assert runner.pause_after(300.0, 4) == around(300)
    assert len({runner.pause_after(1.0, 0) for _ in range(20)}) > 1, "or all workers look in step"


def test_rounds_are_chosen_by_name_and_paced_by_the_settings(database: Database) -> None:
    paced = database.settings.model_copy(update={"worker_intervals": {"expire_orders": 7.5}})
    pauses = {one.name: one.seconds for one in chosen(paced)}
    assert pauses["expire_orders"] == 7.5
    assert pauses["submit_refunds"] == 1.0
    assert [one.seconds for one in chosen(paced, "expire_orders", 0.5)] == [0.5]
    with pytest.raises(CommandFailed, match="there is no round nothing: it is one of expire_orders"):
        chosen(database.settings, "nothing")
    with pytest.raises(CommandFailed, match="there is no round no_such"):
        chosen(paced.model_copy(update={"worker_intervals": {"no_such": 1.0}}))


def test_a_round_that_fails_is_told_and_the_rest_is_done(database: Database, owner: Connection) -> None:
    due_orders(owner, 1)
    owner.execute("DROP PROCEDURE store.apply_due_prices")
    done = kirana("worker", "--once", environment=full_environment(database))
    assert done.returncode == 1
    assert "apply_due_prices: UndefinedFunction" in done.stderr
    assert "Traceback" not in done.stderr
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
