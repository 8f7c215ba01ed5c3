"""`kirana docs`: write the pages that are generated from the code, or tell which are stale."""

import typer

from app.docs.pages import generate, stale

app = typer.Typer(help="Write or check the pages of docs/ that are generated from the code.", no_args_is_help=True)


@app.command("generate")
def generate_pages() -> None:
    """Write docs/er-diagram.md, errors.md, procedures.md, api-contract.md and openapi.json."""
    changed = generate()
    for path in changed:
        typer.echo(f"written: {path}")
    if not changed:
        typer.echo("all pages are up to date")


@app.command("verify")
def verify_pages() -> None:
    """Exit 1 and name the pages that say something else than the code."""
    found = stale()
    for path in found:
        typer.echo(f"stale: {path} (run `kirana docs generate`)", err=True)
    if found:
        raise typer.Exit(1)
    typer.echo("all pages are up to date")
