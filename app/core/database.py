"""Pools of PostgreSQL connections: one per process and role, bounded, with time-outs, opened by the lifespan."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NewType

import orjson
import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import NotConfigured, Role, Settings

Connection = psycopg.AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]
CommandPool = NewType("CommandPool", AsyncConnectionPool[Connection])
QueryPool = NewType("QueryPool", AsyncConnectionPool[Connection])

PREPARE_AFTER = 1


def _conninfo(settings: Settings, role: Role) -> Callable[[], str]:
    """The DSN, asked for at each connect: so an API boots before its database, and finds it when it comes."""

    def resolve() -> str:
        try:
            return settings.dsn(role)
        except NotConfigured as error:
            raise psycopg.OperationalError(str(error)) from error

    return resolve


async def _configure(connection: Connection) -> None:
    """Documents are read by orjson: a cart's or an order's comes with every command."""
    set_json_loads(orjson.loads, connection)


@asynccontextmanager
async def _opened(
    settings: Settings, role: Role, size: int, conninfo: Callable[[], str] | None = None
) -> AsyncIterator[Pool]:
    """A bounded pool of autocommit connections: a procedure commits by itself, and a SELECT needs no transaction."""
    kwargs: dict[str, Any] = {"autocommit": True, "prepare_threshold": PREPARE_AFTER}
    pool: Pool = AsyncConnectionPool(
        conninfo or _conninfo(settings, role),
        kwargs=kwargs,
        configure=_configure,
        name=f"kirana-{role}",
        min_size=min(2, size),
        max_size=size,
        max_waiting=settings.pool_max_waiting,
        timeout=settings.pool_timeout,
        open=False,
        close_returns=True,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def command_pool(settings: Settings) -> AsyncIterator[CommandPool]:
    """The command API's pool, as ``kirana_command``."""
    async with _opened(settings, "command", settings.command_pool_size) as pool:
        yield CommandPool(pool)


@asynccontextmanager
async def query_pool(settings: Settings) -> AsyncIterator[QueryPool]:
    """The query API's pool, as ``kirana_query``, on a replica when ``KIRANA_QUERY_DATABASE_URL`` says so."""
    async with _opened(settings, "query", settings.query_pool_size) as pool:
        yield QueryPool(pool)


@asynccontextmanager
async def primary_pool(settings: Settings, views: QueryPool) -> AsyncIterator[QueryPool]:
    """Where ``kirana_query`` reads what must be as it is now: the primary, or the views' pool if that is no replica.

    Carts, profiles and orders that no view has yet are read here.
    """
    url = settings.query_primary_dsn()
    if url is None:
        yield views
        return
    async with _opened(settings, "query", settings.query_pool_size, lambda: url) as pool:
        yield QueryPool(pool)


def statements_engine(pool: CommandPool) -> AsyncEngine:
    """SQLAlchemy over the command pool, for the few plain statements (R25); each statement is its own transaction.

    The pool lends its connections (``close_returns``), so one pool bounds all of a process's connections.
    """
    return create_async_engine(
        "postgresql+psycopg://",
        async_creator=pool.getconn,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # an error's text goes to the log, and the parameters are a shopper's data
    )
