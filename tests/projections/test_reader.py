"""The outbox reader: nothing lost, nothing twice, nothing turned around; and that the gap rule is what does it."""

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app.core.paths import ROOT
from projections.reader import Event, OutboxReader, safe_position
from tests.support.databases import Database
from tests.support.outbox_writer import AGGREGATES

NEAR_THE_ROLL = 9_999_000  # the first partition ends at ten million
INSERT = (
    "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type)"
    " VALUES ('catalog', uuidv7(), 'product', uuidv7(), 1, 'product.saved') RETURNING position"
)


class BlindReader(OutboxReader):
    """The same reader with the gap rule taken out: no open transaction is ever waited for."""

    async def holders(self) -> set[str]:
        return set()


class Writers:
    """Some writer programs; one of them is killed now and then, by SIGKILL or from the server."""

    def __init__(self, dsn: str, count: int, chance: random.Random) -> None:
        self._dsn, self._chance = dsn, chance
        self._running = [self._start() for _ in range(count)]
        self.killed = 0

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.support.outbox_writer", self._dsn, str(self._chance.random())[2:]]
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)

    async def trouble(self, admin: psycopg.AsyncConnection[Any]) -> None:
        """Kill somebody about three times a second, and replace whoever is gone."""
        while True:
            await asyncio.sleep(self._chance.random() * 0.6)
            if self._chance.random() < 0.5:
                self._chance.choice(self._running).kill()
            else:
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE datname ="
                    " current_database() AND application_name = 'outbox-writer' ORDER BY random() LIMIT 1) AS one"
                )
            self.killed += 1
            await asyncio.sleep(0.05)
            for index, process in enumerate(self._running):
                if process.poll() is not None:
                    self._reap(process)
                    self._running[index] = self._start()

    def stop(self) -> None:
        for process in self._running:
            process.kill()
            self._reap(process)

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


@asynccontextmanager
async def traffic(database: Database, seed: int) -> AsyncIterator[Writers]:
    async with await database.aconnect("owner") as admin:
        await admin.execute("CREATE TABLE public.aggregates (id uuid PRIMARY KEY, version bigint NOT NULL)")
        await admin.execute("INSERT INTO public.aggregates SELECT unnest(%s::uuid[]), 0", (AGGREGATES,))
        await admin.execute(f"ALTER SEQUENCE store.outbox_position_seq RESTART {NEAR_THE_ROLL}")
        writers = Writers(f"{database.dsn('owner')}&application_name=outbox-writer", 6, random.Random(seed))
        trouble = asyncio.create_task(writers.trouble(admin))
        try:
            yield writers
        finally:
            trouble.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await trouble
            writers.stop()


async def take(reader: OutboxReader, taken: list[Event], pause: float = 0.002) -> int:
    page = await reader.read()
    taken += page.events
    reader.advance(page.position)
    await asyncio.sleep(pause)
    return len(page.events)


async def drain(reader: OutboxReader, taken: list[Event], last: int) -> None:
    """Read on until everything up to ``last`` is decided."""
    end = time.monotonic() + 30
    while reader.position < last and time.monotonic() < end:
        await take(reader, taken)
    assert reader.position >= last


def inversions(taken: list[Event]) -> int:
    """How often an aggregate's event came after a later one of the same aggregate."""
    seen: dict[Any, int] = {}
    found = 0
    for event in taken:
        found += event.aggregate_version < seen.get(event.aggregate_id, 0)
        seen[event.aggregate_id] = max(event.aggregate_version, seen.get(event.aggregate_id, 0))
    return found


@pytest.mark.parametrize(
    "wanted", [pytest.param(3_000, id="short"), pytest.param(50_000, id="long", marks=pytest.mark.long)]
)
async def test_nothing_is_lost_doubled_or_turned_around(database: Database, wanted: int) -> None:
    careful: list[Event] = []
    blind: list[Event] = []
    async with (
        await database.aconnect("projector") as first,
        await database.aconnect("projector") as second,
        await database.aconnect("owner") as owner,
    ):
        reader, naive = OutboxReader(first, NEAR_THE_ROLL - 1), BlindReader(second, NEAR_THE_ROLL - 1)
        async with traffic(database, seed=wanted) as writers:
            await asyncio.gather(follow(reader, careful, wanted), follow(naive, blind, wanted))
            assert writers.killed > 0
        last = await safe_position(owner)
        await drain(reader, careful, last)
        await drain(naive, blind, last)
        cursor = await owner.execute("SELECT position FROM store.outbox ORDER BY position")
        committed = [position for (position,) in await cursor.fetchall()]
    assert len(committed) >= wanted
    assert committed[-1] > NEAR_THE_ROLL + 1000, "the traffic rolled over into the next partition"
    assert [event.position for event in careful] == committed, "each committed row once, in order"
    assert inversions(careful) == 0
    lost = set(committed) - {event.position for event in blind}
    assert lost, "without the gap rule rows must get lost, or this traffic proves nothing"


async def follow(reader: OutboxReader, taken: list[Event], wanted: int) -> None:
    while len(taken) < wanted:
        await take(reader, taken)


@pytest.mark.parametrize("ending", ["commit", "rollback", "terminate"])
async def test_a_gap_is_crossed_when_its_transaction_ends(database: Database, ending: str) -> None:
    """Named steps: A takes 1 and stays open, B takes 2 and commits; 2 is not given before A has ended."""
    async with (
        closing(await database.aconnect("owner", autocommit=False)) as a,
        await database.aconnect("owner") as b,
        await database.aconnect("projector") as c,
    ):
        await a.execute(INSERT)
        await b.execute(INSERT)
        reader = OutboxReader(c, 0)
        first = await reader.read()
        assert (first.events, first.position, first.waiting) == ([], 0, True)
        await b.execute(INSERT)
        assert (await reader.read()).waiting, "later writers do not change whom the gap waits for"
        if ending == "commit":
            await a.commit()
        elif ending == "rollback":
            await a.rollback()
        else:
            await b.execute("SELECT pg_terminate_backend(%s)", (a.info.backend_pid,))
            await gone(b, a.info.backend_pid)
        page = await reader.read()
        given = [event.position for event in page.events]
        reader.advance(page.position)
        given += [event.position for event in (await reader.read()).events]
        assert given == ([1, 2, 3] if ending == "commit" else [2, 3])


@asynccontextmanager
async def closing(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Close it at the end without committing: it may be dead."""
    try:
        yield connection
    finally:
        await connection.close()


async def gone(connection: psycopg.AsyncConnection[Any], pid: int) -> None:
    for _ in range(1000):
        cursor = await connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,))
        if await cursor.fetchone() is None:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the backend did not end")


async def test_the_run_before_a_gap_is_taken_at_once(database: Database) -> None:
    async with (
        await database.aconnect("owner") as owner,
        await database.aconnect("owner", autocommit=False) as open_one,
        await database.aconnect("projector") as c,
    ):
        for _ in range(3):
            await owner.execute(INSERT)
        await open_one.execute(INSERT)
        await owner.execute(INSERT)
        page = await OutboxReader(c, 0).read()
        assert [event.position for event in page.events] == [1, 2, 3]
        await open_one.rollback()


async def test_pages_are_bounded_across_a_gap(database: Database) -> None:
    async with (
        await database.aconnect("owner") as owner,
        await database.aconnect("owner", autocommit=False) as rolled_back,
        await database.aconnect("projector") as c,
    ):
        await rolled_back.execute(INSERT)
        await rolled_back.rollback()
        for _ in range(25):
            await owner.execute(INSERT)
        reader = OutboxReader(c, 0, page_rows=10)
        taken: list[Event] = []
        while await take(reader, taken, pause=0):
            pass
        assert [event.position for event in taken] == list(range(2, 27))


async def test_pages_grow_while_they_are_full(database: Database) -> None:
    async with await database.aconnect("owner") as owner, await database.aconnect("projector") as c:
        for _ in range(12):
            await owner.execute(INSERT)
        reader, sizes = OutboxReader(c, 0, page_rows=1, most_rows=4), []
        while page := (await reader.read()).events:
            sizes.append(len(page))
            reader.advance(page[-1].position)
        assert sizes == [1, 2, 4, 4, 1]
        await owner.execute(INSERT)
        await owner.execute(INSERT)
        assert len((await reader.read()).events) == 1, "what is new comes in small pages again"


async def test_a_reader_that_folds_goes_as_far_as_one_that_does_not(database: Database) -> None:
    """Page by page, over gaps that are waited for and gaps that stay: the same positions, and the same events once."""
    chance, keys = random.Random(7), [uuid4() for _ in range(6)]
    insert = (
        "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, traceparent)"
        " VALUES (%s, %s, %s, %s, 1, 'a.saved', %s)"
    )
    async with contextlib.AsyncExitStack() as stack:
        connect = [await database.aconnect("owner", autocommit=False) for _ in range(4)]
        for connection in connect:
            await stack.enter_async_context(connection)
        c = await stack.enter_async_context(await database.aconnect("projector"))
        plain = OutboxReader(c, 0, 5, 20)
        folding = OutboxReader(c, 0, 5, 20, ("catalog",))
        waited = 0
        for _ in range(400):
            writer = chance.choice(connect)
            if chance.random() < 0.6:
                topic = chance.choice(("catalog", "catalog", "orders"))
                kind = chance.choice(("product", "brand"))
                key, trace = chance.choice(keys), chance.choice((None, "one", "two"))
                await writer.execute(insert, (topic, key, kind, key, trace))
            else:
                await (writer.commit() if chance.random() < 0.7 else writer.rollback())
            one, other = await plain.read(), await folding.read()
            assert (one.position, one.waiting) == (other.position, other.waiting)
            assert folded(other.events) == folded([event for event in one.events if event.topic == "catalog"])
            waited += one.waiting
            plain.advance(one.position)
            folding.advance(other.position)
        assert waited > 0
        assert plain.position > 100


def folded(events: list[Event]) -> dict[tuple[Any, ...], tuple[int, int]]:
    """How many there are of each aggregate and request, and the last one's position."""
    found: dict[tuple[Any, ...], tuple[int, int]] = {}
    for event in events:
        key = (event.topic, event.view_key, event.aggregate_type, event.aggregate_id, event.traceparent)
        times, last = found.get(key, (0, 0))
        found[key] = (times + event.times, max(last, event.position))
    return found


async def test_the_safe_position_waits_for_open_writers(database: Database) -> None:
    async with (
        await database.aconnect("owner", autocommit=False) as open_one,
        await database.aconnect("owner") as owner,
        await database.aconnect("projector") as c,
    ):
        await open_one.execute(INSERT)
        await owner.execute(INSERT)
        waiting = asyncio.create_task(safe_position(c))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await open_one.commit()
        assert await asyncio.wait_for(waiting, 5) == 2
