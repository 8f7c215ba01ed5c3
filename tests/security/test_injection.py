"""SQL in every text that reaches the database, over HTTP and by direct CALL; and objects planted beside ours."""

import re
import uuid
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from redis import Redis

from app.core.config import Settings
from app.main import create_app
from tests.faults.all_scenarios import SCENARIOS, Scenario
from tests.support.api import bearer, serving
from tests.support.builders import Connection, call, make_product, make_staff, one, rows
from tests.support.databases import Database

PAYLOADS = [
    "'; DROP TABLE store.orders; --",
    "x' OR '1'='1",
    "$$; DELETE FROM store.users; $$",
    '"; SELECT pg_sleep(10); --',
    "\\'; TRUNCATE store.outbox; --",
    "%s %(name)s {0} ${jndi:ldap://x} {{7*7}}",
]
# wrong grammar, unknown names and undefined types are what a text that became SQL would lead to
BECAME_SQL = re.compile("^42(?!501)")


def poisoned(value: Any, payload: str) -> Any:
    """The value with every text in it replaced; ids, codes of a fixed set and hashes stay what they are."""
    if isinstance(value, str):
        return payload
    if isinstance(value, dict):
        return {key: poisoned(inner, payload) for key, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner, payload) for inner in value]
    return value


def sqlstate_of(command: Connection, procedure: str, arguments: dict[str, Any]) -> str:
    """What the CALL fails with; empty when it does not."""
    try:
        call(command, procedure, **arguments)
    except psycopg.Error as error:
        return error.sqlstate or ""
    return ""


def tables(owner: Connection) -> list[tuple[Any, ...]]:
    return rows(owner, "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'store'::regnamespace ORDER BY 1")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_text_becomes_sql_in_a_procedure(
    scenario: Scenario, database: Database, owner: Connection, command: Connection
) -> None:
    arguments = scenario.prepare(owner)
    before = tables(owner)
    texts = [name for name, value in arguments.items() if isinstance(value, str | dict | list)]
    for name in texts:
        for payload in PAYLOADS:
            changed = arguments | {name: poisoned(arguments[name], payload)}
            changed |= {"p_idempotency_key": uuid.uuid4().hex} if "p_idempotency_key" in arguments else {}
            heard = sqlstate_of(command, scenario.procedure, changed)
            assert not BECAME_SQL.match(heard), f"{name} = {payload!r}: {heard}"
    assert tables(owner) == before


def text_operations(application: FastAPI) -> list[tuple[str, str, dict[str, Any]]]:
    document = application.openapi()
    return [
        (method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/v1/")
    ]


async def test_no_text_becomes_sql_over_http(
    database: Database, settings: Settings, redis: Redis, owner: Connection, subtests: pytest.Subtests
) -> None:
    """Every text parameter of every operation, and every text of every body's example or schema."""
    make_product(owner, "SKU-1", stock=5)
    application = create_app(settings.model_copy(update={"command_rate_limit": 0, "otp_sender": "file"}))
    before, asked = tables(owner), 0
    headers = bearer(settings, make_staff(owner), "owner")
    async with serving(application) as client:
        for method, path, operation in text_operations(application):
            for payload in PAYLOADS[:3]:
                answer = await poisoned_request(client, method, path, operation, payload, headers, application)
                asked += 1
                if answer.status_code >= 500:
                    with subtests.test(operation=f"{method} {path}", payload=payload):
                        assert answer.status_code < 500, answer.text
    assert tables(owner) == before
    assert asked > 300


async def poisoned_request(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    operation: dict[str, Any],
    payload: str,
    headers: dict[str, str],
    application: FastAPI,
) -> httpx.Response:
    sent, query, filled = dict(headers), {}, path
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            filled = filled.replace("{" + parameter["name"] + "}", payload.replace("/", "%2F"))
        elif parameter["in"] == "query":
            query[parameter["name"]] = payload
        elif parameter["name"].lower() not in {"authorization"}:
            value = {"Idempotency-Key": uuid.uuid4().hex, "If-Match": '"1"'}.get(parameter["name"])
            sent[parameter["name"]] = value or payload.encode("ascii", "ignore").decode()
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is None:
        return await client.request(method, filled, params=query, headers=sent)
    made = example(body, application.openapi()["components"]["schemas"], payload)
    return await client.request(method, filled, params=query, headers=sent, json=made)


def example(schema: dict[str, Any], schemas: dict[str, Any], payload: str, depth: int = 0) -> Any:
    """A document of the schema's outline, with the payload wherever there is a text."""
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, payload, depth)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return example(schema[several][0], schemas, payload, depth)
    kind = schema.get("type")
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if kind == "object" and depth < 4:
        return {
            name: example(inner, schemas, payload, depth + 1) for name, inner in schema.get("properties", {}).items()
        }
    if kind == "array" and depth < 4:
        return [example(schema.get("items", {}), schemas, payload, depth + 1)]
    return {"integer": schema.get("minimum", 1), "number": 1, "boolean": True, "null": None}.get(str(kind), payload)


PLANTED = """
CREATE SCHEMA planted;
CREATE TABLE planted.orders (LIKE store.orders);
CREATE TABLE planted.users (LIKE store.users);
CREATE TABLE planted.inventory (LIKE store.inventory);
CREATE FUNCTION planted.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''1999-01-01''::timestamptz';
CREATE FUNCTION planted.jsonb_build_object(VARIADIC "any") RETURNS jsonb LANGUAGE internal AS 'jsonb_build_object';
CREATE PROCEDURE planted.record_staff_action() LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''planted''; END';
GRANT USAGE ON SCHEMA planted TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA planted TO PUBLIC;
"""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_is_planted_in_another_schema_changes_nothing(
    scenario: Scenario, database: Database, owner: Connection
) -> None:
    """Tables, functions and procedures of the same names, first on the path of whoever calls."""
    arguments = scenario.prepare(owner)
    owner.execute(PLANTED)
    with database.connect("command") as command:
        command.execute("SET search_path = planted, pg_catalog, store, public")
        call(command, scenario.procedure, **arguments)
    assert one(owner, "SELECT count(*) FROM planted.orders") == 0
    assert one(owner, "SELECT count(*) FROM planted.users") == 0
    assert one(owner, "SELECT count(*) FROM store.outbox WHERE created_at < '2000-01-01'") == 0
