"""Pools of PostgreSQL connections: one per process and role, bounded, with time-outs, opened by the lifespan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NewType

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings

Connection = psycopg.AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]
CommandPool = NewType("CommandPool", AsyncConnectionPool[Connection])
QueryPool = NewType("QueryPool", AsyncConnectionPool[Connection])

PREPARE_AFTER = 1


def _pool(dsn: str, name: str, size: int, max_waiting: int, timeout: float) -> Pool:
    """A pool of autocommit connections: a procedure commits by itself, and a SELECT needs no transaction."""
    kwargs: dict[str, Any] = {"autocommit": True, "prepare_threshold": PREPARE_AFTER}
    return AsyncConnectionPool(
        dsn,
        kwargs=kwargs,
        name=name,
        min_size=min(2, size),
        max_size=size,
        max_waiting=max_waiting,
        timeout=timeout,
        open=False,
        close_returns=True,
        check=None,
    )


@asynccontextmanager
async def command_pool(settings: Settings) -> AsyncIterator[CommandPool]:
    """The command API's pool, as ``kirana_command``; opened without waiting, so that an app boots with no database."""
    pool = _pool(
        settings.dsn("command"),
        "kirana-command",
        settings.command_pool_size,
        settings.pool_max_waiting,
        settings.pool_timeout,
    )
    await pool.open(wait=False)
    try:
        yield CommandPool(pool)
    finally:
        await pool.close()


@asynccontextmanager
async def query_pool(settings: Settings) -> AsyncIterator[QueryPool]:
    """The query API's pool, as ``kirana_query``, on a replica when ``KIRANA_QUERY_DATABASE_URL`` says so."""
    pool = _pool(
        settings.dsn("query"),
        "kirana-query",
        settings.query_pool_size,
        settings.pool_max_waiting,
        settings.pool_timeout,
    )
    await pool.open(wait=False)
    try:
        yield QueryPool(pool)
    finally:
        await pool.close()


def statements_engine(pool: CommandPool) -> AsyncEngine:
    """SQLAlchemy over the command pool, for the few plain statements (R25); each statement is its own transaction.

    The pool lends its connections (``close_returns``), so one pool bounds all of a process's connections.
    """
    return create_async_engine(
        "postgresql+psycopg://", async_creator=pool.getconn, poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
