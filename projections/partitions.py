"""The outbox's partitions: new ones made ahead of the writers, old ones dropped once every reader is past them.

Writers go on meanwhile. A partition is made as a table of its own and then attached, which waits for no writer; to be
dropped it is detached first, which does. Each such step is a transaction of its own that waits LOCK_TIMEOUT at most,
so that whoever queues behind it waits no longer, and is tried again after a pause.
"""

import random
import re
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from projections.consumers import consumer_positions

PARTITION_ROWS = 10_000_000
AHEAD = 2
LOCK_TIMEOUT = "100ms"
TRIES = 20
LONGEST_PAUSE_SECONDS = 0.3
DEFAULT = "outbox_p_default"
PURGED_ROWS = 10_000
ONE_AT_A_TIME = "SELECT pg_try_advisory_lock(hashtextextended('kirana outbox partitions', 0))"
LET_GO = "SELECT pg_advisory_unlock(hashtextextended('kirana outbox partitions', 0))"
# what an attempt may fail with and be repeated: the lock was not to be had; rows came in where the partition was to be
_BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.CheckViolation, psycopg.errors.DeadlockDetected)
_BOUNDS = re.compile(r"FROM \('(\d+)'\) TO \('(\d+)'\)")
_JITTER = random.SystemRandom()

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Partition:
    """Positions ``first`` up to, but not with, ``end``."""

    name: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was made and dropped, and the projections that lost their way back.

    ``postponed`` are those that the writers left no moment for; ``rows`` how many went from the default partition.
    """

    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    without_rollback: list[str] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)
    rows: int = 0

    @property
    def done(self) -> int:
        """How much was done."""
        return len(self.made) + len(self.dropped) + self.rows


def partitions(connection: Connection) -> list[Partition]:
    """All but the default one, in order."""
    found = connection.execute(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'store.outbox'::regclass"
    ).fetchall()
    bounds = [(name, match) for name, bound in found if (match := _BOUNDS.search(bound))]
    return sorted((Partition(name, int(b[1]), int(b[2])) for name, b in bounds), key=lambda partition: partition.first)


def passed(connection: Connection) -> int:
    """The position that every reader of the outbox has passed; 0 while one has not begun."""
    return min((consumer.position for consumer in consumer_positions(connection)), default=0)


def prune(
    connection: Connection, *, dry_run: bool = False, keep_seconds: float = 0.0, rows: int = PARTITION_ROWS
) -> Pruned:
    """Make partitions of ``rows`` ahead and drop those behind, as the owner, in autocommit; one process at a time.

    What was written less than ``keep_seconds`` ago stays, read or not. A version kept for rollback that would need
    dropped events is no longer offered; the next rebuild drops its table.
    """
    if not _one(connection, ONE_AT_A_TIME):
        return Pruned()
    try:
        if not dry_run:
            _clear_away(connection)
        there = partitions(connection)
        behind = [part for part in there if _is_behind(connection, part, keep_seconds)]
        found = Pruned(without_rollback=_without_rollback(connection, behind, dry_run=dry_run))
        for part in _wanted(connection, there, rows):
            made = dry_run or _make(connection, part, rows)
            (found.made if made else found.postponed).append(part.name)
        for part in behind:
            dropped = dry_run or _drop(connection, part)
            (found.dropped if dropped else found.postponed).append(part.name)
        cleared = 0 if dry_run else _clear_default(connection, keep_seconds)
        return Pruned(found.made, found.dropped, found.without_rollback, found.postponed, cleared)
    finally:
        connection.execute(LET_GO)


def _head(connection: Connection) -> int:
    return int(_one(connection, "SELECT COALESCE(max(position), 0) FROM store.outbox"))


def _is_behind(connection: Connection, part: Partition, keep_seconds: float) -> bool:
    """Whether every reader has passed it, the writers have left it, and its newest row is old enough."""
    if part.end - 1 > passed(connection) or part.end > _head(connection):
        return False
    newest = sql.SQL(
        "SELECT COALESCE((SELECT created_at < now() - make_interval(secs => {}) FROM {}"
        " ORDER BY position DESC LIMIT 1), true)"
    )
    return bool(_one(connection, newest.format(keep_seconds, sql.Identifier("store", part.name))))


def _wanted(connection: Connection, there: list[Partition], rows: int) -> list[Partition]:
    """So many empty partitions ahead of the newest event that none is ever written to the default one.

    Where the writers are about to leave the last one, or have left it, the next begins a partition's length further
    on, and what comes in between goes to the default one: a row on its way there when a partition for it is attached
    would be refused.
    """
    head = _head(connection)
    end = there[-1].end if there else 0
    goal = head + AHEAD * rows
    if head > 0 and end - head < rows:
        end, goal = head + rows, goal + rows
    number = max((int(part.name.removeprefix("outbox_p")) for part in there), default=-1) + 1
    wanted = []
    while end < goal:
        wanted.append(Partition(f"outbox_p{number:05d}", end, end + rows))
        end += rows
        number += 1
    return wanted


def _make(connection: Connection, part: Partition, rows: int) -> bool:
    name = sql.Identifier("store", part.name)
    connection.execute(
        sql.SQL("CREATE TABLE {} (LIKE store.outbox INCLUDING CONSTRAINTS INCLUDING DEFAULTS)").format(name)
    )
    attach = sql.SQL("ALTER TABLE store.outbox ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})")
    return _in_a_moment(connection, attach.format(name, part.first, part.first + rows))


def _drop(connection: Connection, part: Partition) -> bool:
    name = sql.Identifier("store", part.name)
    if not _in_a_moment(connection, sql.SQL("ALTER TABLE store.outbox DETACH PARTITION {}").format(name)):
        return False
    connection.execute(sql.SQL("DROP TABLE {}").format(name))
    return True


def _in_a_moment(connection: Connection, statement: sql.Composed) -> bool:
    """Run a statement that locks the outbox: for a moment, again and again; whether there was one."""
    for attempt in range(TRIES):
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                connection.execute(statement)
        except _BUSY:
            time.sleep(LONGEST_PAUSE_SECONDS * _JITTER.random() * (attempt + 1) / TRIES)
        else:
            return True
    return False


def _clear_away(connection: Connection) -> None:
    """Drop what an earlier run left between two steps: tables that were never attached, or that are detached."""
    left = connection.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'store'::regnamespace AND c.relkind = 'r'"
        " AND c.relname ~ '^outbox_p[0-9]+$' AND NOT c.relispartition"
    ).fetchall()
    for (name,) in left:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("store", name)))


def _clear_default(connection: Connection, keep_seconds: float) -> int:
    """Delete what the default partition holds and nobody needs: it is there only because no other was in time."""
    cleared = connection.execute(
        f"DELETE FROM store.{DEFAULT} WHERE position IN (SELECT position FROM store.{DEFAULT} WHERE position <= %s"
        " AND created_at < now() - make_interval(secs => %s) ORDER BY position LIMIT %s)",
        (passed(connection), keep_seconds, PURGED_ROWS),
    )
    return cleared.rowcount


def _without_rollback(connection: Connection, behind: list[Partition], *, dry_run: bool) -> list[str]:
    if not behind:
        return []
    with connection.transaction(force_rollback=dry_run):
        found = connection.execute(
            "UPDATE read.projections p SET previous_version = NULL FROM read.projection_versions v"
            " WHERE v.projection = p.name AND v.version = p.previous_version AND v.position < %s RETURNING p.name",
            (behind[-1].end - 1,),
        ).fetchall()
    return [name for (name,) in found]


def _one(connection: Connection, query: str | sql.Composed) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]
