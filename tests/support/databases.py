"""A test's own database: a clone of a template, with a connection for every role."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from pydantic import SecretStr

from app.core.config import Role, Settings
from tests.support.cluster import INSTALLED, Cluster, run_dir

TEST_SECRETS: dict[str, Any] = {
    "jwt_secret": "test-only-jwt-secret-0123456789abcdef",
    "otp_pepper": "test-only-otp-pepper-0123456789abcdef",
    "cursor_secret": "test-only-cursor-secret-0123456789abcdef",
    "webhook_encryption_keys": ["test-only-webhook-key-0123456789abcdef"],
    "webhook_secrets": {
        "sandbox": ["test-only-webhook-secret-0123456789", "test-only-previous-secret-0123456789"],
        "replay": ["test-only-replay-secret-0123456789"],
    },
}


@dataclass(frozen=True)
class Database:
    """One database of the run's cluster, and the settings that lead every role to it."""

    name: str
    cluster: Cluster
    settings: Settings

    def dsn(self, role: Role = "owner") -> str:
        """A libpq URL; the owner is the superuser here."""
        return self.settings.dsn(role)

    def connect(self, role: Role = "owner", **options: Any) -> psycopg.Connection[Any]:
        """An autocommit connection (a procedure commits by itself); ``options`` go to psycopg."""
        return psycopg.connect(self.dsn(role), **({"autocommit": True} | options))

    async def aconnect(self, role: Role = "owner", **options: Any) -> psycopg.AsyncConnection[Any]:
        """The same for asyncio."""
        return await psycopg.AsyncConnection.connect(self.dsn(role), **({"autocommit": True} | options))


def settings_for(cluster: Cluster, name: str, redis_url: str | None = None, **changes: Any) -> Settings:
    """Settings that lead to the database ``name``, with secrets that only tests use."""
    socket = quote(str(cluster.server.socket_dir), safe="")
    urls: dict[str, Any] = {
        f"{role}_database_url": SecretStr(f"postgresql://{user}@/{name}?host={socket}&port={cluster.server.port}")
        for role, user in (
            ("owner", "postgres"),
            ("command", "kirana_command"),
            ("query", "kirana_query"),
            ("projector", "kirana_projector"),
        )
    }
    redis: dict[str, Any] = {} if redis_url is None else {"redis_url": SecretStr(redis_url)}
    data_dir: Path = run_dir() / "data" / name
    return Settings(**({"data_dir": data_dir} | urls | redis | TEST_SECRETS | changes))


@contextmanager
def cloned(cluster: Cluster, template: str = INSTALLED, redis_url: str | None = None) -> Iterator[Database]:
    """A database of its own, dropped afterwards whoever is still connected."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    cluster.create_database(name, template)
    try:
        yield Database(name, cluster, settings_for(cluster, name, redis_url))
    finally:
        cluster.drop_database(name)
