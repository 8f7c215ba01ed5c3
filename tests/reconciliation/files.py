"""Settlement files for tests, made from what the ledger has."""

import csv
import io
from pathlib import Path
from typing import Any

from tests.support.builders import Connection, rows

COLUMNS = (
    *("kind", "provider", "provider_ref", "our_id", "amount", "fee", "tax", "currency"),
    *("settled_at", "settlement_id", "utr"),
)
Row = dict[str, Any]


def ledger_rows(owner: Connection, settlement: str = "setl_1") -> list[Row]:
    """A line for every movement of the ledger, as a gateway would list them."""
    return [
        {
            "kind": "payment" if kind == "capture" else "refund",
            "provider": provider,
            "provider_ref": reference,
            "our_id": "",
            "amount": abs(amount),
            "fee": abs(amount) // 50,
            "tax": abs(amount) // 50 * 18 // 100,
            "currency": currency,
            "settled_at": "2026-11-20T10:00:00+05:30",
            "settlement_id": settlement,
            "utr": "UTR0001",
        }
        for kind, provider, reference, amount, currency in rows(
            owner, "SELECT kind, provider, provider_ref, amount, currency FROM store.money_movements ORDER BY id"
        )
    ]


def csv_text(lines: list[Row], columns: tuple[str, ...] = COLUMNS) -> str:
    """The lines as a CSV with a header."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def write(path: Path, lines: list[Row], columns: tuple[str, ...] = COLUMNS) -> Path:
    """The same in a file."""
    path.write_text(csv_text(lines, columns), encoding="utf-8", newline="")
    return path
