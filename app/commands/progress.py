"""Progress of long work: a bar with rate and time left on a terminal, a plain line every few seconds elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from app.commands.console import err

PLAIN_LINE_SECONDS = 5.0


class RateColumn(ProgressColumn):
    """Steps a second, as measured lately."""

    def render(self, task: Task) -> Text:
        """The rate, or a dash before there is one."""
        speed = task.finished_speed or task.speed
        return Text("–/s" if speed is None else f"{speed:,.0f}/s")


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields ``advance(steps)``. Writes to stderr, so that a command's own output can be piped."""
    if err.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=err) as bar:
            task = bar.add_task(description, total=total)

            def advance(steps: int = 1) -> None:
                bar.advance(task, steps)

            yield advance
        return
    yield _plain(description, total)


def _plain(description: str, total: int) -> Callable[[int], None]:
    started = told = time.monotonic()
    done = 0

    def advance(steps: int = 1) -> None:
        nonlocal done, told
        done += steps
        now = time.monotonic()
        if now - told >= PLAIN_LINE_SECONDS or done == total:
            told = now
            rate = done / max(now - started, 1e-9)
            left = (total - done) / rate if rate else 0
            err.print(f"{description}: {done}/{total}, {rate:,.0f}/s, {left:,.0f} s left", markup=False)

    return advance
