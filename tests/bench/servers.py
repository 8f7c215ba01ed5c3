"""One worker of an API, or of a reference, on a port of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.bare import BODY_VARIABLE, DSN_VARIABLE
from tests.support.databases import Database
from tests.support.processes import full_environment, serving_process

QUERY, COMMAND = "query_api.main:app", "command_api.main:app"
# As the references: no line for a request. And no limit for one caller, who stands for thousands here.
UNLIMITED = {"KIRANA_ACCESS_LOG": "false", "KIRANA_COMMAND_RATE_LIMIT": "0"}


@contextmanager
def api(database: Database, application: str, **more: str) -> Iterator[str]:
    """One of ours, with ``more`` settings; yields its URL."""
    with serving_process(database, application, full_environment(database, **UNLIMITED, **more)) as base:
        yield base


@contextmanager
def same_bytes(database: Database, body: Path | None) -> Iterator[str]:
    """The bare application that answers with this file, or with 304."""
    more = {} if body is None else {BODY_VARIABLE: str(body)}
    environment = full_environment(database, **more)
    with serving_process(database, "tests.bench.bare:same_bytes", environment) as base:
        yield base


@contextmanager
def one_select(database: Database) -> Iterator[str]:
    """The FastAPI route that does one SELECT 1."""
    environment = full_environment(database, **{DSN_VARIABLE: database.dsn("command")})
    with serving_process(database, "tests.bench.bare:one_select", environment) as base:
        yield base
