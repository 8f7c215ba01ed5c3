"""Partitions of the outbox roll while it is written and read: nothing is lost, and no writer waits for long."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app.commands.worker import chosen
from app.worker.runner import run_once
from projections import partitions as module
from projections.partitions import partitions, prune
from projections.reader import OutboxReader
from tests.support.builders import Connection, one, rows
from tests.support.databases import Database
from tests.support.projecting import announce

ROWS = 400
WRITERS = 4
EVENTS = 1500
PAUSE_SECONDS = 0.003  # of a writer: four that never pause are done before a partition is
LONGEST_WAIT_SECONDS = 1.5
PATIENCE_SECONDS = 60.0


def small(owner: Connection) -> None:
    """Begin with small partitions, and with no reader but those that a test makes."""
    owner.execute("DELETE FROM read.projections")
    for part in partitions(owner):
        owner.execute(f"DROP TABLE store.{part.name}")
    assert prune(owner, rows=ROWS).made == ["outbox_p00000", "outbox_p00001"]


@dataclass
class Work:
    """What happens beside the reader: how long each transaction of a writer took, and what was rolled."""

    waits: list[float] = field(default_factory=list)
    rolled: Counter[str] = field(default_factory=Counter)
    written: threading.Event = field(default_factory=threading.Event)


def write(database: Database, work: Work) -> None:
    """Events, one a transaction, as a procedure appends them."""
    with database.connect("owner") as connection:
        for _ in range(EVENTS):
            begun = time.monotonic()
            announce(connection, uuid4())
            work.waits.append(time.monotonic() - begun)
            time.sleep(PAUSE_SECONDS)


def roll(database: Database, work: Work) -> None:
    """As several workers would, and far more often."""
    while not work.written.is_set():
        with database.connect("owner") as connection:
            done = prune(connection, rows=ROWS)
        work.rolled += Counter({"made": len(done.made), "dropped": len(done.dropped), "rows": done.rows})


@contextmanager
def working(database: Database) -> Iterator[Work]:
    """Writers and rollers beside the caller; whatever one of them fails with is raised at the end."""
    work = Work()
    with ThreadPoolExecutor(WRITERS + 2) as threads:
        rollers = [threads.submit(roll, database, work) for _ in range(2)]
        writers = [threads.submit(write, database, work) for _ in range(WRITERS)]
        try:
            yield work
        finally:
            work.written.set()
    for future in [*writers, *rollers]:
        future.result()


async def test_partitions_roll_under_load_and_no_event_is_lost(database: Database, owner: Connection) -> None:
    small(owner)
    owner.execute("INSERT INTO store.event_relays (name, position) VALUES ('redis', 0)")
    seen: list[int] = []
    end = time.monotonic() + PATIENCE_SECONDS
    with working(database) as work:
        async with await database.aconnect("projector") as connection:
            reader = OutboxReader(connection, 0, page_rows=200)
            while len(seen) < WRITERS * EVENTS and time.monotonic() < end:
                page = await reader.read()
                seen += [event.position for event in page.events]
                reader.advance(page.position)
                owner.execute("UPDATE store.event_relays SET position = %s", (page.position,))
                await asyncio.sleep(0.001)
    assert len(seen) == len(set(seen)) == WRITERS * EVENTS
    assert seen == sorted(seen)
    assert work.rolled["made"] >= 4, work.rolled
    assert work.rolled["dropped"] >= 2, work.rolled
    assert max(work.waits) < LONGEST_WAIT_SECONDS, sorted(work.waits)[-5:]


def test_what_is_young_stays_though_it_is_read(owner: Connection) -> None:
    small(owner)
    announce(owner, uuid4(), count=ROWS + 10)
    owner.execute("INSERT INTO store.event_relays (name, position) VALUES ('redis', %s)", (ROWS + 10,))
    assert prune(owner, rows=ROWS, keep_seconds=3600).dropped == []
    owner.execute("UPDATE store.outbox SET created_at = now() - interval '2 hours'")
    assert prune(owner, rows=ROWS, keep_seconds=3600, dry_run=True).dropped == ["outbox_p00000"]
    assert prune(owner, rows=ROWS, keep_seconds=3600).dropped == ["outbox_p00000"]
    owner.execute("UPDATE store.event_relays SET position = 1")
    announce(owner, uuid4(), count=ROWS)
    assert prune(owner, rows=ROWS, keep_seconds=3600).dropped == [], "a reader that was sent back still needs it"


def test_rows_that_came_into_the_default_partition_are_outgrown(owner: Connection) -> None:
    """The worker was away for so long that the writers ran out of partitions."""
    small(owner)
    last = announce(owner, uuid4(), count=2 * ROWS + 50)
    assert one(owner, "SELECT count(*) FROM store.outbox_p_default") == 51
    owner.execute("INSERT INTO store.event_relays (name, position) VALUES ('redis', 0)")
    made = prune(owner, rows=ROWS)
    assert (made.made, made.rows) == (["outbox_p00002", "outbox_p00003"], 0), "nothing is read yet"
    assert partitions(owner)[-2].first == last + ROWS, "not where writers may be on their way"
    last = announce(owner, uuid4(), count=ROWS + 50)
    in_default = one(owner, "SELECT count(*) FROM store.outbox_p_default")
    assert 51 < in_default < 51 + ROWS, "up to the new one"
    owner.execute("UPDATE store.event_relays SET position = %s", (last,))
    found = prune(owner, rows=ROWS)
    assert (found.rows, found.dropped) == (in_default, ["outbox_p00000", "outbox_p00001"])
    announce(owner, uuid4(), count=ROWS)
    assert one(owner, "SELECT count(*) FROM store.outbox_p_default") == 0, "and nothing goes there any more"


def test_a_writer_in_a_long_transaction_only_puts_it_off(
    database: Database, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRIES", 3)
    small(owner)
    announce(owner, uuid4(), count=ROWS + 10)
    owner.execute("INSERT INTO store.event_relays (name, position) VALUES ('redis', %s)", (ROWS + 10,))
    with database.connect("owner") as writer, writer.transaction():
        announce(writer, uuid4())
        begun = time.monotonic()
        assert prune(owner, rows=ROWS).postponed == ["outbox_p00000"]
        assert time.monotonic() - begun < 5
        other = database.connect("owner")
        with other:
            announce(other, uuid4())
    assert prune(owner, rows=ROWS).dropped == ["outbox_p00000"]


def test_one_process_at_a_time_and_what_broke_off_is_cleared_away(database: Database, owner: Connection) -> None:
    small(owner)
    owner.execute("CREATE TABLE store.outbox_p00007 (LIKE store.outbox)")
    with database.connect("owner") as other:
        other.execute(module.ONE_AT_A_TIME)
        assert prune(owner, rows=10 * ROWS) == module.Pruned()
        other.execute(module.LET_GO)
    prune(owner, rows=ROWS)
    assert one(owner, "SELECT to_regclass('store.outbox_p00007')") is None


def test_a_new_partition_is_like_the_others(owner: Connection) -> None:
    small(owner)
    announce(owner, uuid4(), count=ROWS)
    prune(owner, rows=ROWS)
    shape = (
        "SELECT attname, atttypid, attnotnull, attidentity FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"
    )
    names = [part.name for part in partitions(owner)]
    assert len({str(rows(owner, shape, f"store.{name}")) for name in [*names, "outbox_p_default"]}) == 1
    checks = "SELECT conname, contype FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'"
    assert rows(owner, checks, f"store.{names[-1]}") == rows(owner, checks, "store.outbox_p_default") != []


async def test_the_worker_rolls_them_where_it_may(database: Database, owner: Connection) -> None:
    small(owner)
    announce(owner, uuid4(), count=ROWS)
    settings = database.settings.model_copy(update={"outbox_partition_rows": ROWS})
    (roll,) = chosen(settings, "roll_outbox")
    assert await run_once(settings, [roll]) == {"roll_outbox": 1}
    may_not = settings.model_copy(update={"owner_database_url": None, "database_url": None})
    assert (await run_once(may_not, [roll]))["roll_outbox"] == 0


def test_nobody_else_may(command: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        command.execute("CREATE TABLE store.outbox_p00099 (LIKE store.outbox)")
