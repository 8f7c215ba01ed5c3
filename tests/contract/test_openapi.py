"""The OpenAPI document has no gap: every operation says all that somebody who has nothing else must know."""

import re
from collections import Counter
from functools import cache
from typing import Annotated, Any

import jsonschema_rs
import orjson
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from app.core.config import Settings
from app.core.errors import BY_CODE
from app.core.openapi_document import operation_id
from app.core.openapi_words import PARAMETERS, VALUES
from app.docs.recorded import examples
from app.main import create_app
from command_api.routes import ROUTERS as COMMAND_ROUTERS
from query_api.routes import ROUTERS as QUERY_ROUTERS

DOCUMENT = create_app(Settings()).openapi()
METHODS = {"get", "post", "put", "patch", "delete"}
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
]
ROUTES = {
    operation_id(route): route
    for router in (*COMMAND_ROUTERS, *QUERY_ROUTERS)
    for route in router.routes
    if isinstance(route, APIRoute)
}
HEALTH = {"GET /healthz", "GET /readyz", "GET /metrics"}


@cache
def validator(schema: str) -> Any:
    return jsonschema_rs.validator_for(orjson.loads(schema), validate_formats=True)


def wrong(schema: dict[str, Any], example: Any) -> list[str]:
    """What keeps an example from being one of its schema."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    whole = {**schema, "components": DOCUMENT["components"], "$schema": dialect}
    found = validator(orjson.dumps(whole)).iter_errors(example)
    return [f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in found]


def examples_of(media: dict[str, Any]) -> list[Any]:
    return [media["example"]] if "example" in media else [one["value"] for one in media.get("examples", {}).values()]


def test_every_operation_has_a_name_of_its_own_that_can_be_read() -> None:
    names = Counter(operation["operationId"] for _, operation in OPERATIONS)
    assert [name for name, times in names.items() if times > 1] == [], "rename one of the route functions"
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []
    assert "save_product" in names
    assert "get_admin_order" in names


def test_every_schema_has_a_name_of_its_own() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    titles = Counter(schema.get("title", name) for name, schema in schemas.items())
    assert [title for title, times in titles.items() if times > 1] == []
    assert [name for name in schemas if not re.fullmatch(r"[A-Za-z0-9]+", name)] == []


def test_every_operation_says_what_it_does_and_who_may() -> None:
    for name, operation in OPERATIONS:
        assert operation.get("summary"), f"{name}: its function needs a name that is a summary, or summary=…"
        assert operation.get("description"), f"{name}: its function needs a docstring"
        assert operation.get("tags"), f"{name}: its router needs a tag"
        assert "security" in operation, name
        if re.search(r"/(admin|me|orders|addresses|wishlist)\b", name):
            assert operation["security"] == [{"accessToken": []}], f"{name}: only who is logged in may call it"


def test_every_parameter_is_described() -> None:
    for name, operation in OPERATIONS:
        for parameter in operation.get("parameters", ()):
            where = f"{name}: {parameter['name']}"
            assert parameter.get("description"), f"{where}: description=… there, or in app/core/openapi_words.py"
            if parameter.get("required"):
                assert wrong(parameter["schema"], parameter["example"]) == [], where


HOW_TO_MEND = "give the model an example (json_schema_extra), its fields examples=[…], or openapi_words.py a value"


def test_every_body_has_an_example_that_it_takes() -> None:
    bodies = 0
    for name, operation in OPERATIONS:
        for media in operation.get("requestBody", {}).get("content", {}).values():
            given = examples_of(media)
            assert given, f"{name}: {HOW_TO_MEND}"
            for example in given:
                assert example not in ({}, []), f"{name}: {HOW_TO_MEND}"
                assert wrong(media["schema"], example) == [], f"{name}: {HOW_TO_MEND}"
                assert refused(ROUTES[operation["operationId"]], example) == "", f"{name}: {HOW_TO_MEND}"
                bodies += 1
    assert bodies > 50


def refused(route: APIRoute, example: Any) -> str:
    """Why the route's own model, with all its validators, does not take the example."""
    for body in route.dependant.body_params:
        try:
            TypeAdapter(Annotated[body.field_info.annotation, body.field_info]).validate_python(example)
        except ValidationError as error:
            return str(error)
    return ""


def test_every_answer_has_a_schema_and_an_example() -> None:
    for name, operation in OPERATIONS:
        good = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
        assert good, f"{name}: say what it answers"
        for status, answer in good.items():
            if status == "204":
                assert "content" not in answer, name
                continue
            assert answer.get("content"), f"{name}: {status} needs a response_model"
            for media in answer["content"].values():
                assert media.get("schema"), f"{name}: {status} needs a response_model"
                assert examples_of(media), f"{name}: {status}: {HOW_TO_MEND}"
                for example in examples_of(media):
                    assert wrong(media["schema"], example) == [], f"{name}: {status}: {HOW_TO_MEND}"


def test_every_refusal_is_a_problem_with_an_example() -> None:
    problem = {"$ref": "#/components/schemas/Problem"}
    for name, operation in OPERATIONS:
        refusals = {status: answer for status, answer in operation["responses"].items() if status[0] in "45"}
        if name in HEALTH:
            continue
        assert {"422", "500", "503"} <= set(refusals), f"{name}: responses=problems(…)"
        for status, answer in refusals.items():
            media = answer["content"]["application/problem+json"]
            assert media["schema"] == problem, name
            assert media["examples"], f"{name}: {status} has no example"
            for code, example in media["examples"].items():
                assert wrong(problem, example["value"]) == [], f"{name}: {code}"
                assert example["value"]["code"] == code
                assert (str(BY_CODE[code].status), BY_CODE[code].remedy) == (status, example["value"]["remedy"])


def test_no_word_is_kept_for_nobody() -> None:
    """Parameters and members that are gone take their words with them."""
    named = {parameter["name"] for _, operation in OPERATIONS for parameter in operation.get("parameters", ())}
    assert sorted(set(PARAMETERS) - named) == []
    members = {name for schema in DOCUMENT["components"]["schemas"].values() for name in schema.get("properties", {})}
    assert sorted(set(VALUES) - members - named) == []


def test_the_recorded_examples_are_of_today() -> None:
    """docs/examples.json: an exchange of each operation, whose answer its schema of today takes."""
    recorded = examples()
    assert {name for name, _ in OPERATIONS} - HEALTH == set(recorded), "run `kirana docs record`, then generate"
    for name, operation in OPERATIONS:
        if name in recorded:
            answer = operation["responses"][str(recorded[name]["status"])]
            for media in answer.get("content", {}).values():
                assert wrong(media["schema"], recorded[name]["answer"]) == [], f"{name}: run `kirana docs record`"
