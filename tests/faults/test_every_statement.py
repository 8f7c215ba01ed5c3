"""Each procedure is failed before each of its statements in turn: all or nothing, and the caller hears why.

After each failure every table of the store is as it was before the CALL, the connection is in no transaction and holds
no lock, and the SQLSTATE that came back is the planted one. Where a procedure means to survive a failure of a part
(it tries something and has another way), what it did instead is a whole: the books balance.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from tests.faults.all_scenarios import SCENARIOS, Scenario
from tests.faults.mutants import PLANTED, Place, places, planted
from tests.support.builders import assert_books_balance, call, rows
from tests.support.cluster import Cluster, run_dir
from tests.support.databases import Database, cloned
from tests.tidy.procedure_source import ALL, ProcedureSource

Arguments = dict[str, Any]
# What a scenario prepares must still hold when it is acted: the first to end are codes, after five minutes.
STALE_SECONDS = 240.0
TELLING_SECONDS = 60.0


@dataclass
class Stage:
    """A scenario that is prepared in a database of its own, for as long as nothing changes it."""

    scenario: Scenario
    database: Database
    owner: psycopg.Connection[Any]
    command: psycopg.Connection[Any]
    arguments: Arguments
    before: str
    since: float = field(default_factory=time.monotonic)

    def act(self) -> None:
        """Make the CALL, as the API does."""
        call(self.command, self.scenario.procedure, **self.arguments)


@dataclass
class Theatre:
    """The stages that are set, and which procedures each scenario reaches."""

    cluster: Cluster
    stack: ExitStack
    reach: dict[str, list[Scenario]] = field(default_factory=dict)
    stages: dict[str, tuple[Stage, ExitStack]] = field(default_factory=dict)

    def stage(self, scenario: Scenario) -> Stage:
        """The scenario, prepared; the same again until it is struck, or old."""
        if scenario.name in self.stages and time.monotonic() - self.stages[scenario.name][0].since > STALE_SECONDS:
            self.strike(scenario)
        if scenario.name not in self.stages:
            stack = self.stack.enter_context(ExitStack())
            self.stages[scenario.name] = (stack.enter_context(prepared(self.cluster, scenario)), stack)
        return self.stages[scenario.name][0]

    def strike(self, scenario: Scenario) -> None:
        """Give up a stage that has changed, or is old."""
        self.stages.pop(scenario.name)[1].close()


@contextmanager
def prepared(cluster: Cluster, scenario: Scenario) -> Iterator[Stage]:
    """The scenario in a fresh database."""
    with cloned(cluster) as database, database.connect() as owner, database.connect("command") as command:
        arguments = scenario.prepare(owner)
        yield Stage(scenario, database, owner, command, arguments, contents(owner))


TABLES = """
SELECT string_agg(format('SELECT %L AS name, md5(string_agg(t::text, chr(10) ORDER BY t::text)) AS rows FROM %s AS t',
                         c.oid::regclass, c.oid::regclass), ' UNION ALL ')
FROM pg_class c WHERE c.relnamespace = 'store'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""


def contents(owner: psycopg.Connection[Any]) -> str:
    """All rows of all tables of the store, as one text that differs when anything does."""
    [(query,)] = owner.execute(TABLES).fetchall()
    return repr(sorted(owner.execute(query).fetchall()))


def reached(stage: Stage) -> set[str]:
    """Make the scenario's CALL and say which procedures ran in it."""
    stage.owner.execute(f"ALTER DATABASE {stage.database.name} SET track_functions = 'pl'")
    with stage.database.connect("command") as command:
        call(command, stage.scenario.procedure, **stage.arguments)
        command.execute("SELECT pg_stat_force_next_flush()")
        command.execute("SELECT 1")
    return {name for (name,) in rows(stage.owner, "SELECT funcname FROM pg_stat_user_functions WHERE calls > 0")}


def share(scenario: Scenario) -> Path:
    """Where the workers of a run tell each other which procedures a scenario reaches."""
    return run_dir() / f"reach-{scenario.name}.json"


def look(cluster: Cluster, scenario: Scenario) -> list[str]:
    """Play the scenario once as it should go, and tell the other workers what it reached."""
    with prepared(cluster, scenario) as stage:
        names = sorted(reached(stage))
        assert_books_balance(stage.owner)
    part = share(scenario).with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(names))
    part.replace(share(scenario))
    return names


def claimed(scenario: Scenario) -> bool:
    """Whether it falls to this worker to play it: the first that asks."""
    try:
        share(scenario).with_suffix(".claim").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def heard(cluster: Cluster, scenario: Scenario) -> list[str]:
    """What the worker that claimed it found; one that does not tell for long is not waited for."""
    end = time.monotonic() + TELLING_SECONDS
    while not share(scenario).exists():
        if time.monotonic() > end:
            return look(cluster, scenario)
        time.sleep(0.1)
    names: list[str] = json.loads(share(scenario).read_text())
    return names


@pytest.fixture(scope="module")
def theatre(cluster: Cluster) -> Iterator[Theatre]:
    """Each scenario is played once as it should go, by one of the workers."""
    mine = {scenario.name: look(cluster, scenario) for scenario in SCENARIOS if claimed(scenario)}
    found = [(scenario, mine.get(scenario.name) or heard(cluster, scenario)) for scenario in SCENARIOS]
    with ExitStack() as stack:
        made = Theatre(cluster, stack)
        for scenario, names in sorted(found, key=lambda pair: -len(pair[1])):  # those that do the most come first
            for name in names:
                made.reach.setdefault(name, []).append(scenario)
        yield made


def test_the_scenarios_reach_every_procedure(theatre: Theatre) -> None:
    assert {source.name for source in ALL} - set(theatre.reach) == set(), "add a scenario that makes it run"


@pytest.mark.parametrize("source", ALL, ids=lambda source: source.name)
def test_a_failure_anywhere_leaves_nothing_behind(source: ProcedureSource, theatre: Theatre) -> None:
    """A third of the places, by the name's first letter; the long form goes through them all."""
    fail_at(theatre, source, places(source)[ord(source.name[0]) % 3 :: 3], tries=2)


@pytest.mark.long
@pytest.mark.parametrize("source", ALL, ids=lambda source: source.name)
def test_a_failure_at_any_statement_leaves_nothing_behind(source: ProcedureSource, theatre: Theatre) -> None:
    fail_at(theatre, source, places(source), tries=len(SCENARIOS))


def fail_at(theatre: Theatre, source: ProcedureSource, wanted: list[Place], tries: int) -> None:
    """Fail the procedure at these places, each in the first scenario that comes by."""
    met = 0
    for place in wanted:
        for scenario in theatre.reach[source.name][:tries]:
            if fails_whole(theatre, scenario, source, place):
                met += 1
                break
    print(f"{source.name}: failed at {met} of {len(wanted)} places")
    assert met >= len(wanted) // 2, f"only {met} of {len(wanted)} places are met by a scenario: add one"


def fails_whole(theatre: Theatre, scenario: Scenario, source: ProcedureSource, place: Place) -> bool:
    """Whether the planted failure was met; if it was, that it left nothing behind."""
    stage = theatre.stage(scenario)
    stage.owner.execute(planted(source, place).encode())
    raised = sqlstate_of(stage)
    stage.owner.execute(source.text.encode())
    if raised is None:  # another way was taken, or the failure of a part was survived as the procedure means to
        assert_books_balance(stage.owner)
        kept = noted(stage)
        theatre.strike(scenario)
        return kept
    where = f"{source.name}, line {place.line}, in {scenario.name}"
    assert raised == PLANTED, f"{where}: the caller heard {raised}"
    assert stage.command.info.transaction_status == TransactionStatus.IDLE, where
    held = "SELECT mode, relation::regclass FROM pg_locks WHERE pid = %s AND locktype <> 'virtualxid'"
    assert rows(stage.owner, held, stage.command.info.backend_pid) == [], where
    assert contents(stage.owner) == stage.before, f"{where}: something was left behind"
    return True


def noted(stage: Stage) -> bool:
    """Whether the failure was kept where staff see it, by a procedure that goes on with the next one of many."""
    return bool(rows(stage.owner, "SELECT FROM store.invoices_due WHERE last_error LIKE %s", f"{PLANTED}%"))


def sqlstate_of(stage: Stage) -> str | None:
    """What the CALL fails with, if it does."""
    try:
        stage.act()
    except psycopg.Error as error:
        return error.sqlstate
    return None
