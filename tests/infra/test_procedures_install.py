"""Every file of procedures/ installs into the migrated schema, in one transaction, under the compiler's full lint."""

from app.core.procedure_files import install, load_files, states
from tests.support.databases import Database


def test_all_files_install_in_one_transaction(bare_database: Database) -> None:
    with bare_database.connect("owner") as connection:
        connection.execute("SET plpgsql.extra_errors = 'all'")
        assert install(connection) == [file.name for file in load_files()]
        assert [state for state in states(connection) if state.state != "current"] == []


def test_every_file_has_its_header() -> None:
    assert [file.name for file in load_files() if not file.summary] == []
