"""What GETs answer of a store in which something happened is as the document says, staff's reads as well.

The ids are looked up in the tables that hold them: a detail that is never asked for would never be compared.
"""

import asyncio
import time
import uuid
from functools import cache
from typing import Any
from uuid import UUID

import httpx
import jsonschema_rs
import orjson
import psycopg
from asgi_lifespan import LifespanManager
from redis import Redis

from app.core.config import Settings
from app.events.signing import Keyring
from app.main import create_app
from app.validation.contract import reads
from tests.support import cash, returning, reviewing, shipping
from tests.support.api import bearer
from tests.support.builders import (
    call,
    idempotent,
    make_cart,
    make_category,
    make_coupon,
    make_product,
    make_staff,
    make_user,
    make_warehouse,
    one,
)
from tests.support.databases import Database
from tests.support.paying import paid_order
from tests.support.projecting import announce, projecting, reached

Connection = psycopg.Connection[Any]
Document = dict[str, Any]

NAVIGATION_SECONDS = 10.0

# What `kirana validate` looks up for its own day, and here by what this store's things are called.
FOUND = reads.FOUND | {
    "sku": "SELECT sku FROM store.product_variants",
    "word": "SELECT word FROM store.search_synonyms",
    "order_id": "SELECT order_id FROM store.returns",  # the shopper's: another's is not theirs to read
    "q": "SELECT 'product'",
    "code": "SELECT code FROM store.warehouses",
    "slug": "SELECT slug FROM store.products",
    "GET /v1/admin/coupons/{code}": "SELECT code FROM store.coupons",
    "GET /v1/admin/banners/{slug}": "SELECT slug FROM store.banners",
    "GET /v1/admin/collections/{slug}": "SELECT slug FROM store.collections",
    "GET /v1/collections/{slug}": "SELECT slug FROM store.collections",
    "GET /v1/admin/brands/{slug}": "SELECT slug FROM store.brands",
    "GET /v1/admin/categories/{slug}": "SELECT slug FROM store.categories",
}


def stocked(owner: Connection, settings: Settings) -> tuple[UUID, UUID]:
    """Some of what a store has; its owner and the shopper."""
    staff, shopper = make_staff(owner), make_user(owner)
    category = make_category(owner, "shirts", parent_id=make_category(owner, "men"))
    make_coupon(owner, "TEN")
    owner.execute("INSERT INTO store.brands (slug, name) VALUES ('sutra', 'Sutra')")
    owner.execute("INSERT INTO store.shipping_rules (name) VALUES ('everywhere')")
    for number in range(3):
        made = make_product(owner, f"SKU-{number}", stock=50, category_id=category)
        announce(owner, made.product_id)
    mug = make_product(owner, "MUG-RED", stock=50)
    make_warehouse(owner, "DEL", state_code="DL")
    shipping.plan(owner, paid_order(owner, user_id=shopper), staff)
    order = paid_order(owner, (mug, 4), user_id=shopper, delivered=True)
    reviewing.say(owner, shopper, mug)
    brought = cash.delivered_for_cash(owner)
    cash.remit(owner, (brought["tracking"], 100, 0))
    returning.issue(owner)
    returning.ask(owner, order, returning.line(order, 1))
    make_cart(owner, shopper, (mug, 2))
    owner.execute("UPDATE store.store_settings SET refund_approval_above = 1")
    wish = {"p_order_id": order["id"], "p_kind": "goodwill", "p_reason": "torn", "p_amount": 100}
    call(owner, "request_refund", p_staff_id=staff, **idempotent(), **wish)
    secret = Keyring(settings).encrypt("whsec_" + "a" * 32)
    told = {"p_url": "https://hooks.example/k", "p_description": None, "p_types": ["*"], "p_topics": ["orders"]}
    call(owner, "create_webhook", p_staff_id=staff, **idempotent(), **told, p_secret=secret)
    return staff, shopper


async def worked(client: httpx.AsyncClient, document: Document, headers: dict[str, str]) -> None:
    """Let staff do what the document shows as examples, where that can be done."""
    for path, item in document["paths"].items():
        for method in ("put", "post"):
            operation = item.get(method)
            if operation is None or not path.startswith("/v1/admin/"):
                continue
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
            media = next(iter(operation.get("requestBody", {}).get("content", {}).values()), {})
            sent = headers | {"Idempotency-Key": uuid.uuid4().hex, "If-Match": '"0"'}
            await client.request(method, path, json=media.get("example"), headers=sent)


@cache
def validator(schema: bytes) -> Any:
    return jsonschema_rs.validator_for(orjson.loads(schema), validate_formats=True)


def differences(document: Document, operation: Document, body: Any) -> list[str]:
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    found = validator(orjson.dumps(whole)).iter_errors(body)
    return [f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in found]


def address_of(owner: Connection, path: str, operation: Document) -> tuple[str, dict[str, str]] | None:
    """The path and the query of one request; None where the store has nothing of the kind."""
    query: dict[str, str] = {}
    template = path
    for parameter in operation.get("parameters", ()):
        if not parameter.get("required"):
            continue
        name = parameter["name"]
        value = one(owner, FOUND.get(f"GET {template}") or FOUND[name])
        if value is None:
            return None
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", str(value))
        else:
            query[name] = str(value)
    return path, query


async def once_there(
    client: httpx.AsyncClient, address: tuple[str, dict[str, str]], who: dict[str, str]
) -> httpx.Response:
    """The answer; what the navigation shows follows the views a moment later, so a 404 is asked again for a while."""
    end = time.monotonic() + NAVIGATION_SECONDS
    while True:
        answer = await client.get(address[0], params=address[1], headers=who)
        if answer.status_code != 404 or time.monotonic() > end:
            return answer
        await asyncio.sleep(0.1)


async def test_every_get_answers_as_its_schema_says(database: Database, owner: Connection, redis: Redis) -> None:
    staff, shopper = stocked(owner, database.settings)
    app = create_app(database.settings.model_copy(update={"command_rate_limit": 0}))
    document = app.openapi()
    callers = {name: bearer(database.settings, user, role) for name, user, role in _people(staff, shopper)}
    answered: set[str] = set()
    empty: set[str] = set()
    async with projecting(database), LifespanManager(app) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://kirana.test") as client:
            await worked(client, document, callers["owner"])
            await reached(database, one(owner, "SELECT max(position) FROM store.outbox"))
            for path, item in document["paths"].items():
                if "get" not in item or not path.startswith("/v1/"):
                    continue
                address = address_of(owner, path, item["get"])
                if address is None:
                    empty.add(path)
                    continue
                who = callers["owner" if "/admin/" in path else "shopper"]
                answer = await once_there(client, address, who)
                if answer.status_code == 404:
                    empty.add(path)
                    continue
                assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
                assert differences(document, item["get"], answer.json()) == [], path
                answered.add(path)
    assert empty == set(), "let the store have one of these"
    assert len(answered) > 50


def _people(staff: UUID, shopper: UUID) -> list[tuple[str, UUID, str | None]]:
    return [("owner", staff, "owner"), ("shopper", shopper, None)]
