"""Every operation for staff × everybody who may ask: 401 and 403 just where the permission table says, never a 5xx."""

import re
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from redis import Redis

from app.core.config import Settings
from app.core.security import current_staff
from app.main import create_app
from app.models.words import STAFF_ROLES
from command_api.routes import ROUTERS as COMMAND_ROUTERS
from query_api.routes import ROUTERS as QUERY_ROUTERS
from tests.security.staff_operations import OPERATIONS, PARAMETERS, UUID, Operation
from tests.support.api import bearer, serving
from tests.support.builders import Connection, make_staff, make_user, rows
from tests.support.databases import Database

STAFF_PREFIX = "/v1/admin"
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def settings(database: Database) -> Settings:
    """As everywhere; the matrix asks more often a minute than one address may."""
    return database.settings.model_copy(update={"otp_sender": "file", "command_rate_limit": 100_000})


@pytest.fixture
def application(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
async def client(application: FastAPI, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(application) as opened:
        yield opened


def documented(application: FastAPI) -> set[str]:
    """``METHOD path`` of every operation of the OpenAPI document that is for staff by its path."""
    return {
        f"{method.upper()} {path}"
        for path, operations in application.openapi()["paths"].items()
        if path.startswith(STAFF_PREFIX)
        for method in METHODS
        if method in operations
    }


def guarded() -> set[str]:
    """``METHOD path`` of every route that asks for a member of staff, whatever its path."""
    return {
        f"{method} /v1{route.path}"
        for router in (*COMMAND_ROUTERS, *QUERY_ROUTERS)
        for route in router.routes
        if isinstance(route, APIRoute) and asks_for_staff(route.dependant)
        for method in route.methods
    }


def asks_for_staff(dependant: Dependant) -> bool:
    return dependant.call is current_staff or any(asks_for_staff(part) for part in dependant.dependencies)


def test_every_operation_for_staff_has_its_line(application: FastAPI) -> None:
    found = documented(application) | guarded()
    assert found - set(OPERATIONS) == set(), "add a line to tests/security/staff_operations.py (see docs/testing.md)"
    assert set(OPERATIONS) - found == set(), "these are no operations any more: take their lines out"


def test_every_operation_for_staff_asks_for_staff(application: FastAPI) -> None:
    assert documented(application) - guarded() == set(), "take CurrentStaff, or a state let through by allowed"


def test_every_permission_is_held_by_the_owner(owner: Connection) -> None:
    held = {name for (name,) in rows(owner, "SELECT permission FROM store.staff_role_permissions WHERE role = 'owner'")}
    every = {name for (name,) in rows(owner, "SELECT DISTINCT permission FROM store.staff_role_permissions")}
    wanted = {name for operation in OPERATIONS.values() for name in operation.permissions}
    assert every - held == set(), "the owner may do everything"
    assert wanted - held == set(), "a permission nobody was given: insert it in the area's migration"


async def ask(client: httpx.AsyncClient, name: str, operation: Operation, headers: dict[str, str]) -> httpx.Response:
    method, path = name.split(" ")
    filled = re.sub(r"{(\w+)}", lambda found: PARAMETERS.get(found[1], UUID), path)
    more = {"Idempotency-Key": uuid.uuid4().hex, "If-Match": '"1"'}
    # a body whose members all may be left out is an empty object, not nothing
    body = operation.body if operation.body is not None or method in {"GET", "DELETE"} else {}
    return await client.request(method, filled, json=body, headers=headers | more)


def callers(owner: Connection, settings: Settings) -> Iterator[tuple[str, dict[str, str], set[str]]]:
    """Everybody who may ask: name, headers, and the permissions that the database gives them now."""
    allowed: dict[str, set[str]] = {role: set() for role in STAFF_ROLES}
    for role, permission in rows(owner, "SELECT role, permission FROM store.staff_role_permissions"):
        allowed[role].add(permission)
    for role in STAFF_ROLES:
        yield role, bearer(settings, make_staff(owner, role), role), allowed[role]
    ended = make_staff(owner, "owner")
    owner.execute("UPDATE store.staff_members SET is_active = false WHERE user_id = %s", (ended,))
    yield "ended owner", bearer(settings, ended, "owner"), set()
    blocked = make_staff(owner, "owner")
    owner.execute("UPDATE store.users SET status = 'blocked' WHERE id = %s", (blocked,))
    yield "blocked owner", bearer(settings, blocked, "owner"), set()
    yield "pretender", bearer(settings, make_user(owner), "owner"), set()
    yield "shopper", bearer(settings, make_user(owner)), set()


def verdict(answer: httpx.Response, operation: Operation, permissions: set[str]) -> str | None:
    """What is wrong with an answer to somebody with these permissions; None when nothing is."""
    document: Any = answer.json() if answer.content else {}
    said = f"{answer.status_code} {document.get('code')} {document.get('permission', '')}".strip()
    if answer.status_code >= 500:
        return f"broke: {said}"
    if permissions & set(operation.permissions):
        if document.get("code") in {"forbidden", "unauthenticated"}:
            return f"refused who may: {said}"
        if document.get("code") in {"validation_failed", "malformed_json"}:
            return f"the matrix sends a wrong body: {said} {document.get('errors')}"
        return None
    if (answer.status_code, document.get("code")) != (403, "forbidden"):
        return f"let through who may not: {said}"
    if document["permission"] not in {*operation.permissions, "staff"}:
        return f"names another permission: {said}"
    return None


async def test_everybody_gets_what_the_table_says(
    client: httpx.AsyncClient, owner: Connection, settings: Settings, subtests: pytest.Subtests
) -> None:
    asked = 0
    for caller, headers, permissions in [*callers(owner, settings)]:
        for name, operation in OPERATIONS.items():
            with subtests.test(caller=caller, operation=name):
                answer = await ask(client, name, operation, headers)
                assert verdict(answer, operation, permissions) is None
                asked += 1
    for name, operation in OPERATIONS.items():
        with subtests.test(caller="anonymous", operation=name):
            for headers in ({}, {"Authorization": "Bearer nonsense"}):
                answer = await ask(client, name, operation, headers)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert asked == len(OPERATIONS) * (len(STAFF_ROLES) + 4)


async def test_ending_a_role_ends_it_at_once(
    client: httpx.AsyncClient, owner: Connection, settings: Settings, subtests: pytest.Subtests
) -> None:
    """The token still says owner; what counts is what the database says when the request comes."""
    member = make_staff(owner)
    make_staff(owner)
    headers = bearer(settings, member, "owner")
    reads = [name for name in OPERATIONS if name.startswith("GET") and "{" not in name]
    for name in reads:
        assert (await ask(client, name, OPERATIONS[name], headers)).status_code == 200, name
    owner.execute("UPDATE store.staff_members SET is_active = false WHERE user_id = %s", (member,))
    for name, operation in OPERATIONS.items():
        with subtests.test(operation=name):
            assert (await ask(client, name, operation, headers)).status_code == 403
