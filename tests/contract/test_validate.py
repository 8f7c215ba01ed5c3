"""`kirana validate`: the closing statement is printed when every line above it holds, and only then."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI

import app.main
from app.core import procedure_files
from app.core.paths import ROOT
from app.validation import checks
from app.validation.contract.caller import Caller
from app.validation.lines import NotHeld
from tests.support.builders import make_product, one
from tests.support.cli import kirana
from tests.support.databases import Database
from tests.support.processes import full_environment
from tests.support.projecting import announce, projecting

LINES = 15
BODY = "    IF p_own_tx THEN\n        COMMIT;\n    END IF;\nEND;\n"


async def test_every_line_holds(database: Database, owner: psycopg.Connection[Any]) -> None:
    announce(owner, make_product(owner, stock=3).product_id)
    async with projecting(database):
        done = await asyncio.to_thread(kirana, "validate", environment=full_environment(database))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout.count("✔"), done.stdout.count("✘")) == (LINES, 0)
    assert done.stdout.splitlines()[-1].startswith("I CONFIRM:")
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    shown = "✔ " + page.split("```\n✔ ", 1)[1].split("```", 1)[0]
    assert [re.sub(r"[\d,]+", "#", line) for line in done.stdout.splitlines()] == [
        re.sub(r"[\d,]+", "#", line) for line in shown.splitlines()
    ], "docs/validation.md shows other lines"
    assert one(owner, "SELECT count(*) FROM store.products") == 1, "the store itself is only read"
    assert one(owner, "SELECT count(*) FROM pg_database WHERE datname LIKE 'kirana_validate%%'") == 0


def test_what_fails_is_said_and_nothing_is_confirmed(bare_database: Database) -> None:
    done = kirana("validate", environment=full_environment(bare_database))
    assert done.returncode == 1
    assert "I CONFIRM" not in done.stdout
    assert "✘ this store: migrations and procedures: procedures differ:" in done.stdout
    assert done.stderr.startswith("VALIDATION FAILED: this store: migrations and procedures")
    assert len(done.stderr.splitlines()) == 1


def test_no_statement_without_a_database(bare_database: Database) -> None:
    nowhere = {"KIRANA_OWNER_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/nothing"}
    done = kirana("validate", environment=full_environment(bare_database) | nowhere)
    assert done.returncode == 1
    assert "I CONFIRM" not in done.stdout
    assert "Traceback" not in done.stderr


@pytest.fixture
def scratch(database: Database) -> Iterator[checks.Scratch]:
    with checks.scratch_database(database.settings) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of procedures/ that may be broken."""
    for path in checks.PROCEDURES_DIR.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(checks, "PROCEDURES_DIR", tmp_path)
    monkeypatch.setattr(checks, "load_files", lambda: procedure_files.load_files(tmp_path))
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def failing(scratch: checks.Scratch, *names: str) -> dict[str, str]:
    """The lines among these functions' that do not hold, with the reason."""
    found = {}
    for line, check in checks.CHECKS:
        if check.__name__ in names:
            try:
                check(scratch)
            except NotHeld as reason:
                found[line] = str(reason)
    return found


BY_FILE = ("procedures_are_whole", "transactions_locks_exceptions", "headers_are_true", "only_sql_files")


@pytest.mark.parametrize(
    ("breaks", "line", "said"),
    [
        (
            lambda folder: edit(folder / "clear_cart.sql", BODY, "END;\n"),
            "transactions, locks and exceptions everywhere",
            "clear_cart: the body is an inner block, then IF p_own_tx THEN COMMIT",
        ),
        (
            lambda folder: edit(folder / "clear_cart.sql", "            ROLLBACK;\n", "            NULL;\n"),
            "transactions, locks and exceptions everywhere",
            "clear_cart: no ROLLBACK in its handler",
        ),
        (
            lambda folder: edit(folder / "clear_cart.sql", "        RAISE;\n", "        NULL;\n"),
            "transactions, locks and exceptions everywhere",
            "clear_cart: does not RAISE the error again as it was",
        ),
        (
            lambda folder: edit(folder / "clear_order_attention.sql", "FOR UPDATE", ""),
            "transactions, locks and exceptions everywhere",
            "clear_order_attention: changes orders in line",
        ),
        (
            lambda folder: (folder / "clear_cart.sql").rename(folder / "empty_cart.sql"),
            "all procedures have full SQL bodies",
            "empty_cart: the file's name is not the procedure's",
        ),
        (
            lambda folder: (folder / "helper.sql").write_text(
                "CREATE OR REPLACE FUNCTION store.helper(p_x integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';"
            ),
            "all procedures have full SQL bodies",
            "helper:",
        ),
        (
            lambda folder: edit(folder / "decrease_inventory.sql", "confirm_order, place_replacement", "confirm_order"),
            "their headers are true",
            "decrease_inventory: is called by place_replacement, which its header does not say",
        ),
        (lambda folder: (folder / "notes.txt").write_text("x"), "procedures only as .sql", "notes.txt"),
    ],
)
def test_a_broken_file_fails_its_line(
    scratch: checks.Scratch, files: Path, breaks: Callable[[Path], object], line: str, said: str
) -> None:
    breaks(files)
    found = failing(scratch, *BY_FILE)
    assert said in found[line], found


def test_whole_files_fail_no_line(scratch: checks.Scratch, files: Path) -> None:
    assert failing(scratch, *BY_FILE) == {}


def test_what_boots_and_installs_is_seen(scratch: checks.Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    created = app.main.create_app

    def planting(settings: Any = None) -> FastAPI:
        with scratch.owner() as connection:
            connection.execute("CREATE PROCEDURE store.planted() LANGUAGE plpgsql AS 'BEGIN NULL; END'")
        return created(settings)

    monkeypatch.setattr(app.main, "create_app", planting)
    assert failing(scratch, "nothing_is_auto_executed") == {
        "nothing auto-executed": "installed by nobody's command: planted"
    }


def test_a_stale_page_and_a_column_of_nobodys_are_seen(
    scratch: checks.Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "stale", lambda: ["docs/er-diagram.md"])
    with scratch.owner() as connection:
        connection.execute("ALTER TABLE store.brands ADD COLUMN by_hand text")
    found = failing(scratch, "er_diagram_is_complete", "schema_is_as_the_models_say")
    assert found["ER diagram complete"].startswith("stale: docs/er-diagram.md")
    assert "by_hand" in found["the schema is the ER diagram's"]


def test_an_operation_that_breaks_is_named(scratch: checks.Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failing(scratch, "procedures_are_whole") == {}
    with scratch.owner() as connection:
        connection.execute("DROP PROCEDURE store.save_brand")
    found = failing(scratch, "every_path_works_and_refuses")
    assert found["every path works, and refuses"].startswith("PUT /v1/admin/brands/{slug}: 500")


def test_an_operation_that_is_never_called_is_named(scratch: checks.Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_: Any) -> Caller:
        return Caller(None, app.main.create_app(scratch.settings).openapi(), scratch.settings, None)  # type: ignore[arg-type]

    monkeypatch.setattr(checks, "walk", nothing)
    found = failing(scratch, "every_path_works_and_refuses")
    assert found["every path works, and refuses"].startswith("never succeeded: DELETE /v1/addresses/{address_id}")


def test_a_ledger_and_a_view_that_are_bent_are_seen(
    scratch: checks.Scratch, database: Database, owner: psycopg.Connection[Any]
) -> None:
    variant = make_product(owner, stock=3)
    owner.execute("UPDATE store.inventory SET on_hand = 4 WHERE variant_id = %s", (variant.id,))
    found = failing(scratch, "live_release", "live_books")
    assert list(found) == ["this store: the books balance"]
    assert "stock_on_hand" in found["this store: the books balance"]
