"""Running the checks: all in one snapshot, so that a store in full swing is seen at one moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row

CHECKS_DIR = Path(__file__).parent / "checks"
SHOWN_PER_CHECK = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that does not agree with its books."""

    table_name: str
    key: str
    expected: Any
    found: Any


@dataclass(frozen=True, slots=True)
class Check:
    """One file of checks/: its first line says what must hold."""

    name: str
    rule: str
    query: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: the first differences, and how many there are in all."""

    check: Check
    differences: list[Difference]
    count: int


def load_checks() -> list[Check]:
    """All checks, by name."""
    found = []
    for path in sorted(CHECKS_DIR.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        found.append(Check(path.stem, text.splitlines()[0].removeprefix("-- "), text))
    return found


def audit(dsn: str) -> Iterator[Finding]:
    """Run every check in one read-only snapshot; yields each as it is done. ``dsn``: a role that may read ``store``."""
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        for check in load_checks():
            with connection.cursor(row_factory=class_row(Difference)) as cursor:
                rows = cursor.execute(check.query.encode()).fetchall()
            yield Finding(check, rows[:SHOWN_PER_CHECK], len(rows))
