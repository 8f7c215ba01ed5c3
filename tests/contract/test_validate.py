"""`kirana validate`: the closing statement is printed when every line above it holds, and only then."""

from tests.support.cli import kirana
from tests.support.databases import Database
from tests.support.processes import full_environment


def test_every_line_holds(bare_database: Database) -> None:
    done = kirana("validate", environment=full_environment(bare_database))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") == 7
    assert "I CONFIRM:" in done.stdout


def test_no_statement_without_a_database(bare_database: Database) -> None:
    nowhere = {"KIRANA_OWNER_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/nothing"}
    done = kirana("validate", environment=full_environment(bare_database) | nowhere)
    assert done.returncode == 1
    assert "I CONFIRM" not in done.stdout
    assert "Traceback" not in done.stderr
