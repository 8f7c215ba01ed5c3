"""Installing procedures: one transaction, by command only, and every difference seen."""

from pathlib import Path

import psycopg
import pytest

from app.core.procedure_files import InstallError, ProcedureFile, install, load_files, states
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database

GOOD = """\
-- {name}: do nothing, {word}.
CREATE OR REPLACE PROCEDURE store.{name}(IN p_a integer)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    NULL; -- {word}
END;
$procedure$;
"""


def file(name: str, text: str | None = None, word: str = "well") -> ProcedureFile:
    return ProcedureFile(name, Path(f"{name}.sql"), text or GOOD.format(name=name, word=word))


def state_of(connection: psycopg.Connection, *files: ProcedureFile) -> dict[str, str]:
    return {found.name: found.state for found in states(connection, files)}


@pytest.fixture
def bare(bare_database: Database) -> psycopg.Connection:
    return bare_database.connect("owner")


def test_states_from_missing_to_current_to_changed(bare: psycopg.Connection) -> None:
    with bare:
        one, two = file("first_one"), file("second_one")
        assert state_of(bare, one, two) == {"first_one": "missing", "second_one": "missing"}
        assert install(bare, [one, two]) == ["first_one", "second_one"]
        assert state_of(bare, one, two) == {"first_one": "current", "second_one": "current"}
        assert state_of(bare, file("first_one", word="better"), two)["first_one"] == "file changed"
        bare.execute(GOOD.format(name="first_one", word="by hand"))
        assert state_of(bare, one, two)["first_one"] == "changed in the database"
        install(bare, [one])
        assert state_of(bare, one) == {"first_one": "current", "second_one": "extra"}
        bare.execute(GOOD.format(name="first_one", word="well").replace("integer", "bigint"))
        assert state_of(bare, one, two)["first_one"] == "overloaded"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("CREATE PROCEDURE store.broken()\nLANGUAGE plpgsql AS $$ BEGIN\nnonsense; END $$;", r"^broken\.sql:3: syntax"),
        ("SELECT 1;", r"^broken\.sql: leaves 0 procedures named store\.broken"),
        (GOOD.format(name="broken", word="x") + "COMMIT;", r"^broken\.sql: has a COMMIT outside"),
    ],
)
def test_one_broken_file_installs_nothing(bare: psycopg.Connection, broken: str, said: str) -> None:
    with bare:
        with pytest.raises(InstallError, match=said):
            install(bare, [file("good_one"), file("broken", broken)])
        assert state_of(bare, file("good_one")).get("good_one") == "missing"


def test_an_overload_is_refused(bare: psycopg.Connection) -> None:
    with bare:
        install(bare, [file("grown")])
        with pytest.raises(InstallError, match="leaves 2 procedures"):
            install(bare, [file("grown", GOOD.format(name="grown", word="x").replace("integer", "bigint"))])


def test_the_summary_comes_from_the_header() -> None:
    assert file("first_one").summary == "do nothing, well."
    assert ProcedureFile("x", Path("x.sql"), "-- y: other.\n").summary == ""


def test_the_commands_from_nothing_to_a_difference(bare_database: Database) -> None:
    environment = environment_for(bare_database)
    assert kirana("procedures", "diff", environment=environment).returncode == (1 if load_files() else 0)
    installed = kirana("procedures", "install", environment=environment)
    assert installed.returncode == 0, installed.stderr
    assert f"{len(load_files())} installed" in installed.stdout
    assert kirana("procedures", "diff", environment=environment).returncode == 0
    with bare_database.connect("owner") as connection:
        connection.execute(GOOD.format(name="stray", word="stray"))
    found = kirana("procedures", "diff", environment=environment)
    assert (found.returncode, found.stdout.split(":")[:2]) == (1, ["stray", " extra"])
    listed = kirana("procedures", "list", environment=environment)
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in ("stray", *(file.name for file in load_files())))
