"""Traces go from the request through the CALL into the outbox row, to a collector that speaks OTLP over HTTP."""

import gzip
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from redis import Redis

from app.core.config import Settings
from app.core.paths import ROOT
from app.core.telemetry.tracing import MOST_LINKS, span_context, start_tracing
from app.main import create_app
from projections.runner import running
from tests.support.api import bearer, serving
from tests.support.builders import make_address, make_cart, make_product, make_user, one, rows
from tests.support.databases import Database
from tests.support.projecting import announce, reached

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE_ID}-{SPAN_ID}-01", f"00-{TRACE_ID}-{SPAN_ID}-00"
SERVER, CLIENT, CONSUMER = 2, 3, 5


class Collector:
    """What an OpenTelemetry collector would have got."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        self.endpoint = ""

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
            self.services.add(attributes["service.name"])
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def named(self, name: str) -> Any:
        [found] = [span for span in self.spans if span.name == name]
        return found


def attributes(span: Any) -> dict[str, Any]:
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            found.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        found.endpoint = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def traced(settings: Settings, collector: Collector) -> Settings:
    return settings.model_copy(update={"otlp_endpoint": collector.endpoint, "trace_sample_ratio": 1.0})


async def order_something(client: httpx.AsyncClient, settings: Settings, owner: Any, **headers: str) -> str:
    """A checkout, which writes to the outbox; the order's id."""
    user = make_user(owner)
    address = make_address(owner, user)
    make_cart(owner, user, (make_product(owner, stock=5), 1))
    answer = await client.post(
        "/v1/checkout",
        json={"address_id": str(address), "payment_method": "prepaid"},
        headers=bearer(settings, user) | {"Idempotency-Key": "k-1"} | headers,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_trace_begins_at_the_request_and_reaches_the_outbox(
    traced: Settings, collector: Collector, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    async with serving(create_app(traced)) as client:
        order = await order_something(client, traced, owner)
    request, called = collector.named("POST /v1/checkout"), collector.named("CALL create_order")
    assert (request.kind, called.kind) == (SERVER, CLIENT)
    assert request.parent_span_id == b""
    assert (called.trace_id, called.parent_span_id) == (request.trace_id, request.span_id)
    assert attributes(request)["http.route"] == "/v1/checkout"
    assert attributes(request)["http.response.status_code"] == 201
    assert attributes(called)["db.stored_procedure.name"] == "store.create_order"
    written = {row[0] for row in rows(owner, "SELECT traceparent FROM store.outbox WHERE view_key = %s", order)}
    [traceparent] = written
    assert re.fullmatch(f"00-{request.trace_id.hex()}-{request.span_id.hex()}-0[13]", traceparent), "sampled"
    assert collector.services == {"kirana"}


async def test_a_callers_trace_is_taken_up(
    traced: Settings, collector: Collector, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    never = traced.model_copy(update={"trace_sample_ratio": 0.0})
    async with serving(create_app(never)) as client:
        await order_something(client, never, owner, traceparent=SAMPLED)
        await client.get("/healthz", headers={"traceparent": UNSAMPLED})
        await client.get("/healthz")
    request = collector.named("POST /v1/checkout")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE_ID, SPAN_ID)
    written = one(owner, "SELECT traceparent FROM store.outbox LIMIT 1")
    assert written == f"00-{TRACE_ID}-{request.span_id.hex()}-01"
    assert [span for span in collector.spans if "healthz" in span.name] == [], "the caller's choice, then the ratio"


async def test_a_span_says_what_went_wrong_and_names_nobody(
    traced: Settings, collector: Collector, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    async with serving(create_app(traced)) as client:
        client._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
        await client.post("/v1/auth/otp/verify", json={"phone": "+919876543210", "code": "482913"})
        owner.execute("ALTER TABLE store.otp_verifications RENAME TO gone")
        await client.post("/v1/auth/otp", json={"phone": "+919876543210"})
    refused = collector.named("CALL verify_otp")
    assert attributes(refused)["kirana.refusal"] == "otp_expired"
    assert refused.status.code == 0, "a refusal is an answer, not an error"
    assert attributes(collector.named("CALL send_otp"))["error.type"] == "42P01"
    assert collector.named("POST /v1/auth/otp").status.code == 2
    told = str(collector.spans)
    for private in ("9876543210", "482913", "203.0.113.7"):
        assert private not in told


async def test_without_an_endpoint_the_callers_traceparent_goes_through_as_it_is(
    settings: Settings, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    async with serving(create_app(settings)) as client:
        await order_something(client, settings, owner, traceparent=SAMPLED)
    assert {row[0] for row in rows(owner, "SELECT traceparent FROM store.outbox")} == {SAMPLED}


def test_a_batch_is_linked_to_the_requests_that_caused_it(traced: Settings, collector: Collector) -> None:
    tracing = start_tracing(traced, "kirana-projector")
    assert tracing is not None
    zeros = f"00-{'0' * 32}-{'0' * 16}-01"
    many = [f"00-{number:032x}-{SPAN_ID}-01" for number in range(1, 100)]
    with tracing.batch_span("project catalog", [None, SAMPLED, SAMPLED, UNSAMPLED, zeros]):
        pass
    with tracing.batch_span("project orders", many):
        pass
    tracing.close()
    span = collector.named("project catalog")
    assert span.kind == CONSUMER
    assert span.parent_span_id == b""
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in span.links] == [(TRACE_ID, SPAN_ID)]
    assert len(collector.named("project orders").links) == MOST_LINKS
    assert collector.services == {"kirana-projector"}


async def test_a_trace_goes_from_the_request_through_the_call_to_the_projector(
    traced: Settings, collector: Collector, owner: psycopg.Connection[Any], database: Database, redis: Redis
) -> None:
    async with running(traced):
        async with serving(create_app(traced)) as client:
            await order_something(client, traced, owner)
        position = announce(owner, uuid.uuid4(), "order")
        owner.execute(
            "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type,"
            " traceparent) VALUES ('orders', uuidv7(), 'order', uuidv7(), 1, 'order.created', 'not a traceparent')"
        )
        await reached(database, position + 1)
    request, called = collector.named("POST /v1/checkout"), collector.named("CALL create_order")
    applied = [span for span in collector.spans if span.name == "project orders"]
    links = {link.span_id: link.trace_id for span in applied for link in span.links}
    assert links == {request.span_id: request.trace_id}
    assert called.trace_id == request.trace_id
    assert sum(attributes(span)["kirana.events"] for span in applied) >= 3
    assert any(attributes(span)["kirana.rows"] == 1 for span in applied)
    assert {"kirana", "kirana-projector"} <= collector.services


@pytest.mark.parametrize("text", [None, f"00-{'0' * 32}-{SPAN_ID}-01", f"ff-{TRACE_ID}-{SPAN_ID}-01"])
def test_a_traceparent_that_names_nothing_is_none(text: str | None) -> None:
    assert span_context(text) is None


async def test_a_collector_that_is_away_keeps_nobody_waiting(settings: Settings, redis: Redis) -> None:
    away = settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:1", "trace_sample_ratio": 1.0})
    async with serving(create_app(away)) as client:
        assert (await client.get("/healthz")).status_code == 200


def test_without_an_endpoint_no_exporter_is_imported() -> None:
    """Some of OpenTelemetry is there all the same: redis-py imports it wherever it is installed."""
    code = "import app.main, sys; print([name for name in sys.modules if name.startswith('opentelemetry.exporter')])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KIRANA_")}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
