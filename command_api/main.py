"""The command API: everything that is not a GET. It changes the store by calling procedures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.core import collector  # first: see there
from app.core.application import new_application
from app.core.config import Settings, get_settings
from app.core.readiness import health_router
from app.core.route_index import include
from command_api.gates import GATES
from command_api.routes import ROUTERS
from command_api.state import command_lifespan


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application, with its own lifespan; ``settings`` default to the environment's."""
    chosen = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with command_lifespan(app, chosen):
            yield

    app = new_application("Kirana command API", chosen, lifespan)
    app.include_router(health_router("command"))
    include(app, ROUTERS, GATES)
    return app


app = create_app()
collector.settle()
