"""The table, on the terminal and as Markdown, and the chart."""

import os
import platform
from pathlib import Path

import pygal
from pydantic import TypeAdapter
from pygal.style import CleanStyle
from rich.console import Console
from rich.table import Table

from tests.bench.figures import Figure

KEPT = TypeAdapter(list[Figure])
HEAD = ("what", "ours", "reference", "reference's", "ratio", "goal", "")


def cells(figure: Figure) -> tuple[str, ...]:
    """One line of the table."""
    theirs = f"{_number(figure.reference_value)} {figure.unit}" if figure.reference_value is not None else ""
    spread = f" ({_number(min(figure.ours))}–{_number(max(figure.ours))})" if len(figure.ours) > 1 else ""
    return (
        figure.name,
        f"{_number(figure.value)}{spread} {figure.unit}",
        figure.reference,
        theirs,
        f"{figure.judged:.2f}" if figure.theirs else "",
        str(figure.goal),
        "✔" if figure.reached else "✘",
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def print_table(console: Console, figures: list[Figure]) -> None:
    """The table, on a terminal."""
    table = Table(*HEAD)
    for figure in figures:
        table.add_row(*cells(figure))
    console.print(table)


def markdown(figures: list[Figure]) -> str:
    """The table, for docs/performance.md."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    lines += ["| " + " | ".join(cells(figure)) + " |" for figure in figures]
    return "\n".join(lines) + "\n"


def merged(file: Path, figures: list[Figure]) -> list[Figure]:
    """What was kept before, with these in place of those of the same name; kept again, every run of each."""
    known = {figure.name: figure for figure in KEPT.validate_json(file.read_bytes())} if file.exists() else {}
    known |= {figure.name: figure for figure in figures}
    file.write_bytes(KEPT.dump_json(list(known.values()), indent=1) + b"\n")
    return list(known.values())


def machine() -> str:
    """The machine, in a line."""
    name = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ":")
    return f"{os.cpu_count()} cores of {name.split(':')[1].strip()}, Linux {platform.release()}"


def chart(figures: list[Figure], path: Path) -> None:
    """How far each figure is: 100 is its goal."""
    drawn = pygal.HorizontalBar(
        style=CleanStyle, show_legend=False, height=60 + 34 * len(figures), width=960, x_title="percent of the goal"
    )
    drawn.x_labels = [figure.name for figure in reversed(figures)]
    drawn.add("of the goal", [round(_of_goal(figure) * 100) for figure in reversed(figures)])
    drawn.render_to_file(str(path))


def _of_goal(figure: Figure) -> float:
    if figure.goal.at_least is not None:
        return figure.judged / figure.goal.at_least
    assert figure.goal.at_most is not None
    return figure.goal.at_most / figure.judged
