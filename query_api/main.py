"""The query API: every GET, answered from the views."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.core import collector  # first: see there
from app.core.application import new_application
from app.core.config import Settings, get_settings
from app.core.readiness import health_router
from app.core.route_index import include
from query_api.routes import ROUTERS
from query_api.state import query_lifespan


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application, with its own lifespan; ``settings`` default to the environment's."""
    chosen = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with query_lifespan(app, chosen):
            yield

    app = new_application("Kirana query API", chosen, lifespan)
    app.include_router(health_router("query"))
    include(app, ROUTERS)
    return app


app = create_app()
collector.settle()
