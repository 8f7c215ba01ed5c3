"""The ``kirana`` command: one module of ``app/commands`` for each group, added here by name."""

from app.commands import (
    audit,
    catalog,
    console,
    demo,
    docs,
    doctor,
    migrate,
    procedures,
    projections,
    replay,
    sandbox_gateway,
    servers,
    staff,
    up,
    validate,
    worker,
)

app = console.new_typer("Kirana, a storefront backend: run it, migrate it, look after it.")
app.command()(up.up)
app.command()(worker.worker)
app.command()(doctor.doctor)
app.command()(sandbox_gateway.sandbox_gateway)
app.command()(audit.audit)
app.command()(replay.replay)
app.command()(validate.validate)
app.add_typer(catalog.app, name="catalog")
app.add_typer(staff.app, name="staff")
app.add_typer(demo.app, name="demo")
app.add_typer(docs.app, name="docs")
app.add_typer(servers.app, name="servers")
app.add_typer(migrate.app, name="migrate")
app.add_typer(procedures.app, name="procedures")
app.add_typer(projections.app, name="projections")


def main() -> None:
    """Run the command line."""
    console.run(app)


if __name__ == "__main__":
    main()
