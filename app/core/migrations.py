"""Running Alembic from the CLI and from the tests: configured by pyproject.toml, on one connection."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from app.core.paths import PYPROJECT

# Two migrators at once would both see the same revision; the second waits here instead.
_ADVISORY_LOCK = 0x6B6972616E61


def _config(connection: Connection | None = None) -> Config:
    config = Config(toml_file=PYPROJECT)
    config.attributes["connection"] = connection
    return config


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _locked(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
    connection.commit()


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at ``url`` (SQLAlchemy's form, the owner's) up to ``revision``."""
    with _connected(url) as connection:
        _locked(connection)
        command.upgrade(_config(connection), revision)
        connection.commit()


def downgrade(url: str, revision: str) -> None:
    """Take the database down to ``revision`` (``base`` is the empty one)."""
    with _connected(url) as connection:
        _locked(connection)
        command.downgrade(_config(connection), revision)
        connection.commit()


def revisions(url: str) -> tuple[str | None, str | None]:
    """The revision the database is at, and the newest there is; None for neither."""
    with _connected(url) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current, ScriptDirectory.from_config(_config()).get_current_head()
