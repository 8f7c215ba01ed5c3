"""The command line: helpful when bare, one line when something is wrong, never a traceback."""

import pytest

from tests.support.cli import environment_for, kirana
from tests.support.databases import Database


@pytest.mark.parametrize("group", [(), ("servers",), ("migrate",), ("procedures",), ("up",)])
def test_help(group: tuple[str, ...]) -> None:
    found = kirana(*group, "--help")
    assert found.returncode == 0
    assert "Usage: kirana" in found.stdout.replace("python -m app.cli", "kirana")


def test_no_database_is_one_line(tmp_path: object) -> None:
    found = kirana("migrate", environment={"KIRANA_DATA_DIR": str(tmp_path)})
    assert found.returncode == 1
    assert found.stderr.startswith("error: no PostgreSQL is running in")
    assert found.stderr.count("\n") == 1


def test_a_server_that_does_not_answer_is_one_line(tmp_path: object) -> None:
    url = "postgresql://nobody@127.0.0.1:1/kirana"
    found = kirana("procedures", "list", environment={"KIRANA_DATABASE_URL": url, "KIRANA_DATA_DIR": str(tmp_path)})
    assert found.returncode == 1
    assert found.stderr.count("\n") == 1
    assert "Traceback" not in found.stderr


def test_migrate_down_to_nothing_and_up_again(bare_database: Database) -> None:
    environment = environment_for(bare_database)
    assert kirana("migrate", "status", environment=environment).returncode == 0
    down = kirana("migrate", "down", "base", environment=environment)
    assert down.returncode == 0, down.stderr
    assert kirana("migrate", "status", environment=environment).returncode == 1
    up = kirana("migrate", environment=environment)
    assert up.returncode == 0, up.stderr
    assert "from empty to" in up.stdout
