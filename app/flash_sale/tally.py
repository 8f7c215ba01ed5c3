"""What happened in a sale, counted by all of its clients at once; and how long things took."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

# Upper edges in milliseconds, each half as large again as the one before: an error of at most a quarter either way.
EDGES = tuple(round(1.5**power, 2) for power in range(24))
BOUGHT, SOLD_OUT = "bought", "sold out"


@dataclass
class Histogram:
    """Latencies in milliseconds, by bucket: ``EDGES[i]`` is the upper edge of the i-th; the last has none."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    slowest: float = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one."""
        place = next((index for index, edge in enumerate(EDGES) if milliseconds <= edge), len(EDGES))
        self.counts[place] += 1
        self.slowest = max(self.slowest, milliseconds)

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self.counts)

    def percentile(self, share: float) -> float:
        """The upper edge of the bucket that this share of all lies in or below; 0 when there is none."""
        wanted, seen = share * self.total, 0
        for edge, count in zip((*EDGES, self.slowest), self.counts, strict=True):
            seen += count
            if count and seen >= wanted:
                return min(edge, self.slowest)
        return 0.0

    def rows(self) -> list[tuple[float, int]]:
        """Upper edge and count, from the first bucket with something in it to the last."""
        filled = [index for index, count in enumerate(self.counts) if count]
        edges = (*EDGES, self.slowest)
        return [(edges[index], self.counts[index]) for index in range(filled[0], filled[-1] + 1)] if filled else []


class Tally:
    """Outcomes and latencies of a sale. Safe to write from many threads."""

    def __init__(self, buyers: int, units: int) -> None:
        self.buyers, self.units = buyers, units
        self.outcomes: Counter[str] = Counter()
        self.waits = 0
        self.checkout = Histogram()
        self.purchase = Histogram()
        self.errors: list[str] = []
        self.started = 0.0
        self.ended = 0.0
        self._lock = threading.Lock()

    def start(self) -> None:
        """The doors open."""
        self.started = time.monotonic()

    def end(self) -> None:
        """The last buyer is gone."""
        self.ended = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the sale has lasted."""
        return (self.ended or time.monotonic()) - self.started if self.started else 0.0

    @property
    def done(self) -> int:
        """Buyers who are through with it."""
        return self.outcomes.total()

    def checked_out(self, seconds: float) -> None:
        """A checkout was answered, with an order or with a refusal."""
        with self._lock:
            self.checkout.add(seconds * 1000)

    def waited(self, times: int) -> None:
        """Somebody was asked to come again (429, 503), and did."""
        with self._lock:
            self.waits += times

    def left(self, outcome: str, seconds: float) -> None:
        """A buyer is through: bought, found it sold out, or met something else."""
        with self._lock:
            self.outcomes[outcome] += 1
            if outcome == BOUGHT:
                self.purchase.add(seconds * 1000)
            elif outcome != SOLD_OUT and len(self.errors) < 20:
                self.errors.append(outcome)
