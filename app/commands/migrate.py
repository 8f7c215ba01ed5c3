"""``kirana migrate``: the schema, by Alembic, as the owner. Procedures are not part of it."""

from typing import Annotated

import typer

from app.commands.console import say
from app.core import migrations
from app.core.config import get_settings

app = typer.Typer(
    help="Bring the schema up (the default), take it down, or show where it is.",
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def migrate(context: typer.Context) -> None:
    """Bring the schema up (the default), take it down, or show where it is."""
    if context.invoked_subcommand is None:
        up("head")


@app.command()
def up(revision: Annotated[str, typer.Argument(help="Where to: a revision, or head.")] = "head") -> None:
    """Bring the schema up, in one transaction, with a lock time-out."""
    url = get_settings().sqlalchemy_url("owner")
    before, _ = migrations.revisions(url)
    migrations.upgrade(url, revision)
    after, _ = migrations.revisions(url)
    moved = "at" if before == after else f"from {before or 'empty'} to"
    say(f"schema      {moved} {after}")


@app.command()
def down(revision: Annotated[str, typer.Argument(help="Where to: a revision, -1, or base (empty).")]) -> None:
    """Take the schema down. Tables go, and what they hold."""
    url = get_settings().sqlalchemy_url("owner")
    migrations.downgrade(url, revision)
    say(f"schema      at {migrations.revisions(url)[0] or 'empty'}")


@app.command()
def status() -> None:
    """Show the revision; exit status 1 when it is not the newest."""
    current, head = migrations.revisions(get_settings().sqlalchemy_url("owner"))
    say(f"schema      at {current or 'empty'}, newest is {head or 'none'}")
    raise typer.Exit(0 if current == head else 1)
