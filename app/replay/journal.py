"""What a replay has done, a line a step, so that an interrupted one goes on where it was.

Losing the journal loses nothing but time: every step carries an idempotency key made from its invoice.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Journal:
    """Steps done by their name, and what each customer needs to go on (tokens, address)."""

    path: Path
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    customers: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, source: Path, store: str) -> "Journal":
        """The journal of one file's replay into one store, read if there is one."""
        digest = hashlib.sha256(source.read_bytes() + store.encode()).hexdigest()[:16]
        journal = cls(folder / f"{digest}.jsonl")
        if journal.path.exists():
            for line in journal.path.read_text(encoding="utf-8").splitlines():
                try:
                    journal._take(json.loads(line))
                except ValueError:
                    break  # a line cut short by a kill: that step is done again, to the same effect
        return journal

    def done(self, step: str, result: dict[str, Any]) -> None:
        """Write down that a step is done, with what the summary needs of it."""
        self._write({"step": step, "result": result})

    def customer(self, customer: str, known: dict[str, str]) -> None:
        """Write down what a customer needs to go on."""
        self._write({"customer": customer, "known": known})

    def _write(self, entry: dict[str, Any]) -> None:
        self._take(entry)
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def _take(self, entry: dict[str, Any]) -> None:
        if "step" in entry:
            self.steps[entry["step"]] = entry["result"]
        else:
            self.customers[entry["customer"]] = entry["known"]
