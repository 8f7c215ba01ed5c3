"""Takes the lines of a stock file into the store, as ``kirana_command``; the same file again changes nothing."""

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from app.core.http import request_hash
from app.stock_files.reading import StockLine

LINES_A_CALL = 500
MAX_ATTEMPTS = 5
NOTHING_WAS_DONE = frozenset({"40001", "40P01", "55P03"})
FIRST_PAUSE_SECONDS = 0.05
_JITTER = random.SystemRandom()

Connection = psycopg.Connection[Any]


def known_skus(reader: Connection, lines: Sequence[StockLine]) -> set[str]:
    """Those SKUs of the lines that the store has."""
    found = reader.execute(
        "SELECT sku FROM store.product_variants WHERE sku = ANY(%s)", ([line.sku for line in lines],)
    )
    return {sku for (sku,) in found}


class StockFile:
    """One file, applied on behalf of one member of staff.

    Every call's idempotency key is made of the file's bytes, the warehouse, the label (a reference, a note) and the
    lines' place, so that a run that broke off is run again: what is in is not taken in twice.
    """

    def __init__(
        self, connection: Connection, staff_id: UUID, path: Path, warehouse: str, label: str | None = None
    ) -> None:
        self._connection = connection
        self._staff_id = staff_id
        self._warehouse = warehouse
        self._digest = hashlib.sha256(
            b"\0".join((path.read_bytes(), warehouse.encode(), (label or "").encode()))
        ).hexdigest()

    def receive(
        self, lines: Sequence[StockLine], reference: str | None, reason: str | None, advance: Callable[[int], None]
    ) -> dict[str, int]:
        """Receive the lines, hundreds at a time; units, units for waiting orders, and lines that were in already."""
        totals = {"units": 0, "allocated": 0, "replayed": 0}
        for number, chunk in _chunks(lines):
            done = self._keyed(
                "receive_inventory",
                number,
                p_warehouse_code=self._warehouse,
                p_lines=[line.as_parameter("receive") for line in chunk],
                p_reference=reference,
                p_reason=reason,
            )
            totals["units"] += done["units"]
            totals["allocated"] += sum(line["allocated"] for line in done["lines"])
            totals["replayed"] += len(chunk) if done.get("replayed") else 0
            advance(len(chunk))
        return totals

    def count(
        self, lines: Sequence[StockLine], note: str | None, *, post: bool, advance: Callable[[int], None]
    ) -> dict[str, Any]:
        """A count of the lines, in review, or posted; the count's document."""
        opened = self._keyed("open_stock_count", 0, p_warehouse_code=self._warehouse, p_note=note)
        for number, chunk in _chunks(lines):
            recorded = [line.as_parameter("count") for line in chunk]
            self._keyed("record_stock_count", number, p_count_id=opened["id"], p_lines=recorded)
            advance(len(chunk))
        done = self._keyed("step_stock_count", 0, p_count_id=opened["id"], p_step="review")
        if post:
            done = self._keyed("step_stock_count", 1, p_count_id=opened["id"], p_step="post")
        return done

    def _keyed(self, name: str, number: int, **parameters: Any) -> dict[str, Any]:
        values = {
            "p_staff_id": self._staff_id,
            "p_idempotency_key": f"{self._digest}:{number}",
            "p_request_hash": request_hash({key: str(value) for key, value in parameters.items()}),
            **{key: Jsonb(value) if isinstance(value, list) else value for key, value in parameters.items()},
        }
        named = ", ".join(f"{key} => %({key})s" for key in values)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                row = self._connection.execute(f"CALL store.{name}({named}, o_result => NULL)", values).fetchone()
            except psycopg.OperationalError as error:
                if error.sqlstate not in NOTHING_WAS_DONE or attempt == MAX_ATTEMPTS:
                    raise
                time.sleep(FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + _JITTER.random()))
            else:
                return dict(row[0]) if row is not None else {}
        raise AssertionError("unreachable: the last attempt returns or raises")


def _chunks(lines: Sequence[StockLine]) -> Iterator[tuple[int, Sequence[StockLine]]]:
    for number, start in enumerate(range(0, len(lines), LINES_A_CALL)):
        yield number, lines[start : start + LINES_A_CALL]
