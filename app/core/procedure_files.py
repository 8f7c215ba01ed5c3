"""The procedures as files and as the database has them. Only a person's command installs them."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.pq import TransactionStatus

from app.core.paths import PROCEDURES_DIR

SCHEMA = "store"
State = Literal["current", "file changed", "changed in the database", "missing", "extra", "overloaded"]

_BODY_OR_COMMENT = re.compile(r"(\$\w*\$).*?\1|--[^\n]*|/\*.*?\*/", re.DOTALL)
_TRANSACTION = re.compile(r"(?:\A|;)\s*(BEGIN|START|COMMIT|ROLLBACK|ABORT|END|PREPARE)\b", re.IGNORECASE)
_HEADER = re.compile(r"\A-- (?P<name>\w+): (?P<summary>.+)$", re.MULTILINE)


class InstallError(RuntimeError):
    """A file could not be installed; the message is one line that names it. Nothing was installed."""


@dataclass(frozen=True, slots=True)
class ProcedureFile:
    """One file of ``procedures/``: its stem is the procedure's name, its first line says what it does."""

    name: str
    path: Path
    text: str

    @property
    def sha256(self) -> str:
        """Of the file's bytes, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def summary(self) -> str:
        """From the header ``-- name: summary.``; empty when the first line is not of that form."""
        found = _HEADER.match(self.text)
        return found["summary"].strip() if found and found["name"] == self.name else ""


@dataclass(frozen=True, slots=True)
class ProcedureState:
    """How one procedure stands in a database."""

    name: str
    state: State
    summary: str


def load_files(directory: Path = PROCEDURES_DIR) -> list[ProcedureFile]:
    """All files, by name."""
    return [
        ProcedureFile(path.stem, path, path.read_bytes().decode("utf-8")) for path in sorted(directory.glob("*.sql"))
    ]


def install(connection: psycopg.Connection[Any], files: Sequence[ProcedureFile] | None = None) -> list[str]:
    """Run every file in ONE transaction, note their checksums, and return the names. ``connection``: the owner's.

    Raises InstallError, with nothing installed, when a file fails, ends the transaction, or does not leave exactly
    one procedure of its name.
    """
    files = load_files() if files is None else files
    for file in files:
        _check(file)
    with connection.transaction():
        for file in files:
            _run(connection, file)
        for file in files:
            _note(connection, file)
    return [file.name for file in files]


def states(connection: psycopg.Connection[Any], files: Sequence[ProcedureFile] | None = None) -> list[ProcedureState]:
    """How each procedure stands, those of the database that have no file included; by name."""
    files = load_files() if files is None else files
    installed = _definitions(connection)
    noted = _checksums(connection)
    found = [ProcedureState(file.name, _state(file, installed, noted), file.summary) for file in files]
    known = {file.name for file in files}
    found += [ProcedureState(name, "extra", "") for name in installed if name not in known]
    return sorted(found, key=lambda state: state.name)


def _state(file: ProcedureFile, installed: dict[str, list[str]], noted: dict[str, tuple[str, str]]) -> State:
    definitions = installed.get(file.name, [])
    if not definitions:
        return "missing"
    if len(definitions) > 1:
        return "overloaded"
    sha256, md5 = noted.get(file.name, ("", ""))
    if definitions[0] != md5:
        return "changed in the database"
    return "current" if sha256 == file.sha256 else "file changed"


def _check(file: ProcedureFile) -> None:
    """A COMMIT of the file's own would keep the files before it when one after it fails."""
    found = _TRANSACTION.search(_BODY_OR_COMMENT.sub(" ", file.text))
    if found:
        raise InstallError(f"{file.path.name}: has a {found[1].upper()} outside the procedure's body")


def _run(connection: psycopg.Connection[Any], file: ProcedureFile) -> None:
    try:
        connection.execute(file.text.encode())
    except psycopg.Error as error:
        where = _line(file.text, error.diag.statement_position)
        said = error.diag.message_primary or str(error).splitlines()[0]
        raise InstallError(f"{file.path.name}{where}: {said}") from error
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        raise InstallError(f"{file.path.name}: ends the transaction it is installed in")


def _line(text: str, position: str | None) -> str:
    return "" if position is None else f":{text[: int(position)].count(chr(10)) + 1}"


def _note(connection: psycopg.Connection[Any], file: ProcedureFile) -> None:
    rows = connection.execute(
        "SELECT md5(pg_get_functiondef(oid)) FROM pg_proc"
        " WHERE pronamespace = %s::regnamespace AND proname = %s AND prokind = 'p'",
        (SCHEMA, file.name),
    ).fetchall()
    if len(rows) != 1:
        raise InstallError(f"{file.path.name}: leaves {len(rows)} procedures named {SCHEMA}.{file.name}, expected one")
    connection.execute(
        "INSERT INTO store.procedure_checksums (name, file_sha256, definition_md5, installed_at)"
        " VALUES (%s, %s, %s, now()) ON CONFLICT (name) DO UPDATE SET file_sha256 = excluded.file_sha256,"
        " definition_md5 = excluded.definition_md5, installed_at = excluded.installed_at",
        (file.name, file.sha256, rows[0][0]),
    )


def _definitions(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    rows = connection.execute(
        "SELECT p.proname, md5(pg_get_functiondef(p.oid)) FROM pg_proc AS p"
        " JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = %s AND p.prokind = 'p' ORDER BY 1",
        (SCHEMA,),
    ).fetchall()
    found: dict[str, list[str]] = {}
    for name, md5 in rows:
        found.setdefault(name, []).append(md5)
    return found


def _checksums(connection: psycopg.Connection[Any]) -> dict[str, tuple[str, str]]:
    if connection.execute("SELECT to_regclass('store.procedure_checksums')").fetchone() == (None,):
        return {}
    rows = connection.execute("SELECT name, file_sha256, definition_md5 FROM store.procedure_checksums").fetchall()
    return {name: (sha256, md5) for name, sha256, md5 in rows}
