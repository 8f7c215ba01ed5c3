"""The outbox's partitions: new ones made ahead of the writers, old ones dropped once every reader is past them."""

import re
from dataclasses import dataclass
from typing import Any

import psycopg

from projections.consumers import consumer_positions

PARTITION_ROWS = 10_000_000
AHEAD = 2
LOCK_TIMEOUT = "2s"
_BOUNDS = re.compile(r"FROM \('(\d+)'\) TO \('(\d+)'\)")


@dataclass(frozen=True, slots=True)
class Partition:
    """Positions ``first`` up to, but not with, ``end``."""

    name: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """Names of the partitions that were made and dropped, and the projections that lost their way back."""

    made: list[str]
    dropped: list[str]
    without_rollback: list[str]


def partitions(connection: psycopg.Connection[Any]) -> list[Partition]:
    """All but the default one, in order."""
    found = connection.execute(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'store.outbox'::regclass"
    ).fetchall()
    bounds = [(name, match) for name, bound in found if (match := _BOUNDS.search(bound))]
    return sorted((Partition(name, int(b[1]), int(b[2])) for name, b in bounds), key=lambda partition: partition.first)


def passed(connection: psycopg.Connection[Any]) -> int:
    """The position that every reader of the outbox has passed; 0 while one has not begun."""
    return min((consumer.position for consumer in consumer_positions(connection)), default=0)


def prune(connection: psycopg.Connection[Any], *, dry_run: bool = False) -> Pruned:
    """Make partitions ahead and drop those behind, as the owner; in one transaction that waits two seconds at most.

    A version kept for rollback that would need dropped events is no longer offered; the next rebuild drops its table.
    """
    with connection.transaction(force_rollback=dry_run):
        connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        row = connection.execute("SELECT COALESCE(max(position), 0) FROM store.outbox").fetchone()
        head: int = row[0] if row else 0
        there = partitions(connection)
        made = _make_ahead(connection, there, head)
        behind = [part for part in there if part.end - 1 <= passed(connection) and part.end <= head]
        without: list[str] = []
        if behind:
            found = connection.execute(
                "UPDATE read.projections p SET previous_version = NULL FROM read.projection_versions v"
                " WHERE v.projection = p.name AND v.version = p.previous_version AND v.position < %s RETURNING p.name",
                (behind[-1].end - 1,),
            )
            without = [name for (name,) in found.fetchall()]
        for part in behind:
            connection.execute(f"DROP TABLE store.{part.name}")
    return Pruned(made, [part.name for part in behind], without)


def _make_ahead(connection: psycopg.Connection[Any], there: list[Partition], head: int) -> list[str]:
    """Keep so many empty partitions ahead of the newest event that none is ever written to the default one."""
    made = []
    end = there[-1].end if there else 0
    while end - head < AHEAD * PARTITION_ROWS:
        name = f"outbox_p{end // PARTITION_ROWS:05d}"
        connection.execute(
            f"CREATE TABLE store.{name} PARTITION OF store.outbox FOR VALUES FROM ({end}) TO ({end + PARTITION_ROWS})"
        )
        made.append(name)
        end += PARTITION_ROWS
    return made
