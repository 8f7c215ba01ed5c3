"""What /metrics says after requests, CALLs and failures; read as Prometheus would read it."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families
from psycopg_pool import PoolTimeout
from pydantic import SecretStr

from app.core.business_metrics import GAUGES
from app.core.config import Settings
from app.core.database import CommandPool, command_pool
from app.core.errors import Refused
from app.core.metrics import Metrics, current_metrics, exporting, use_metrics
from app.core.paths import ROOT
from app.main import create_app
from command_api.services.procedures import call
from query_api.main import create_app as create_query
from tests.support.api import serving
from tests.support.databases import Database

PROBE = """
CREATE PROCEDURE store.{name}(p_how text, p_context jsonb DEFAULT '{{}}', INOUT o_result jsonb DEFAULT NULL)
LANGUAGE plpgsql AS $$
BEGIN
    IF p_how = 'twice' AND nextval('public.tries') < 3 THEN
        RAISE EXCEPTION USING ERRCODE = '40001';
    ELSIF p_how ~ '^[0-9A-Z]{{5}}$' THEN
        RAISE EXCEPTION USING ERRCODE = p_how, DETAIL = '{{}}';
    END IF;
    o_result := CASE p_how
        WHEN 'committed' THEN '{{"refused": "KI061"}}'
        WHEN 'replayed' THEN '{{"replayed": true}}'
        ELSE pg_catalog.jsonb_build_object('status', p_how)
    END;
END;
$$;
GRANT EXECUTE ON PROCEDURE store.{name} TO kirana_command;
"""


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Scraped:
    """One scrape: ``scraped("kirana_refunds", status="failed")``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = samples(text)

    def __call__(self, name: str, **labels: str) -> float | None:
        return self._samples.get((name, frozenset(labels.items())))


async def scrape(api: httpx.AsyncClient) -> Scraped:
    answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Scraped(answer.text)


async def test_requests_are_counted_by_route_template(api: httpx.AsyncClient) -> None:
    for slug in ("a-1", "b-2", "c-3"):
        await api.put(f"/v1/wishlist/{slug}")
    await api.get("/no/such/path")
    await api.head("/healthz")
    found = await scrape(api)
    route = {"method": "PUT", "route": "/v1/wishlist/{slug}"}
    assert found("kirana_http_requests_total", status="401", **route) == 3
    assert found("kirana_http_request_seconds_count", **route) == 3
    assert found("kirana_http_requests_total", method="GET", route="unmatched", status="404") == 1
    assert found("kirana_http_requests_total", method="HEAD", route="/healthz", status="200") == 1
    assert "a-1" not in found.text
    assert "/no/such" not in found.text


async def test_every_route_has_a_template(application: FastAPI, api: httpx.AsyncClient) -> None:
    """The framework keeps an included router's prefix beside the route: a release that moves it must not go unseen."""
    paths = sorted(application.openapi()["paths"])
    for path in paths:
        await api.request("BREW", re.sub(r"\{\w+\}", "0192f3c4-1111-7222-8333-919876543210", path))
    found = await scrape(api)
    routes = {dict(labels)["route"] for name, labels in found._samples if name == "kirana_http_requests_total"}
    # of templates that fit the same path the first one answers
    assert routes - {"/metrics"} <= set(paths)
    assert len(routes) > 0.9 * len(paths)


async def test_in_flight_counts_what_is_being_answered(api: httpx.AsyncClient) -> None:
    assert (await scrape(api))("kirana_http_requests_in_flight") == 1, "the scrape itself"


async def test_what_breaks_counts_as_a_500(api: httpx.AsyncClient, owner: psycopg.Connection[Any]) -> None:
    owner.execute("ALTER TABLE store.otp_verifications RENAME TO gone")
    await api.post("/v1/auth/otp", json={"phone": "+919876543210"})
    found = await scrape(api)
    assert found("kirana_http_requests_total", method="POST", route="/v1/auth/otp", status="500") == 1
    assert found("kirana_procedure_seconds_count", procedure="send_otp", outcome="error") == 1


async def test_applications_do_not_share_what_they_count(settings: Settings) -> None:
    async with serving(create_app(settings)) as first, serving(create_query(settings)) as second:
        await first.get("/nothing")
        labels = {"method": "GET", "route": "unmatched", "status": "404"}
        assert (await scrape(first))("kirana_http_requests_total", **labels) == 1
        assert (await scrape(second))("kirana_http_requests_total", **labels) is None


async def test_metrics_can_be_switched_off(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"metrics_enabled": False}))) as client:
        assert (await client.get("/metrics")).status_code == 404
        assert (await client.get("/healthz")).status_code == 200


@pytest.fixture
def probes(owner: psycopg.Connection[Any]) -> None:
    owner.execute("CREATE SEQUENCE public.tries; GRANT USAGE ON SEQUENCE public.tries TO kirana_command")
    for name in ("probe", "verify_payment"):
        owner.execute(f"DROP PROCEDURE IF EXISTS store.{name}")
        owner.execute(PROBE.format(name=name))


async def outcome_of(pool: CommandPool, name: str, how: str) -> str:
    try:
        await call(pool, name, p_how=how)
    except (Refused, psycopg.Error) as error:
        return type(error).__name__
    return "answered"


@pytest.mark.usefixtures("probes")
async def test_calls_are_counted_by_what_came_of_them(settings: Settings) -> None:
    metrics = Metrics()
    use_metrics(metrics)
    async with command_pool(settings) as pool:
        for how in ("fine", "replayed", "committed", "KI001", "KI001", "KI031", "XX000", "twice"):
            await outcome_of(pool, "probe", how)
        for how in ("captured", "mystery", "KI042", "XX000"):
            await outcome_of(pool, "verify_payment", how)
    found = Scraped(metrics.render().decode())
    probe = {"procedure": "probe"}
    assert found("kirana_procedure_seconds_count", outcome="ok", **probe) == 3
    assert found("kirana_procedure_seconds_count", outcome="refused", **probe) == 4
    assert found("kirana_procedure_seconds_count", outcome="error", **probe) == 1
    assert found("kirana_procedure_retries_total", sqlstate="40001", **probe) == 2
    assert found("kirana_idempotent_replays_total", **probe) == 1
    assert found("kirana_procedure_refusals_total", code="out_of_stock", **probe) == 2
    assert found("kirana_procedure_refusals_total", code="order_state", **probe) == 1
    assert found("kirana_procedure_refusals_total", code="otp_invalid", **probe) == 1, "a committed refusal counts"
    assert found("kirana_oversell_refusals_total") == 2
    for outcome in ("captured", "other", "payment_signature", "error"):
        assert found("kirana_payment_outcomes_total", procedure="verify_payment", outcome=outcome) == 1


async def test_a_call_that_gets_no_connection_counts_as_an_error(database: Database) -> None:
    metrics = Metrics()
    use_metrics(metrics)
    nowhere = SecretStr("postgresql://nobody@127.0.0.1:1/kirana")
    settings = database.settings.model_copy(update={"command_database_url": nowhere, "pool_timeout": 0.05})
    async with command_pool(settings) as pool:
        with pytest.raises(PoolTimeout):
            await call(pool, "send_otp")
    found = Scraped(metrics.render().decode())
    assert found("kirana_procedure_seconds_count", procedure="send_otp", outcome="error") == 1


async def test_pools_are_read_at_the_scrape(api: httpx.AsyncClient, settings: Settings) -> None:
    await api.post("/v1/auth/otp", json={"phone": "+919876543210"})
    found = await scrape(api)
    assert found("kirana_pool_max", pool="command") == settings.command_pool_size
    assert found("kirana_pool_waiting", pool="query") == 0
    requests = found("kirana_pool_requests_total", pool="command")
    assert requests is not None
    assert requests >= 1


async def test_redis_failures_are_counted_and_done_without(settings: Settings) -> None:
    away = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    async with serving(create_app(away)) as client:
        assert (await client.post("/v1/auth/otp", json={"phone": "+919876543210"})).status_code == 202
        failures = (await scrape(client))("kirana_redis_failures_total", use="aid")
    assert failures is not None
    assert failures >= 1


async def test_the_store_has_gauges_of_its_own(api: httpx.AsyncClient, owner: psycopg.Connection[Any]) -> None:
    owner.execute(
        "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, created_at)"
        " SELECT 'catalog', gen_random_uuid(), 'product', gen_random_uuid(), 1, 'product.saved',"
        " now() - interval '90 s' FROM generate_series(1, 3)"
    )
    owner.execute(
        "INSERT INTO read.projection_checkpoints (projection, shard, generation, position)"
        " VALUES ('catalog', 0, 1, 1), ('catalog', 1, 1, 3), ('orders', 0, 1, 3)"
        " ON CONFLICT (projection, shard) DO UPDATE SET position = excluded.position"
    )
    found = await scrape(api)
    assert found("kirana_business_up") == 1
    assert found("kirana_outbox_position") == 3
    assert found("kirana_projection_checkpoint_lag_positions", projection="catalog") == 2
    assert found("kirana_projection_checkpoint_lag_positions", projection="orders") == 0
    seconds = found("kirana_projection_checkpoint_lag_seconds", projection="catalog")
    assert seconds == pytest.approx(90, abs=30)
    assert found("kirana_projection_checkpoint_lag_seconds", projection="orders") == 0
    for status in ("initiated", "submitted", "failed"):
        assert found("kirana_refunds", status=status) == 0
    for name in ("kirana_open_holds", "kirana_due_expiries", "kirana_due_prices", "kirana_outbox_bytes"):
        assert found(name) is not None, name
    owner.execute("DELETE FROM read.projection_checkpoints")
    assert (await scrape(api))("kirana_projection_checkpoint_lag_positions", projection="catalog") == 2, "from memory"


async def test_a_store_without_views_has_the_other_gauges(
    api: httpx.AsyncClient, owner: psycopg.Connection[Any]
) -> None:
    owner.execute("DROP SCHEMA read CASCADE")
    found = await scrape(api)
    assert found("kirana_business_up") == 1
    assert found("kirana_open_holds") == 0
    assert "kirana_projection_checkpoint_lag_seconds{" not in found.text


async def test_a_store_that_does_not_answer_costs_the_scrape_its_gauges_only(
    api: httpx.AsyncClient, owner: psycopg.Connection[Any]
) -> None:
    with owner.transaction():
        owner.execute("LOCK TABLE store.orders IN ACCESS EXCLUSIVE MODE")
        found = await asyncio.wait_for(scrape(api), 10)
    assert found("kirana_business_up") == 0
    assert found("kirana_open_holds") is None
    assert found("kirana_http_requests_in_flight") == 1


async def test_every_gauge_can_be_read_by_the_query_role(
    api: httpx.AsyncClient, query: psycopg.Connection[Any]
) -> None:
    for gauge in GAUGES:
        for row in query.execute(gauge.select.encode()).fetchall():
            assert len(row) == len(gauge.labels) + 1, gauge.name


def test_a_process_without_an_application_exports_too() -> None:
    registry = CollectorRegistry()
    Counter("kirana_test_things", "Things.", registry=registry).inc(7)
    with exporting(registry, "127.0.0.1", 0) as port:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        with exporting(registry, "127.0.0.1", port) as taken:
            assert taken is None, "a port that is taken keeps nobody from working"
    assert Scraped(text)("kirana_test_things_total") == 7
    with exporting(registry, "127.0.0.1", None) as none:
        assert none is None


def test_outside_of_a_request_there_are_metrics_that_nobody_reads() -> None:
    assert current_metrics() is current_metrics()
    current_metrics().redis_failures.labels("test").inc()


WORKER = """
import os, sys
from app.core.metrics import Metrics
metrics = Metrics()
metrics.requests.labels("GET", "/v1/products", "200").inc(int(sys.argv[1]))
metrics.request_seconds.labels("GET", "/v1/products").observe(0.01)
metrics.in_flight.inc()
print(metrics.render().decode())
"""


def test_workers_behind_one_port_add_up(tmp_path: Path) -> None:
    def run(number: int) -> Scraped:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        command = [sys.executable, "-c", WORKER, str(number)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return Scraped(done.stdout)

    run(2)
    found = run(5)
    labels = {"method": "GET", "route": "/v1/products"}
    assert found("kirana_http_requests_total", status="200", **labels) == 7
    assert found("kirana_http_request_seconds_count", **labels) == 2
    assert found("kirana_http_requests_in_flight") == 1, "a worker that is gone answers nothing any more"
