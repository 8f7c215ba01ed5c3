"""What the query API holds while it runs, made by its lifespan and handed to routes as one typed value."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import redis.asyncio as redis
from fastapi import Depends, FastAPI, Request

from app.core.config import Settings
from app.core.database import QueryPool, query_pool
from app.core.readiness import told_at_boot
from app.core.telemetry import configure_logging
from app.core.wake import redis_client


@dataclass(frozen=True, slots=True)
class QueryState:
    """Settings, the pool of read-only connections, and Redis."""

    settings: Settings
    pool: QueryPool
    redis: redis.Redis


@asynccontextmanager
async def query_lifespan(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Open what the query API needs on ``app.state.query`` and close it at the end."""
    configure_logging(settings)
    async with query_pool(settings) as pool, redis_client(settings) as cache, told_at_boot("query", settings, pool):
        app.state.query = QueryState(settings, pool, cache)
        yield


def query_state(request: Request) -> QueryState:
    """The state, for routes."""
    state: QueryState = request.app.state.query
    return state


State = Annotated[QueryState, Depends(query_state)]
