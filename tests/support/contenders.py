"""Many contenders at once: real connections, a few at a time, all let go at one moment."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg

from app.core.config import Role
from tests.support.databases import Database

Item = TypeVar("Item")
DEADLOCK = "40P01"


class Results:
    """What came of each contender: the answers, and the SQLSTATEs of those who were refused."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.refused: Counter[str | None] = Counter()
        self._lock = threading.Lock()

    def add(self, answer: dict[str, Any]) -> None:
        """One who was served."""
        with self._lock:
            self.answers.append(answer)

    def refuse(self, sqlstate: str | None) -> None:
        """One who was not."""
        with self._lock:
            self.refused[sqlstate] += 1


def contend(
    database: Database,
    items: Sequence[Item],
    work: Callable[[psycopg.Connection[Any], Item], dict[str, Any]],
    *,
    connections: int = 16,
    role: Role = "command",
) -> Results:
    """Run ``work`` for every item, on at most ``connections`` real connections; each starts when all are connected."""
    results, width = Results(), min(connections, len(items))
    start = threading.Barrier(width)

    def contender(number: int) -> None:
        with database.connect(role) as connection:
            start.wait(30)
            for item in items[number::width]:
                try:
                    results.add(work(connection, item))
                except psycopg.Error as error:
                    results.refuse(error.sqlstate)

    with ThreadPoolExecutor(width) as threads:
        for future in [threads.submit(contender, number) for number in range(width)]:
            future.result()
    return results
