"""What every command prints with, and how a command fails: one line on stderr, exit status 1."""

import os
import sys
from collections.abc import Callable

import typer
from rich.console import Console

UNFOLDED = 240
TRACEBACK_VARIABLE = "KIRANA_TRACEBACK"

# What is read by a program or kept in a file has no width: a table is not folded there.
out = Console(highlight=False, width=None if sys.stdout.isatty() else UNFOLDED)
err = Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """Print one line as it is: brackets are not markup, and a narrow terminal does not break it."""
    out.print(line, markup=False, soft_wrap=True)


class CommandFailed(RuntimeError):
    """A command can't do what it was asked; the message is one line that says what to do about it."""


def one_line(error: BaseException) -> str:
    """The first line of what an error says; its class when it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def run(app: Callable[[], object]) -> None:
    """Run the command line. Whatever goes wrong is one line; ``KIRANA_TRACEBACK=1`` shows where it comes from."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # the last resort of a program is the one place that may catch everything
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        err.print(f"[red]error:[/red] {type(error).__name__ + ': ' if _unexpected(error) else ''}", end="")
        err.print(one_line(error), markup=False, soft_wrap=True)
        sys.exit(1)


def _unexpected(error: Exception) -> bool:
    """Whether the class says more than the message: errors of our own are written to be read."""
    return not type(error).__module__.startswith("app.")


def new_typer(help_text: str) -> typer.Typer:
    """A command group with the house's habits: help when called bare, no framed tracebacks."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        rich_markup_mode="rich",
    )
