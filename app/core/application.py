"""What every Kirana application has: problems as errors, headers, limits, CORS."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.core.config import Settings
from app.core.cross_origin import cross_origin
from app.core.http import KiranaHeaders
from app.core.observability import observe, observed
from app.core.openapi_document import install_document, operation_id
from app.core.problems import install_problem_handlers
from app.core.reference_page import install_reference_page
from app.core.telemetry.front import Front

API_VERSION = "1.0.0"


class Application(FastAPI):
    """A FastAPI application with a front that may answer before the framework sees a request."""

    front: Front | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI call."""
        if self.front is None:
            await super().__call__(scope, receive, send)
        else:
            await self.front(super().__call__, scope, receive, send)


def new_application(
    title: str, settings: Settings, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
) -> FastAPI:
    """A FastAPI application with the house's error format, headers and limits, and ``settings`` on its state."""
    app = Application(
        title=title,
        version=API_VERSION,
        lifespan=observed(lifespan, settings, title.lower().replace(" ", "-")),
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        generate_unique_id_function=operation_id,
    )
    install_document(app)
    install_reference_page(app)
    # No dependency_overrides: with a single one FastAPI reads every dependency's signature again at every request.
    app.state.settings = settings
    install_problem_handlers(app)
    app.add_middleware(cross_origin, settings=settings)
    app.add_middleware(
        KiranaHeaders, max_body_bytes=settings.max_body_bytes, max_body_seconds=settings.max_body_seconds
    )
    app.front = observe(app, settings)
    return app
