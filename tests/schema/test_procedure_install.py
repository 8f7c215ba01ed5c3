"""R12: procedures come only from a file, by a command that a person gives. Nothing else installs one."""

import subprocess
import sys
from typing import Any

import pytest
from asgi_lifespan import LifespanManager

from tests.support.databases import Database
from tests.support.psql import psql_file
from tests.tidy.procedure_source import FILES


def procedures(database: Database) -> set[str]:
    with database.connect() as connection:
        rows = connection.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'store'::regnamespace")
        return {name for (name,) in rows}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_runs_alone_in_psql(bare_database: Database, path: Any) -> None:
    done = psql_file(bare_database.dsn(), path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert procedures(bare_database) == {path.stem}
    again = psql_file(bare_database.dsn(), path)
    assert again.returncode == 0, "a file must run a second time"
    assert procedures(bare_database) == {path.stem}


def test_migrating_installs_none(bare_database: Database) -> None:
    assert procedures(bare_database) == set()


async def test_booting_the_apps_installs_none(bare_database: Database) -> None:
    from app.main import create_app as both
    from command_api.main import create_app as command
    from query_api.main import create_app as query

    for create in (both, command, query):
        app = create(bare_database.settings)
        async with LifespanManager(app):
            pass
    assert procedures(bare_database) == set()


def test_importing_the_apps_touches_no_database() -> None:
    """Imported in a process that has no database to go to, with sockets that would fail if they were opened."""
    code = (
        "import socket\n"
        "def closed(*a, **k): raise AssertionError('opened a socket at import')\n"
        "socket.socket.connect = closed\n"
        "import app.main, command_api.main, query_api.main\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
