"""`kirana docs`: write the pages that are generated from the code, or tell which are stale."""

import typer

from app.docs.pages import generate, stale

app = typer.Typer(help="Write or check the pages of docs/ that are generated from the code.", no_args_is_help=True)


@app.command("generate")
def generate_pages() -> None:
    """Write the pages of docs/ that are made from the code: tables, procedures, contract, errors, settings."""
    changed = generate()
    for path in changed:
        typer.echo(f"written: {path}")
    if not changed:
        typer.echo("all pages are up to date")


@app.command("record")
def record_examples() -> None:
    """Write docs/examples.json again: what each operation answers in the walk of `kirana validate`. Then generate."""
    from app.docs.recorded import record

    typer.echo(f"{record()} operations recorded")


@app.command("verify")
def verify_pages() -> None:
    """Exit 1 and name the pages that say something else than the code."""
    found = stale()
    for path in found:
        typer.echo(f"stale: {path} (run `kirana docs generate`)", err=True)
    if found:
        raise typer.Exit(1)
    typer.echo("all pages are up to date")
