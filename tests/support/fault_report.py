"""What the fault tests measured, as the table that `make faults` prints at its end."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

FILE = "faults-report.jsonl"


class Report:
    """Lines of the table, kept in a file so that every worker of a run can add to it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def add(self, what: str, tried: int, wrong: int, note: str = "") -> None:
        """One line: how often it was tried, how often it went wrong, and what else is worth saying."""
        with self._path.open("a") as file:
            file.write(json.dumps([what, tried, wrong, note]) + "\n")

    def kills(self, took: Mapping[str, Sequence[float]], counts: Counter[str]) -> None:
        """A line for each kind of fault, and one for what the shoppers did meanwhile."""
        for name, seconds in took.items():
            ordered = sorted(seconds)
            note = (
                f"acknowledging again after {ordered[len(ordered) // 2]:.1f} s (median), {ordered[-1]:.1f} s (longest)"
            )
            self.add(name, len(ordered), 0, note)
        told = ("commands acknowledged", "answers lost", "sent again", "answers replayed", "pages read")
        self.add(
            "meanwhile", counts["commands acknowledged"], 0, ", ".join(f"{counts[name]:,} {name}" for name in told)
        )

    def lines(self) -> list[tuple[str, int, int, str]]:
        """All lines so far."""
        if not self._path.exists():
            return []
        return [tuple(json.loads(line)) for line in self._path.read_text().splitlines()]
