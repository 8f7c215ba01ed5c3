"""Four times what a store can bear: it sheds what is too much, serves what it took, keeps its size, and recovers.

The command API reaches its database through a pipe that makes every call slow, so that the database, not this machine,
is what there is too little of.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.crowd import flood
from tests.faults.pipe import Pipe
from tests.support.api import bearer
from tests.support.builders import expire_hold, make_order, make_product, make_staff, make_user, one
from tests.support.databases import Database
from tests.support.fault_report import Report
from tests.support.paying import give_back, paid_order
from tests.support.processes import free_port, full_environment, process, wait_until_ready

POOL, WAITING, POOL_SECONDS = 4, 12, 2.0
BEARABLE = POOL + WAITING
LATENCY_SECONDS = 0.03
FLOOD_SECONDS = 6.0
MEBIBYTE = 2**20


@asynccontextmanager
async def slow_store(database: Database) -> AsyncIterator[tuple[str, psutil.Process]]:
    """A command API with a small pool and a slow database: its base URL and its process."""
    server = database.cluster.server
    async with Pipe(Path(server.socket_dir) / f".s.PGSQL.{server.port}") as pipe:
        environment = full_environment(
            database,
            KIRANA_COMMAND_DATABASE_URL=f"postgresql://kirana_command@127.0.0.1:{pipe.port}/{database.name}",
            KIRANA_COMMAND_POOL_SIZE=str(POOL),
            KIRANA_POOL_MAX_WAITING=str(WAITING),
            KIRANA_POOL_TIMEOUT=str(POOL_SECONDS),
            KIRANA_MAX_IN_FLIGHT=str(BEARABLE),
            KIRANA_COMMAND_RATE_LIMIT="0",
        )
        port = free_port()
        arguments = ["-m", "uvicorn", "command_api.main:app", "--host", "127.0.0.1", "--port", str(port)]
        with process([*arguments, "--no-access-log", "--log-level", "warning"], environment) as running:
            base = f"http://127.0.0.1:{port}"
            await asyncio.to_thread(wait_until_ready, base, running)
            pipe.delay = LATENCY_SECONDS
            yield base, psutil.Process(running.pid)


@pytest.mark.slow
async def test_too_much_is_shed_and_the_rest_is_served(
    database: Database, owner: psycopg.Connection[object], faults_report: Report
) -> None:
    sku = make_product(owner, stock=10_000).sku
    settings = database.settings
    headers = [bearer(settings, make_user(owner)) for _ in range(4 * BEARABLE)]
    async with slow_store(database) as (base, running):
        url = f"{base}/v1/cart/items/{sku}"
        calm = await flood(url, headers[:POOL], FLOOD_SECONDS)
        assert set(calm.statuses) == {200}, calm.statuses
        before = running.memory_info().rss
        crowd = await flood(url, headers, FLOOD_SECONDS)
        assert set(crowd.statuses) <= {200, 429, 503}, crowd.statuses
        assert crowd.statuses[503] > 0, "nothing was shed: the flood was none"
        assert crowd.unannounced == 0, "a refusal says when to come back"
        assert crowd.statuses[200] * 2 > calm.statuses[200], f"{calm.statuses[200]} were served, then {crowd.statuses}"
        share, longest = await seconds_to_answer(base), POOL_SECONDS + 0.5
        assert share(longest) == 1, f"some of what was accepted was answered after more than {longest} s"
        grown = (running.memory_info().rss - before) / MEBIBYTE
        assert grown < 48, f"it grew by {grown:.0f} MiB"
        after = await flood(url, headers[:1], 1.0)
        assert set(after.statuses) == {200}, f"it did not recover at once: {after.statuses}"
    shed = crowd.statuses[429] + crowd.statuses[503]
    told = f"{calm.statuses[200]:,} served at 1x, {crowd.statuses[200]:,} at 4x; {shed:,} shed with Retry-After;"
    told += f" {share(0.5):.0%} of the accepted answered within 0.5 s, all within {longest} s; {grown:+.0f} MiB"
    faults_report.add("overload at 4x", sum(crowd.statuses.values()), 0, told)


async def seconds_to_answer(base: str) -> Callable[[float], float]:
    """Of the store's own measure: which share of the commands it worked on was answered within so many seconds."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{base}/metrics")).text
    buckets = {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "kirana_http_request_seconds_bucket" and sample.labels["method"] == "PUT"
    }
    return lambda seconds: buckets[seconds] / buckets[float("inf")]


@pytest.mark.slow
async def test_a_gateway_that_never_answers_holds_nobody_up(
    database: Database, owner: psycopg.Connection[object], faults_report: Report
) -> None:
    """Refunds wait for it; holds expire and prices change meanwhile."""
    order = paid_order(owner, delivered=True)
    line = {"order_item_id": order["items"][0]["id"], "quantity": 1, "restock": False}
    give_back(owner, order, make_staff(owner, "support"), p_lines=[line], p_shipping_amount=0)
    asked, gone = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        try:
            await asyncio.wait_for(reader.read(-1), 60)  # to the end of the worker, who waits in vain
        finally:
            writer.transport.abort()
            gone.set()

    gateway = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = gateway.sockets[0].getsockname()[1]
    gateways = f'{{"sandbox": "http://127.0.0.1:{port}"}}'
    environment = full_environment(database, KIRANA_GATEWAY_URLS=gateways)
    with process(["-m", "app.cli", "worker", "--interval", "0.1"], environment):
        await asyncio.wait_for(asked.wait(), 30)
        held = make_order(owner, (make_product(owner, stock=3), 2))
        expire_hold(owner, held["id"])
        end = time.monotonic() + 5
        while one(owner, "SELECT status FROM store.orders WHERE id = %s", held["id"]) != "expired":
            assert time.monotonic() < end, "the worker waits for the gateway"
            await asyncio.sleep(0.05)
    gateway.close()
    await asyncio.wait_for(gone.wait(), 10)
    faults_report.add("a gateway that never answers", 1, 0, "holds expired meanwhile")
