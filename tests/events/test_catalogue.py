"""The catalogue of events is whole, says what is true, and holds nothing that names a shopper."""

import ast
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import psycopg
import pytest
from redis import Redis

from app.core.paths import ROOT
from app.docs import asyncapi
from app.events.catalogue import (
    BY_NAME,
    PATTERN,
    TOPICS,
    TYPES,
    data_schema,
    envelope_schema,
    matches,
    unknown_patterns,
)
from app.events.envelope import envelope
from app.main import create_app
from tests.support.api import serving
from tests.support.builders import make_product, make_staff, rows
from tests.support.databases import Database
from tests.support.paying import give_back, paid_order, tell_refund
from tests.support.shop import Shop
from tests.support.walker import Walker

SCHEMA = Path(__file__).parent / "asyncapi-3.0.0-schema.json"
PROCEDURES = sorted((ROOT / "procedures").glob("*.sql"))
# what looks like a type in a procedure and is none: a table's name, and what gateways call their own events
OTHERS = {"store.categories", "refund.processed"}
# types that are put together: the beginning, and what may follow it
COMPOSED = {
    "order.": {"cancelled", "expired"},
    "payment.": {"captured", "mismatched"},
    "return.": {"approved", "rejected", "in_transit", "cancelled"},
    "shipment.": {
        *("picking", "packed", "shipped", "out_for_delivery", "delivered", "returned_to_origin", "cancelled"),
    },
}
each = pytest.mark.parametrize("event", TYPES, ids=lambda event: event.name)


def permissions() -> set[str]:
    """Every permission that a migration grants: they look like types."""
    found: set[str] = set()
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if re.fullmatch(r"[a-z]+\.[a-z_]+", node.value) else set()
    return found


def code_of(path: Path) -> str:
    """A procedure without its comments."""
    return re.sub(r"--.*$", "", path.read_text(), flags=re.MULTILINE)


def test_every_type_that_a_procedure_writes_is_in_the_catalogue() -> None:
    known, missing = set(BY_NAME) | OTHERS | permissions(), {}
    for path in PROCEDURES:
        for name in re.findall(r"'([a-z_]+\.[a-z_]+)'", code_of(path)):
            if name not in known:
                missing[name] = path.name
        for beginning in re.findall(r"p_event\s*=>\s*'([a-z_]+\.)'\s*\|\|", code_of(path)):
            assert beginning in COMPOSED, f"{path.name}: say in COMPOSED what may follow {beginning}"
    assert missing == {}, "give each a line in app/events/catalogue.py (or in OTHERS, if it is no event)"
    for beginning, endings in COMPOSED.items():
        assert {beginning + ending for ending in endings} <= set(BY_NAME)


def test_the_catalogue_lists_nothing_that_is_never_written() -> None:
    written = "\n".join(code_of(path) for path in PROCEDURES)
    composed = {beginning + ending for beginning, endings in COMPOSED.items() for ending in endings}
    assert [event.name for event in TYPES if f"'{event.name}'" not in written and event.name not in composed] == []


async def test_what_a_store_writes_is_what_the_catalogue_says(
    database: Database, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    """A walk over the whole API; every row of its outbox fits its schema, and holds nobody's name, phone or address."""
    async with serving(create_app(database.settings)) as client:
        walker = Walker(Shop(database, owner, client), 11)
        await walker.set_up()
        await walker.walk(300)
    order = paid_order(owner, (make_product(owner, "MUG", stock=10), 2), delivered=True)
    lines = [{"sku": "MUG", "quantity": 1, "restock": True}]
    tell_refund(owner, give_back(owner, order, make_staff(owner), p_lines=lines))
    seen = set()
    validators = {event.name: jsonschema_rs.validator_for(envelope_schema(event)) for event in TYPES}
    found = rows(owner, "SELECT to_jsonb(o) FROM store.outbox o")
    for (row,) in found:
        seen.add(row["type"])
        document = orjson.loads(envelope(row))
        validators[row["type"]].validate(document)
        undocumented = set(row["payload"]) - set(BY_NAME[row["type"]].data)
        assert not undocumented, f"{row['type']}: say in the catalogue what {undocumented} are"
    assert len(seen) >= 16, seen
    everything = "\n".join(orjson.dumps(row["payload"]).decode() for (row,) in found)
    private = [
        str(value)
        for (phone, email, name, line1, recipient) in rows(
            owner,
            "SELECT u.phone, u.email, u.full_name, a.line1, a.recipient_name FROM store.users u"
            " LEFT JOIN store.addresses a ON a.user_id = u.id",
        )
        for value in (phone, email, name, line1, recipient)
        if value
    ]
    assert private
    assert [value for value in private if value in everything] == []
    assert not re.search(r"\+91|@|\b[6-9]\d{9}\b", everything)


@each
def test_no_type_has_room_for_a_person(event: Any) -> None:
    private = {"phone", "email", "name", "full_name", "recipient_name", "address", "line1", "pincode", "user_id", "ip"}
    assert not private & set(event.data)
    assert event.topic in TOPICS
    assert re.match(PATTERN, event.name)
    assert event.says.endswith(".")
    assert set(event.required) <= set(event.data)
    jsonschema_rs.validator_for(data_schema(event)).validate(asyncapi.example(event)["data"])
    jsonschema_rs.validator_for(envelope_schema(event)).validate(asyncapi.example(event))


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(TYPES)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*", "order.created", True),
        ("order.*", "order.created", True),
        ("order.created", "order.created", True),
        ("order.*", "orders.created", False),
        ("order.created", "order.expired", False),
        ("refund.*", "order.created", False),
    ],
)
def test_patterns(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits


def test_patterns_that_mean_nothing_are_known() -> None:
    assert unknown_patterns(["*", "order.*", "price.changed"]) == []
    assert unknown_patterns(["order", "order.creatd", "nothing.*", "*.created", "order.*.x", "", "Order.*"]) == [
        *("order", "order.creatd", "nothing.*", "*.created", "order.*.x", "", "Order.*")
    ]


def test_the_document_is_asyncapi() -> None:
    """Against the official schema; and that the schema would notice."""
    schema = orjson.loads(SCHEMA.read_bytes())
    validator = jsonschema_rs.validator_for(schema)
    document = asyncapi.document()
    assert [f"{list(error.instance_path)}: {error.message[:200]}" for error in validator.iter_errors(document)] == []
    broken = document | {"channels": {"webhook": {"adress": None}}}
    assert not validator.is_valid(broken)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = asyncapi.document()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for part in value.values() for found in references(part)]
        return [found for part in value for found in references(part)] if isinstance(value, list) else []

    assert references(document)
    for reference in references(document):
        at: Any = document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]
    listed = set(document["channels"]["webhook"]["messages"])
    assert listed == set(BY_NAME)


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "asyncapi.json").read_text() == asyncapi.page(), "run `kirana docs generate` and commit"
