"""Every operation that is not for staff × everybody who may ask, and every operation × every token that is no good."""

import base64
import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from redis import Redis

from app.core.config import Settings
from app.core.security import current_principal
from app.main import create_app
from command_api.routes import ROUTERS as COMMAND_ROUTERS
from query_api.routes import ROUTERS as QUERY_ROUTERS
from tests.support.api import bearer, log_in, serving
from tests.support.builders import make_address, make_product, make_staff, make_user, one
from tests.support.databases import Database
from tests.support.paying import paid_order
from tests.support.projecting import projecting, reached

ALGORITHM, ISSUER = "HS256", "kirana"
NOBODY = uuid.UUID("019a0000-0000-7000-8000-000000000001")


@pytest.fixture
def settings(database: Database) -> Settings:
    return database.settings.model_copy(update={"otp_sender": "file", "command_rate_limit": 0})


@pytest.fixture
def application(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
async def client(application: FastAPI, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(application) as opened:
        yield opened


def asks_who(dependant: Dependant) -> bool:
    return dependant.call is current_principal or any(asks_who(part) for part in dependant.dependencies)


def guarded() -> list[tuple[str, str]]:
    """Method and path of every route that wants to know who asks."""
    return sorted(
        (method, f"/v1{route.path}")
        for router in (*COMMAND_ROUTERS, *QUERY_ROUTERS)
        for route in router.routes
        if isinstance(route, APIRoute) and asks_who(route.dependant)
        for method in route.methods - {"HEAD"}
    )


def filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: ids.get(found[1], str(NOBODY)), path)


async def ask(client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    more = {"Idempotency-Key": uuid.uuid4().hex, "If-Match": '"1"'}
    body: dict[str, Any] = {} if method in {"GET", "DELETE"} else {"json": {}}
    return await client.request(method, path, headers=more | headers, **body)


def forged(settings: Settings, **changes: Any) -> str:
    """A token like ours with these claims changed; None takes a claim out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": str(NOBODY),
        "sid": str(uuid.uuid4()),
        "iat": now,
        "exp": now + 600,
        "role": "owner",
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(claims, settings.secret("jwt_secret"), ALGORITHM)


def unsigned() -> str:
    """``alg: none`` with our claims."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": str(NOBODY),
        "sid": str(uuid.uuid4()),
        "iat": now,
        "exp": now + 600,
        "role": "owner",
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def bad_tokens(settings: Settings) -> dict[str, str]:
    """What is no access token of ours, or no longer."""
    good = forged(settings)
    head, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    raised = base64.urlsafe_b64encode(json.dumps(claims | {"sub": str(uuid.uuid4())}).encode()).rstrip(b"=").decode()
    return {
        "expired": forged(settings, exp=int(time.time()) - 3600),
        "tampered": f"{head}.{raised}.{signature}",
        "signature cut": f"{head}.{payload}.{signature[:-2]}",
        "alg none": unsigned(),
        "another secret": jwt.encode(claims, "x" * 40, ALGORITHM),
        "another issuer": forged(settings, iss="somebody"),
        "no expiry": forged(settings, exp=None),
        "no session": forged(settings, sid=None),
        "subject no id": forged(settings, sub="1 OR 1=1"),
        "empty": "",
        "not a token": "nonsense",
    }


async def test_no_operation_takes_a_token_that_is_no_good(
    client: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any], subtests: pytest.Subtests
) -> None:
    make_user(owner)
    for kind, token in bad_tokens(settings).items():
        for method, path in guarded():
            answer = await ask(client, method, filled(path, {}), {"Authorization": f"Bearer {token}"})
            if answer.status_code != 401:
                with subtests.test(token=kind, operation=f"{method} {path}"):
                    assert answer.status_code == 401, answer.text
    assert len(guarded()) > 60


async def test_every_operation_refuses_a_session_that_was_ended(
    client: httpx.AsyncClient, settings: Settings, subtests: pytest.Subtests
) -> None:
    tokens = await log_in(client, settings, "+919812345678")
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await client.get("/v1/me", headers=headers)).status_code == 200
    assert (await client.post("/v1/auth/logout", headers=headers, json={})).is_success
    for method, path in guarded():
        answer = await ask(client, method, filled(path, {}), headers)
        with subtests.test(operation=f"{method} {path}"):
            assert answer.status_code == 401, answer.text


async def test_what_is_one_shoppers_is_nobody_elses(
    client: httpx.AsyncClient,
    database: Database,
    settings: Settings,
    owner: psycopg.Connection[Any],
    subtests: pytest.Subtests,
) -> None:
    """With real ids of another shopper's things: 404, as for things that do not exist, and nothing changed."""
    mine, other = make_user(owner), make_user(owner)
    toy = make_product(owner, stock=10)
    order = paid_order(owner, (toy, 2), user_id=mine)
    ids = {
        "order_id": order["id"],
        "payment_id": order["payment_id"],
        "address_id": str(make_address(owner, mine)),
        "sku": toy.sku,
    }
    async with projecting(database):
        await reached(database, one(owner, "SELECT max(position) FROM store.outbox"))
        before = one(owner, "SELECT md5(string_agg(o::text, '' ORDER BY id)) FROM store.orders o")
        for method, path in guarded():
            if path.startswith("/v1/admin") or not re.search(r"{(order|payment|address)_id}", path):
                continue
            for name, headers in (
                ("another shopper", bearer(settings, other)),
                ("staff who ask as a shopper", bearer(settings, make_staff(owner), "owner")),
            ):
                answer = await ask(client, method, filled(path, ids), headers)
                with subtests.test(operation=f"{method} {path}", caller=name):
                    # a body that is not of the right shape may be told first, whoever asks
                    assert answer.status_code in {404, 422}, answer.text
                    shape = answer.json()["code"] == "validation_failed"
                    assert answer.status_code == 404 or shape, answer.text
        assert one(owner, "SELECT md5(string_agg(o::text, '' ORDER BY id)) FROM store.orders o") == before
        read = await client.get(f"/v1/orders/{order['id']}", headers=bearer(settings, mine))
        assert read.status_code == 200
