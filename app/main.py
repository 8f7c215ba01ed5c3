"""Both APIs in one process: ``uvicorn app.main:app``. GET is the query API, everything else the command API.

One FastAPI application with the routers of both (mounting two applications would run neither's lifespan).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.core import collector  # first: see there
from app.core.application import new_application
from app.core.config import Settings, get_settings
from app.core.readiness import health_router
from app.core.route_index import include
from command_api.gates import GATES
from command_api.routes import ROUTERS as COMMAND_ROUTERS
from command_api.state import command_lifespan
from query_api.routes import ROUTERS as QUERY_ROUTERS
from query_api.state import query_lifespan


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application of both APIs; ``settings`` default to the environment's."""
    chosen = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with command_lifespan(app, chosen), query_lifespan(app, chosen):
            yield

    app = new_application("Kirana", chosen, lifespan)
    app.include_router(health_router("command", "query"))
    include(app, QUERY_ROUTERS)
    include(app, COMMAND_ROUTERS, GATES)
    return app


app = create_app()
collector.settle()
