"""A figure: what was measured, its reference of the same run, the goal, and whether it is reached."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

Measure = Callable[[], float]


@dataclass(frozen=True)
class Goal:
    """What a figure is held to: the ratio to its reference, or its own value where there is none."""

    at_least: float | None = None
    at_most: float | None = None

    def reached(self, value: float) -> bool:
        """Whether ``value`` is within the goal."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        return f"≥ {self.at_least:,g}" if self.at_least is not None else f"≤ {self.at_most:,g}"


@dataclass
class Figure:
    """Runs of ours and of the reference, one of each in turn."""

    name: str
    unit: str
    goal: Goal
    reference: str = "–"
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        """Our median."""
        return statistics.median(self.ours)

    @property
    def reference_value(self) -> float | None:
        """The reference's median; None where there is no reference."""
        return statistics.median(self.theirs) if self.theirs else None

    @property
    def judged(self) -> float:
        """What the goal is about: the ratio of the medians, or our median where there is no reference."""
        return self.value / self.reference_value if self.reference_value else self.value

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return self.goal.reached(self.judged)


def compared(figure: Figure, ours: Measure, theirs: Measure, rounds: int) -> Figure:
    """Measure both in turn, ``rounds`` times; which one goes first changes, so that neither has the warmer machine."""
    for number in range(rounds):
        for ours_now in (number % 2 == 0, number % 2 == 1):
            (figure.ours if ours_now else figure.theirs).append((ours if ours_now else theirs)())
    return figure


def alone(figure: Figure, measure: Measure, rounds: int) -> Figure:
    """Measure ours, ``rounds`` times."""
    figure.ours.extend(measure() for _ in range(rounds))
    return figure
