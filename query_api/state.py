"""What the query API holds while it runs, made by its lifespan and handed to routes as one typed value."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import redis.asyncio as redis
from fastapi import Depends, FastAPI, Request

from app.core.config import Settings
from app.core.database import QueryPool, primary_pool, query_pool
from app.core.readiness import told_at_boot
from app.core.telemetry import configure_logging
from app.core.wake import redis_client
from query_api.facets import Facets
from query_api.freshness import Freshness
from query_api.hot import HotPages
from query_api.search import PostgresSearch, SearchBackend
from query_api.views import Views
from query_api.whole_shop import WholeShop


@dataclass(frozen=True, slots=True)
class QueryState:
    """Settings; pools of read-only connections (the views, perhaps on a replica; the primary); what reads by them."""

    settings: Settings
    pool: QueryPool
    primary: QueryPool
    redis: redis.Redis
    freshness: Freshness
    views: Views
    search: SearchBackend
    facets: Facets


@asynccontextmanager
async def query_lifespan(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Open what the query API needs on ``app.state.query`` and close it at the end."""
    configure_logging(settings)
    async with (
        query_pool(settings) as pool,
        primary_pool(settings, pool) as primary,
        redis_client(settings) as cache,
        Views(pool, cache).watching() as views,
        HotPages(settings, views).listening() as hot,
        told_at_boot("query", settings, pool),
    ):
        whole_shop = WholeShop(pool)
        app.state.query = QueryState(
            settings=settings,
            pool=pool,
            primary=primary,
            redis=cache,
            freshness=Freshness(pool),
            views=views,
            search=PostgresSearch(pool, whole_shop),
            facets=Facets(pool, whole_shop),
        )
        app.state.telemetry.shortcut = hot
        yield
        app.state.telemetry.shortcut = None


async def query_state(request: Request) -> QueryState:
    """The state, for routes."""
    state: QueryState = request.app.state.query
    return state


State = Annotated[QueryState, Depends(query_state)]
