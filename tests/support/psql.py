"""Running SQL files through psql, as a person would."""

import subprocess
from pathlib import Path

from app.core.embedded.postgres import pg_bin


def psql_file(dsn: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the file; the first error ends it with exit status 3 (ON_ERROR_STOP). Never raises on SQL errors."""
    return _psql(dsn, ["-f", str(path)])


def psql_command(dsn: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run one command string, rows unaligned and without headers."""
    return _psql(dsn, ["-At", "-c", command])


def _psql(dsn: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(pg_bin("psql")), dsn, "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
