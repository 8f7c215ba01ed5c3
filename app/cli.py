"""The ``kirana`` command: one module of ``app/commands`` for each group, added here by name."""

from app.commands import console, migrate, procedures, servers, up

app = console.new_typer("Kirana, a storefront backend: run it, migrate it, look after it.")
app.command()(up.up)
app.add_typer(servers.app, name="servers")
app.add_typer(migrate.app, name="migrate")
app.add_typer(procedures.app, name="procedures")


def main() -> None:
    """Run the command line."""
    console.run(app)


if __name__ == "__main__":
    main()
