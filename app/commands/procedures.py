"""``kirana procedures``: the only way the procedures get into a database, and how to see which are there."""

import psycopg
import typer
from rich.table import Table

from app.commands.console import new_typer, out, say
from app.core import procedure_files
from app.core.config import get_settings
from app.core.paths import PROCEDURES_DIR

app = new_typer("Install procedures/*.sql into the database, and compare the two.")

COLOURS: dict[procedure_files.State, str] = {
    "current": "green",
    "file changed": "yellow",
    "missing": "yellow",
    "changed in the database": "red",
    "extra": "red",
    "overloaded": "red",
}
REMEDIES: dict[procedure_files.State, str] = {
    "file changed": "run `kirana procedures install`",
    "missing": "run `kirana procedures install`",
    "changed in the database": "somebody replaced it by hand; `kirana procedures install` puts the file's text back",
    "extra": "no file of this name: DROP PROCEDURE it, or bring its file back",
    "overloaded": "several signatures: the file must DROP the retired ones",
}


def install_all() -> list[str]:
    """Install every file in one transaction as the owner; the names. Raises InstallError, with nothing installed."""
    with psycopg.connect(get_settings().dsn("owner"), autocommit=True) as connection:
        return procedure_files.install(connection)


def _states() -> list[procedure_files.ProcedureState]:
    with psycopg.connect(get_settings().dsn("owner"), autocommit=True) as connection:
        return procedure_files.states(connection)


@app.command()
def install() -> None:
    """Install all files in ONE transaction: all of them, or, when one fails, none."""
    names = install_all()
    say(f"procedures  {len(names)} installed from {PROCEDURES_DIR}")


@app.command("list")
def list_all() -> None:
    """Show every procedure with its summary, and whether the database has the file's text."""
    table = Table("procedure", "state", "what it does")
    for state in _states():
        table.add_row(state.name, f"[{COLOURS[state.state]}]{state.state}[/]", state.summary)
    out.print(table)


@app.command()
def diff() -> None:
    """Show those that differ, and why; exit status 1 when any does."""
    differing = [state for state in _states() if state.state != "current"]
    for state in differing:
        say(f"{state.name}: {state.state}: {REMEDIES[state.state]}")
    if not differing:
        say("procedures  the database has what the files say")
    raise typer.Exit(1 if differing else 0)
