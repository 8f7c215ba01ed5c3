"""The whole cluster by pg_basebackup; with an archive of its write-ahead log it can be restored to any later moment."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from app.backup.manifest import Manifest, checksums, figures
from app.backup.programs import connected, program, run
from app.commands.console import CommandFailed
from app.core.embedded.system_user import give, server_user

DATA = "data"


def take(dsn: str, folder: Path) -> Manifest:
    """Copy the running cluster's data folder and the log it takes to make it whole; checked by pg_verifybackup."""
    with connected(dsn) as connection:
        version = connection.info.server_version
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        found = figures(connection)
    data = folder / DATA
    arguments = ["--pgdata", str(data), "--checkpoint=fast", "--wal-method=stream", "--manifest-checksums=SHA256"]
    run(program("pg_basebackup", version), arguments, dsn)
    check(folder, version)
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest("physical", taken_at, version, row[0] if row else "", found, [], [], checksums(folder))


def check(folder: Path, server_version: int) -> None:
    """Every file against the backup's own manifest, and the log for being whole."""
    run(program("pg_verifybackup", server_version), ["--quiet", str(folder / DATA)])


def put_back(folder: Path, target: Path, wal_archive: Path | None, until: datetime | None) -> None:
    """Make ``target`` a data folder that recovers when PostgreSQL is started on it.

    With an archive it replays all of it, or up to ``until``, and then is open for writes on a new timeline.
    """
    if target.exists() and any(target.iterdir()):
        raise CommandFailed(f"{target} is not empty: restore into a new folder")
    if until is not None and wal_archive is None:
        raise CommandFailed("--until needs --wal-archive: a backup alone knows no moment but its own")
    shutil.copytree(folder / DATA, target, dirs_exist_ok=True)
    target.chmod(0o700)
    for left in [*target.glob(".s.PGSQL.*"), target / "server.log"]:  # of the server that was copied while it ran
        left.unlink(missing_ok=True)
    if wal_archive is not None:
        lines = [f'restore_command = \'cp "{wal_archive}/%f" "%p"\'', "recovery_target_action = 'promote'"]
        if until is not None:
            lines.append(f"recovery_target_time = '{until.isoformat()}'")
        with (target / "postgresql.auto.conf").open("a") as conf:
            conf.write("\n".join(["", *lines, ""]))
        (target / "recovery.signal").touch()
    user = server_user()
    for path in [target, *target.rglob("*")]:
        give(path, user)
