"""From command to view: how fast the projector is, how soon a GET shows it, what it costs; and rebuilds."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.core.redis_clients import new_client
from projections.books import connect, live_version
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from projections.sinks.mirrors import MIRRORS
from projections.sinks.redis import RedisSink
from tests.bench import pgbench, servers
from tests.bench.catching_up import caught_up
from tests.bench.figures import Figure, Goal, alone, compared
from tests.bench.ground import Ground
from tests.bench.shop import address_id, user_id
from tests.bench.writes import A_RUN, CHECKOUT, Shoppers, checkout_tps, checkouts_of
from tests.support.api import bearer
from tests.support.databases import Database
from tests.support.processes import full_environment, process

EVENTS = 60_000
KEYS = 5_000
MOST_PROBES = 1_000


def figures(ground: Ground, database: Database, shoppers: Shoppers, rounds: int) -> Iterator[Figure]:
    """All of them, on one store."""
    yield alone(
        Figure("projector: catalog and orders, folded, PostgreSQL and Redis", "events/s", Goal(15_000)),
        lambda: drained(database),
        rounds,
    )
    script = ground.folder / "checkout.sql"
    script.write_text(CHECKOUT)
    yield compared(
        Figure("checkouts with the projector running", "orders/s", Goal(0.85), "without it"),
        lambda: _with_projector(database, lambda: checkout_tps(database, script, shoppers)),
        lambda: checkout_tps(database, script, shoppers),
        rounds,
    )
    for clients in (pgbench.CLIENTS, pgbench.CLIENTS // 4):
        yield alone(
            Figure(f"command to GET, p99, under checkouts of {clients} clients", "ms", Goal(at_most=100)),
            lambda clients=clients: visible_p99(database, script, shoppers, clients),  # type: ignore[misc]
            rounds,
        )
    yield alone(Figure("rebuild catalog, PostgreSQL", "products/s", Goal(20_000)), lambda: rebuilt(database), rounds)
    yield alone(Figure("rebuild catalog, Redis", "products/s", Goal(20_000)), lambda: filled(database), rounds)


@contextmanager
def projector(database: Database) -> Iterator[None]:
    """The projector as a process of its own."""
    with process(["-m", "app.cli", "projections", "run"], full_environment(database)):
        asyncio.run(caught_up(database, 60))
        yield


def _with_projector(database: Database, measure: Callable[[], float]) -> float:
    with projector(database):
        return measure()


def drained(database: Database) -> float:
    """Events a second, from a backlog that is there when the projector starts to both views and both copies."""
    with projector(database), database.connect() as owner:
        with owner.transaction():
            for topic, aggregate, table in (("catalog", "product", "products"), ("orders", "order", "orders")):
                owner.execute(
                    "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type)"
                    f" SELECT %(topic)s, k.id, %(aggregate)s, k.id, n, %(aggregate)s || '.saved' FROM generate_series("
                    f"1, %(times)s) AS n CROSS JOIN (SELECT t.id FROM store.{table} AS t ORDER BY t.id"
                    " LIMIT %(keys)s) AS k",
                    {"topic": topic, "aggregate": aggregate, "times": EVENTS // 2 // KEYS, "keys": KEYS},
                )
        started = time.perf_counter()
        asyncio.run(caught_up(database, 120))
        return EVENTS / (time.perf_counter() - started)


def visible_p99(database: Database, script: Path, shoppers: Shoppers, clients: int) -> float:
    """Milliseconds from a checkout's answer to the GET that shows the order, for as long as others check out."""
    first, others = shoppers.take(MOST_PROBES), shoppers.take(A_RUN)
    with projector(database), servers.api(database, "app.main:app") as base, httpx.Client(base_url=base) as client:
        _shown_after(client, database, first)
        load = threading.Thread(target=lambda: checkouts_of(database, script, others, clients), daemon=True)
        load.start()
        seen: list[float] = []
        while load.is_alive() and len(seen) < MOST_PROBES - 1:
            seen.append(_shown_after(client, database, first + 1 + len(seen)))
        load.join()
    return sorted(seen)[math.ceil(0.99 * len(seen)) - 1]


def _shown_after(client: httpx.Client, database: Database, number: int) -> float:
    headers = bearer(database.settings, user_id(number))
    body = {"address_id": str(address_id(number)), "payment_method": "prepaid"}
    made = client.post("/v1/checkout", json=body, headers=headers | {"Idempotency-Key": f"seen-{number}"})
    assert made.status_code == 201, made.text
    started = time.perf_counter()
    token = {"X-Consistency-Token": made.headers["X-Consistency-Token"], "Prefer": "wait=2000"}
    shown = client.get("/v1/orders", headers=headers | token)
    assert shown.json()["items"][0]["id"] == made.json()["id"], shown.text
    assert "X-Stale" not in shown.headers
    return (time.perf_counter() - started) * 1000


def rebuilt(database: Database) -> float:
    """Products a second of a whole rebuild: filled, indexed, compared, switched."""
    started = time.perf_counter()
    done = asyncio.run(rebuild(database.dsn("projector"), PROJECTIONS["catalog"]))
    return done.rows / (time.perf_counter() - started)


def filled(database: Database) -> float:
    """Products a second into a new generation in Redis."""

    async def fill() -> float:
        projection = PROJECTIONS["catalog"]
        client = new_client(database.settings.redis_dsn(), 5.0)
        async with client, await connect(database.dsn("projector"), "kirana bench") as connection:
            sink = RedisSink(client, projection, MIRRORS["catalog"])
            live = await live_version(connection, projection)
            started = time.perf_counter()
            generation = await sink.fill(connection, live)
            seconds = time.perf_counter() - started
            await sink.forget_others(generation)
            cursor = await connection.execute("SELECT count(*) FROM read.catalog")
            row = await cursor.fetchone()
            assert row is not None
            return float(row[0]) / seconds

    return asyncio.run(fill())
