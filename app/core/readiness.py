"""``/healthz`` says the process lives; ``/readyz`` says it can serve, or in one line what to run.

The APIs never migrate and never install a procedure: they look, and they say.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import psycopg
import structlog
from fastapi import APIRouter, Request
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.core.config import NotConfigured, Settings
from app.core.http import json_response

log = structlog.get_logger(__name__)

ROOT = Path(__file__).resolve().parents[2]
_REVISION = re.compile(r'^revision: str = "(\w+)"$', re.MULTILINE)
_DOWN_REVISION = re.compile(r'^down_revision: .* = "(\w+)"$', re.MULTILINE)
PROBE_TIMEOUT_SECONDS = 2.0
RUN_DATABASE = "PostgreSQL does not answer: run `make run`, or start it and set KIRANA_DATABASE_URL"
RUN_MIGRATE = "the database is not migrated: run `kirana migrate`"
REDIS_AWAY = "not in use: pages are served from PostgreSQL"
RUN_INSTALL = "the procedures are not installed: run `kirana procedures install`"


@lru_cache(maxsize=1)
def _revisions() -> tuple[str | None, frozenset[str]]:
    """The newest migration of this release, and all of them; read once, because a probe comes every few seconds.

    Taken from the files' texts: Alembic would be a tenth of what a process weighs and of what it takes to start.
    """
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "migrations" / "versions").glob("*.py"))]
    known = [found[1] for text in texts if (found := _REVISION.search(text))]
    replaced = {found[1] for text in texts if (found := _DOWN_REVISION.search(text))}
    newest = [revision for revision in known if revision not in replaced]
    return newest[-1] if newest else None, frozenset(known)


def head_revision() -> str | None:
    """The newest migration in ``migrations/``."""
    return _revisions()[0]


def is_behind(revision: str) -> bool:
    """Whether a database at ``revision`` lacks migrations of this release.

    A revision that this release does not know is a newer release's: migrations only add, so this release goes on
    serving while the newer one is rolled out.
    """
    head, known = _revisions()
    return revision != head and revision in known


def procedure_names() -> set[str]:
    """The stems of ``procedures/*.sql``."""
    return {path.stem for path in (ROOT / "procedures").glob("*.sql")}


async def missing(connection: psycopg.AsyncConnection[TupleRow]) -> str | None:
    """What keeps this database from serving, as the line that mends it; None when nothing does."""
    try:
        cursor = await connection.execute("SELECT version_num FROM public.alembic_version")
        row = await cursor.fetchone()
        if row is None or is_behind(row[0]):
            return RUN_MIGRATE
        cursor = await connection.execute("SELECT name FROM store.procedure_checksums")
        installed = {name for (name,) in await cursor.fetchall()}
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName):
        return RUN_MIGRATE
    return None if procedure_names() <= installed else RUN_INSTALL


def settings_state(settings: Settings) -> str | None:
    """What is missing in the settings, in one line; None when nothing is."""
    try:
        settings.check()
    except NotConfigured as error:
        return str(error)
    return None


async def database_state(pool: AsyncConnectionPool[psycopg.AsyncConnection[TupleRow]]) -> str | None:
    """The same for a pool, which may have no database behind it."""
    try:
        async with pool.connection(timeout=PROBE_TIMEOUT_SECONDS) as connection:
            return await missing(connection)
    except (psycopg.OperationalError, PoolTimeout):
        return RUN_DATABASE


@asynccontextmanager
async def told_at_boot(
    side: str, settings: Settings, pool: AsyncConnectionPool[psycopg.AsyncConnection[TupleRow]]
) -> AsyncIterator[None]:
    """While an API boots, say in one line of the log what keeps it from serving, without keeping it from booting."""

    async def tell() -> None:
        found = await database_state(pool) or settings_state(settings)
        if found is None:
            log.info("ready", side=side)
        else:
            log.error("not_ready", side=side, run=found)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Readiness(BaseModel):
    """What ``/readyz`` answers: ``ok`` for each check that holds, else what mends it; aids may be away."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str] = Field(examples=[{"command": "ok", "query": "ok", "settings": "ok"}])
    aids: dict[str, str] = Field(default_factory=dict, examples=[{"redis": "ok"}])


def health_router(*sides: str) -> APIRouter:
    """``/healthz`` and ``/readyz`` for an application with these sides (``command``, ``query``)."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="The process lives")
    async def healthz() -> dict[str, str]:
        """That it answers at all: a process that does not is to be started again."""
        return {"status": "ok"}

    @router.get(
        "/readyz",
        summary="The application can serve",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "It can't: each check says what to run."}},
    )
    async def readyz(request: Request) -> Response:
        """Whether database, schema, procedures and settings are there; what is missing says what to run."""
        checks: dict[str, Any] = {}
        for side in sides:
            state = getattr(request.app.state, side)
            checks[side] = await database_state(state.pool) or "ok"
        checks["settings"] = settings_state(request.app.state.settings) or "ok"
        ready = all(value == "ok" for value in checks.values())
        document = {"status": "ready" if ready else "not ready", "checks": checks}
        views = getattr(getattr(request.app.state, "query", None), "views", None)
        if views is not None:
            # an aid: without it everything is served all the same
            document["aids"] = {"redis": "ok" if views.redis_in_use else REDIS_AWAY}
        return json_response(document, 200 if ready else 503)

    return router
