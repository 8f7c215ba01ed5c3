"""Checkouts in the database beside TPC-B, and commands over HTTP beside a route that does one SELECT 1."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from tests.bench import pgbench, servers, wrk
from tests.bench.figures import Figure, Goal, compared
from tests.bench.ground import Ground
from tests.bench.shop import address_id, fill_carts, make_shoppers, spread_hot_sku, user_id
from tests.support.api import bearer
from tests.support.databases import Database

PER_CLIENT = 150  # checkouts of one client in one run of pgbench
A_RUN = PER_CLIENT * pgbench.CLIENTS
OVER_HTTP = 4_000  # the most checkouts of one run over HTTP; a run that used them all up is refused, and fails
SELECT_ONE = "FastAPI route, one SELECT 1"

# :n is the shopper; ids are made of it, so that there is nothing to look up. The request's hash is 32 bytes.
CHECKOUT = r"""
\set i :i + 1
\set n :first + :client_id * :per_client + :i
CALL store.create_order(
    p_user_id => ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid,
    p_idempotency_key => 'bench-' || :n::text,
    p_request_hash => sha256(('bench-' || :n::text)::bytea),
    p_address_id => ('00000000-0000-7000-8001-' || lpad(to_hex(:n::int), 12, '0'))::uuid,
    p_payment_method => 'prepaid',
    o_result => NULL
);
"""


class Shoppers:
    """Hands out shoppers with full carts, each once."""

    def __init__(self, database: Database, first: int = 1) -> None:
        self._database = database
        self._next = first

    def take(self, count: int, *, hot_sku: bool = False) -> int:
        """The first of so many fresh shoppers with carts."""
        first, self._next = self._next, self._next + count
        with self._database.connect() as owner:
            make_shoppers(owner, first, first + count - 1)
            fill_carts(owner, first, first + count - 1, hot_sku=hot_sku)
            owner.execute("CHECKPOINT")
        return first


def checkout_tps(database: Database, script: Path, shoppers: Shoppers, *, hot_sku: bool = False) -> float:
    """Checkouts a second of 16 connections, each of a shopper of its own."""
    return checkouts_of(database, script, shoppers.take(A_RUN, hot_sku=hot_sku), pgbench.CLIENTS)


def checkouts_of(database: Database, script: Path, first: int, clients: int) -> float:
    """Checkouts a second of ``A_RUN`` shoppers with full carts, ``clients`` at a time."""
    each = A_RUN // clients
    define = {"i": -1, "first": first, "per_client": each}
    return pgbench.tps(database.dsn("command"), script, transactions=each, clients=clients, define=define)


def first_orders(database: Database, script: Path, shoppers: Shoppers) -> None:
    """A run that is not measured, and the statistics that autovacuum would have a minute after it."""
    checkout_tps(database, script, shoppers)
    with database.connect() as owner:
        owner.execute("ANALYZE")


def in_the_database(
    ground: Ground, database: Database, shoppers: Shoppers, rounds: int, seconds: int
) -> Iterator[Figure]:
    """create_order over all SKUs beside TPC-B, and on one SKU beside all."""
    script = ground.folder / "checkout.sql"
    script.write_text(CHECKOUT)
    ground.cluster.create_database("tpcb", "template0")
    tpcb = ground.cluster.server.dsn(database="tpcb")
    pgbench.prepare_tpcb(tpcb)
    first_orders(database, script, shoppers)
    yield compared(
        Figure("create_order: 3 lines, coupon, key, outbox, ledger", "orders/s", Goal(0.60), "pgbench TPC-B, scale 10"),
        lambda: checkout_tps(database, script, shoppers),
        lambda: pgbench.tps(tpcb, seconds=seconds),
        rounds,
    )
    with database.connect() as owner:
        spread_hot_sku(owner)
    yield compared(
        Figure("create_order, all on one SKU", "orders/s", Goal(0.90), "uniform SKUs"),
        lambda: checkout_tps(database, script, shoppers, hot_sku=True),
        lambda: checkout_tps(database, script, shoppers),
        rounds,
    )


def over_http(ground: Ground, database: Database, shoppers: Shoppers, rounds: int, seconds: float) -> Iterator[Figure]:
    """A checkout, and a line put in a cart, beside a route of the same shape."""
    skus = _skus(database)
    turn = itertools.count()

    def checkouts(first: int) -> list[tuple[str, str]]:
        return [
            (_token(database, first + n), _json(address_id=str(address_id(first + n)), payment_method="prepaid"))
            for n in range(OVER_HTTP)
        ]

    def lines(first: int) -> list[tuple[str, str]]:
        return [
            (_token(database, first + n), _json(sku=skus[(n + next(turn)) % len(skus)], quantity=1))
            for n in range(OVER_HTTP)
        ]

    with servers.api(database, servers.COMMAND) as base, servers.one_select(database) as bare:
        first = shoppers.take(OVER_HTTP)
        for name, path, goal, requests in (
            ("POST /v1/checkout over HTTP", "/v1/checkout", 0.60, checkouts),
            ("add to cart over HTTP", "/v1/cart/items", 0.70, lines),
        ):
            fresh = path == "/v1/checkout"
            at = iter(lambda: shoppers.take(OVER_HTTP), 0) if fresh else itertools.repeat(first)
            file = ground.folder / "requests.lua"
            yield compared(
                Figure(name, "requests/s", Goal(goal), SELECT_ONE),
                _posting(file, base + path, requests, at, seconds, again=not fresh),
                _posting(file, bare + path, requests, itertools.repeat(first), seconds, again=True),
                rounds,
            )


def _posting(
    file: Path,
    url: str,
    requests: Callable[[int], list[tuple[str, str]]],
    first: Iterator[int],
    seconds: float,
    *,
    again: bool,
) -> Callable[[], float]:
    """A measure: requests made anew for each run; each is sent at most once, or again with another key."""

    def measure() -> float:
        file.write_text(_script(requests(next(first)), again))
        return wrk.rate(url, seconds, script=file)

    return measure


def _script(requests: list[tuple[str, str]], again: bool) -> str:
    """A wrk script that POSTs these (token, body) in turn, each with a key of its own; after the last it asks wrong."""
    listed = ",\n".join("{" + orjson.dumps(token).decode() + ", [[" + body + "]]}" for token, body in requests)
    key = uuid.uuid4().hex
    return (
        f"local requests = {{\n{listed}\n}}\nlocal at = 0\n"
        f"request = function()\n  at = at + 1\n  local r = requests[{'(at - 1) % #requests + 1' if again else 'at'}]\n"
        "  if r == nil then return wrk.format('GET', '/v1/more-requests-than-were-made') end\n"
        "  return wrk.format('POST', nil, {['Authorization'] = r[1], ['Content-Type'] = 'application/json',"
        f" ['Idempotency-Key'] = '{key}-' .. at}}, r[2])\nend\n"
    )


def _token(database: Database, number: int) -> str:
    return bearer(database.settings, user_id(number))["Authorization"]


def _json(**members: object) -> str:
    return orjson.dumps(members).decode()


def _skus(database: Database) -> list[str]:
    with database.connect() as owner:
        found = owner.execute(
            "SELECT v.sku FROM store.product_variants AS v INNER JOIN store.inventory AS i ON i.variant_id = v.id"
            " WHERE i.on_hand > 100000 GROUP BY 1 ORDER BY 1 LIMIT 100"
        ).fetchall()
    return [sku for (sku,) in found]
