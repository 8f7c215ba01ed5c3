"""Running the ``kirana`` command as a person would: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping

from app.core.paths import ROOT
from tests.support.databases import Database


def kirana(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with these variables on top of the test's own; never raises on a failing status."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environment_for(database: Database) -> dict[str, str]:
    """The variables that lead the command to a test's database, as every role, and to its Redis."""
    settings = database.settings
    variables = {
        f"KIRANA_{role.upper()}_DATABASE_URL": settings.dsn(role) for role in ("owner", "command", "query", "projector")
    }
    redis = {} if settings.redis_url is None else {"KIRANA_REDIS_URL": settings.redis_dsn()}
    return variables | redis | {"KIRANA_DATA_DIR": str(settings.data_dir)}
