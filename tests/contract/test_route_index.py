"""The index of routes finds what the framework would find by trying all of them, and nothing else."""

import re

import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Match

from app.core.config import Settings
from app.core.route_index import ROUTER_KEY, RouteIndex
from app.main import create_app

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def application() -> FastAPI:
    return create_app(Settings())


def scope_of(method: str, path: str, root_path: str = "") -> dict[str, object]:
    return {"type": "http", "method": method, "path": path, "root_path": root_path, "headers": []}


def tried(routes: list[BaseRoute], method: str, path: str) -> BaseRoute | None:
    """What the framework finds when it tries all routes in turn."""
    return next((route for route in routes if route.matches(scope_of(method, path))[0] == Match.FULL), None)


def test_it_finds_the_router_that_is_found_by_trying_all(application: FastAPI) -> None:
    index, *others = application.router.routes
    assert isinstance(index, RouteIndex)
    found = 0
    for template in application.openapi()["paths"]:
        if not template.startswith("/v1/"):
            continue
        for path in (re.sub(r"{\w+}", word, template) for word in ("a-1", "invitations")):
            for method in METHODS:
                match, child = index.matches(scope_of(method, path))
                assert child.get(ROUTER_KEY) is tried(others, method, path), f"{method} {path}"
                found += match == Match.FULL
    assert found > 300


@pytest.mark.parametrize(
    ("method", "path", "root_path"),
    [
        ("POST", "/v1/nothing", ""),
        ("POST", "/v1/checkout/", ""),
        ("POST", "/v1/cart/items/more/than/that", ""),
        ("PATCH", "/v1/checkout", ""),
        ("GET", "/healthz", ""),
        ("GET", "/", ""),
        ("POST", "/shop/v1/checkout", "/shop"),
    ],
)
def test_what_it_does_not_know_is_left_to_the_framework(
    application: FastAPI, method: str, path: str, root_path: str
) -> None:
    assert application.router.routes[0].matches(scope_of(method, path, root_path)) == (Match.NONE, {})
