"""Which router a request is for, known at once. The framework tries every route of every router in turn.

What is asked here is what the framework asks: the first route, in the order of the routers, whose path and method fit.
Where none does, the framework looks for itself, and finds the redirect, the 405 or the 404.
"""

import re
from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, params
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import Receive, Scope, Send

PREFIX = "/v1"
ROUTER_KEY = "kirana.router"
Shape = tuple[str, int, str]  # method, segments, the first of them after the prefix


def _shape(method: str, path: str) -> Shape:
    """What a template shares with every path that it fits; a parameter is one segment, and never the first."""
    parts = path.split("/")
    return method, len(parts), parts[2] if len(parts) > 2 else ""


class RouteIndex(BaseRoute):
    """A route before all others: it fits whatever one of its routers answers, and hands it over to that router."""

    def __init__(self) -> None:
        self._templates: dict[Shape, list[tuple[str, BaseRoute]]] = {}
        self._patterns: dict[Shape, list[tuple[re.Pattern[str], BaseRoute]]] = {}

    def add(self, router: APIRouter, included: BaseRoute) -> None:
        """``router`` was included below the prefix, and is answered for by ``included``."""
        for route in router.routes:
            assert isinstance(route, APIRoute), f"{route}: only what has a path and methods can be found by them"
            assert ":" not in route.path, f"{route.path}: a parameter is one segment"
            for method in route.methods or ():
                self._templates.setdefault(_shape(method, PREFIX + route.path), []).append((route.path, included))

    def _owner(self, method: str, path: str) -> BaseRoute | None:
        shape = _shape(method, path)
        patterns = self._patterns.get(shape)
        if patterns is None:
            templates = self._templates.get(shape)
            if templates is None:
                return None
            # compiled when first asked for: an application that starts needs none of them
            patterns = [(compile_path(PREFIX + template)[0], owner) for template, owner in templates]
            self._patterns[shape] = patterns
        for pattern, owner in patterns:
            if pattern.match(path):
                return owner
        return None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a router has a route for it. A path below a proxy's prefix is left to the framework."""
        if scope["type"] != "http" or scope.get("root_path"):
            return Match.NONE, {}
        owner = self._owner(scope["method"], scope["path"])
        return (Match.NONE, {}) if owner is None else (Match.FULL, {ROUTER_KEY: owner})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have that router answer."""
        owner: BaseRoute = scope[ROUTER_KEY]
        await owner.handle(scope, receive, send)


def include(app: FastAPI, routers: Sequence[APIRouter], dependencies: Sequence[params.Depends] = ()) -> None:
    """Include routers under the prefix, and have their requests find them."""
    routes = app.router.routes
    found = next((route for route in routes if isinstance(route, RouteIndex)), None)
    index = found or RouteIndex()
    if found is None:
        routes.insert(0, index)
    for router in routers:
        app.include_router(router, prefix=PREFIX, dependencies=dependencies)
        index.add(router, routes[-1])
