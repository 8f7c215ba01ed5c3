"""``kirana backup``: take a backup, check it, restore it. Nothing of a running store is stopped or locked for it."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.audit.books import audit
from app.backup import logical, manifest, physical
from app.backup.read_side import forget_views
from app.commands.console import CommandFailed, new_typer, out, say
from app.core.config import get_settings

app = new_typer("Take backups, check them, and restore them.")

Folder = Annotated[Path, typer.Argument(help="The backup's folder.", file_okay=False)]
MOMENTS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Processes that share the work.")]


@app.command()
def create(
    folder: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    jobs: Jobs = 2,
    whole_cluster: Annotated[
        bool, typer.Option("--physical", help="Copy the whole cluster by pg_basebackup, for point-in-time restores.")
    ] = False,
) -> None:
    """Back up the database, of one moment, while the store goes on. An interrupted backup is no folder of that name.

    By default by pg_dump: it restores anywhere. As the owner (KIRANA_OWNER_DATABASE_URL); --physical needs a role that
    may replicate.
    """
    if folder.exists():
        raise CommandFailed(f"{folder} exists already: name a new folder")
    dsn, partial = get_settings().dsn("owner"), folder.with_name(folder.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True, mode=0o700)
    taken = physical.take(dsn, partial) if whole_cluster else logical.take(dsn, partial, jobs)
    taken.write(partial)
    partial.rename(folder)
    _show(folder, taken)


@app.command()
def verify(folder: Folder) -> None:
    """Hold every file against its checksum; exit status 1 names those that are damaged."""
    found = manifest.read(folder)
    bad = manifest.damaged(folder, found)
    if bad:
        raise CommandFailed(f"{len(bad)} files are damaged or missing: {', '.join(bad[:5])}")
    if found.kind == "physical":
        physical.check(folder, found.server_version)
    _show(folder, found)
    say("every file is as it was written")


@app.command()
def restore(
    folder: Folder,
    jobs: Jobs = 2,
    to: Annotated[Path | None, typer.Option(help="--physical backups: the new data folder to make.")] = None,
    wal_archive: Annotated[Path | None, typer.Option(help="Replay the log archived here after it.")] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=MOMENTS, help="Replay up to this moment (UTC) and no further.")
    ] = None,
) -> None:
    """Restore into the owner's database, which must be empty; the restored store is audited before it is called good.

    A --physical backup becomes a new data folder (--to), for PostgreSQL to be started on.
    """
    found = manifest.read(folder)
    bad = manifest.damaged(folder, found)
    if bad:
        raise CommandFailed(f"the backup is damaged, nothing was restored: {', '.join(bad[:5])}")
    if found.kind == "physical":
        if to is None:
            raise CommandFailed("a backup of a whole cluster needs --to, the data folder to make")
        physical.put_back(folder, to, wal_archive, None if until is None else until.replace(tzinfo=UTC))
        say(f"{to} is ready: start PostgreSQL on it, then run `kirana audit`. The views follow by themselves.")
        return
    settings = get_settings()
    logical.put_back(settings.dsn("owner"), folder, found, jobs)
    wrong = [finding.check.name for finding in audit(settings.dsn("owner")) if finding.count]
    if wrong:
        raise CommandFailed(f"restored, but the books do not balance: {', '.join(wrong)}")
    _show(folder, found)
    forgotten = forget_views(settings)
    say("restored; the figures are the backup's, and the books balance")
    say(
        "Redis       the views' copies are dropped; projectors fill them again"
        if forgotten
        else "Redis       not reached"
    )


def _show(folder: Path, of: manifest.Manifest) -> None:
    table = Table("figure", "value", title=f"{folder} ({of.kind}, {of.taken_at}, schema {of.revision})")
    for name, value in of.figures.items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    out.print(table)
