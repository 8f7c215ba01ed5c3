"""The OpenAPI document as it goes out: what FastAPI says, made whole.

Every parameter is described, bodies and answers have examples, each operation says who may call it, every refusal is
the one schema ``Problem``, and no two schemas have one name, so that a client can be generated from it.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.core.openapi import PROBLEM_SCHEMA
from app.core.openapi_examples import Examples
from app.core.openapi_words import PARAMETERS
from app.core.problems import PROBLEM_MEDIA_TYPE

DESCRIPTION = """\
The API of a store. GET reads what is published and ordered; everything else changes it. JSON in UTF-8, money in paise,
times in UTC (RFC 3339), ids UUIDv7. Errors are RFC 9457 problems: branch on `code`.
"""
GUEST_HEADER = "X-Cart-Token"
BEARER = "accessToken"
# the names of functions that read and say so already
READING = ("get_", "list_", "search", "suggest")
_DISAMBIGUATED = re.compile(r"(?P<package>command|query)_api__schemas__(?P<module>\w+?)__(?P<name>\w+)")
Document = dict[str, Any]


def operation_id(route: APIRoute) -> str:
    """The name of the function: reads say ``get``, what only staff reads says ``admin``."""
    if not (route.methods or set()) & {"GET"}:
        return route.name
    name = route.name
    if "/admin/" in route.path_format and "admin" not in name:
        name = re.sub(r"^((?:get|list)_)?", r"\1admin_", name)
    return name if name.startswith(READING) else f"get_{name}"


def install_document(app: FastAPI) -> None:
    """Make ``app`` answer the whole document; it is put together once, when it is first asked for."""
    raw: Callable[[], Document] = app.openapi

    def whole() -> Document:
        made = app.openapi_schema is not None
        document = raw()
        if not made:
            complete(document)
        return document

    app.openapi = whole  # type: ignore[method-assign]


def complete(document: Document) -> None:
    """Fill in, in place, what the operations leave out."""
    document["info"]["description"] = DESCRIPTION
    document["servers"] = [{"url": "/"}]
    schemas: Document = document.setdefault("components", {}).setdefault("schemas", {})
    _name_schemas(document, schemas)
    schemas["Problem"] = {"title": "Problem", **PROBLEM_SCHEMA}
    examples = Examples(schemas)
    for operation in operations(document):
        _secure(operation)
        for parameter in operation.get("parameters", ()):
            _describe(parameter, examples)
        for media in operation.get("requestBody", {}).get("content", {}).values():
            if not {"example", "examples"} & set(media):
                media["example"] = examples.of(media["schema"], request=True)
        for status, response in operation["responses"].items():
            _answer(status, response, examples)


def operations(document: Document) -> Iterator[Document]:
    """Every operation of every path."""
    for item in document["paths"].values():
        for method, operation in item.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                yield operation


def _secure(operation: Document) -> None:
    """Who may call it: what does not ask for a token says so; a cart is a guest's too."""
    if "security" in operation:
        return
    named = {parameter["name"] for parameter in operation.get("parameters", ())}
    operation["security"] = [{}, {BEARER: []}] if GUEST_HEADER in named and "cart" in operation["tags"] else []


def _describe(parameter: Document, examples: Examples) -> None:
    schema = parameter.get("schema", {})
    if "description" not in parameter:
        said = schema.get("description") or PARAMETERS.get(parameter["name"])
        if said:
            parameter["description"] = said
    if parameter.get("required") and not {"example", "examples"} & set(parameter):
        value = '"7"' if parameter["name"] == "If-Match" else examples.of(schema, parameter["name"], request=True)
        parameter["example"] = value


def _answer(status: str, response: Document, examples: Examples) -> None:
    for kind, media in response.get("content", {}).items():
        if kind == PROBLEM_MEDIA_TYPE:
            media["schema"] = {"$ref": "#/components/schemas/Problem"}
        elif status.startswith("2") and media.get("schema") and not {"example", "examples"} & set(media):
            media["example"] = examples.of(media["schema"], request=False)


def _name_schemas(document: Document, schemas: Document) -> None:
    """Give schemas that share a class name one of their own each: the side, the module and the name."""
    renamed: dict[str, str] = {}
    for key in list(schemas):
        found = _DISAMBIGUATED.fullmatch(key)
        if found is not None:
            renamed[key] = found["package"].title() + found["module"].title().replace("_", "") + found["name"]
        elif "-" in key:
            renamed[key] = key.replace("-", "")
    for key, name in renamed.items():
        schemas[name] = schemas.pop(key) | {"title": name}
    if renamed:
        _point(
            document, {f"#/components/schemas/{key}": f"#/components/schemas/{name}" for key, name in renamed.items()}
        )


def _point(node: Any, targets: dict[str, str]) -> None:
    """Let references lead to where their schema is now."""
    if isinstance(node, dict):
        if node.get("$ref") in targets:
            node["$ref"] = targets[node["$ref"]]
        for child in node.values():
            _point(child, targets)
    elif isinstance(node, list):
        for child in node:
            _point(child, targets)
