"""The ``kirana`` command: one module of ``app/commands`` for each command or group, listed here by name.

Only the module that is asked for is imported, so that `kirana staff list` does not wait for what `kirana up` needs.
"""

import sys
from importlib import import_module

import typer

from app.commands import console

# a command is the function of its module that has the module's name; a group is the module's `app`
COMMANDS = ("up", "worker", "sandbox-gateway", "doctor", "audit", "replay", "validate")
GROUPS = (
    "servers",
    "migrate",
    "procedures",
    "projections",
    "catalog",
    "inventory",
    "demo",
    "payments",
    "cod",
    "invoices",
    "staff",
    "privacy",
    "docs",
    "backup",
    "relay",
    "webhooks",
    "bench",
)


def application(only: str | None = None) -> typer.Typer:
    """The command line; with ``only``, no more of it than that command or group."""
    app = console.new_typer("Kirana, a storefront backend: run it, migrate it, look after it.")
    app.callback()(_kirana)
    for name in COMMANDS:
        if only in {None, name}:
            stem = name.replace("-", "_")
            app.command(name)(getattr(import_module(f"app.commands.{stem}"), stem))
    for name in GROUPS:
        if only in {None, name}:
            app.add_typer(import_module(f"app.commands.{name}").app, name=name)
    return app


def _kirana() -> None:
    """Kirana, a storefront backend: run it, migrate it, look after it."""


def main() -> None:
    """Run the command line."""
    asked = sys.argv[1] if len(sys.argv) > 1 else None
    console.run(application(asked if asked in {*COMMANDS, *GROUPS} else None))


if __name__ == "__main__":
    main()
