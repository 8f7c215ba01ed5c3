"""Which methods a path takes: the framework names only those of the first route that matches, RFC 9110 wants all."""

import re
from functools import lru_cache

from fastapi import FastAPI

_PARAMETER = re.compile(r"\\\{(\w+)(?::path)?\\\}")


@lru_cache(maxsize=4)
def _paths(app: FastAPI) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    found = []
    for path, operations in app.openapi()["paths"].items():
        pattern = re.compile("^" + _PARAMETER.sub(r"[^/]+", re.escape(path)) + "$")
        found.append((pattern, tuple(method.upper() for method in operations)))
    return tuple(found)


def allowed_methods(app: FastAPI, path: str) -> str:
    """The value of ``Allow`` for ``path``: every method of every route that matches it, HEAD wherever GET is."""
    methods = {method for pattern, several in _paths(app) if pattern.match(path) for method in several}
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))
