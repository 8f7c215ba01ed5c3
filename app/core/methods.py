"""Which methods a path takes: the framework names only those of the first route that matches, RFC 9110 wants all."""

import re
from functools import lru_cache

from fastapi import FastAPI

_PARAMETER = re.compile(r"\\\{(\w+)(?::path)?\\\}")


@lru_cache(maxsize=4)
def _paths(app: FastAPI) -> tuple[tuple[re.Pattern[str], int, tuple[str, ...]], ...]:
    found = []
    for path, operations in app.openapi()["paths"].items():
        pattern = re.compile("^" + _PARAMETER.sub(r"[^/]+", re.escape(path)) + "$")
        literal = sum("{" not in part for part in path.split("/"))
        found.append((pattern, literal, tuple(method.upper() for method in operations)))
    return tuple(found)


def allowed_methods(app: FastAPI, path: str) -> str:
    """The value of ``Allow`` for ``path``: every method of the most literal path that matches, HEAD wherever GET is.

    ``/things/receipts`` is the collection of receipts before it is a thing of that name.
    """
    matching = [(literal, several) for pattern, literal, several in _paths(app) if pattern.match(path)]
    most = max((literal for literal, _ in matching), default=0)
    methods = {method for literal, several in matching if literal == most for method in several}
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))
