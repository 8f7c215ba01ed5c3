"""Large beside small: the same requests on a store of a million products and orders, and on one of ten thousand."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench import pgbench, servers, wrk
from tests.bench.figures import Figure, Goal, compared
from tests.bench.ground import Ground
from tests.bench.writes import CHECKOUT, Shoppers, checkout_tps, first_orders
from tests.support.databases import Database
from tests.support.many import NOUNS

ASKED = 2_000  # different pages; with the pages that a process keeps turned off, so that each is looked up
ADDED = 1_000  # products that are put in carts
LINES_PER_CLIENT = 300

ADD_TO_CART = r"""
\set i :i + 1
\set n :first + (:client_id * :per_client + :i) / 10
\set product random(1, :products)
CALL store.add_to_cart(
    p_user_id => ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid,
    p_sku => 'ITEM-' || :product::text || '-1',
    o_result => NULL
);
"""


def figures(ground: Ground, small: int, large: int, rounds: int, seconds: float) -> Iterator[Figure]:
    """Pages, lists, searches, cart lines and checkouts, of the large store beside the small one."""
    counts = (small, large)
    stores = [
        ground.database(name, number, products=products, carts=0, orders=products)
        for number, (name, products) in enumerate(zip(("small", "large"), counts, strict=True), 2)
    ]
    reference = f"{small:,} products and orders"
    with ExitStack() as stack:
        bases = [stack.enter_context(servers.api(store, servers.QUERY, KIRANA_HOT_PAGES_MIB="0")) for store in stores]
        for name, goal, asked in (("PDP", 0.9, _pages), ("PLP", 0.6, _lists), ("search", 0.6, _searches)):
            scripts = [wrk.rotating(ground.folder, f"{name}-{count}", asked(count)) for count in counts]
            for base, script in zip(bases, scripts, strict=True):
                wrk.rate(base, 1, script=script)
            yield compared(
                Figure(f"{name} at {large:,}", "requests/s", Goal(goal), reference),
                lambda scripts=scripts: wrk.rate(bases[1], seconds, script=scripts[1]),  # type: ignore[misc]
                lambda scripts=scripts: wrk.rate(bases[0], seconds, script=scripts[0]),  # type: ignore[misc]
                rounds,
            )
    yield from _commands(ground, stores, large, reference, rounds)


def _commands(ground: Ground, stores: list[Database], large: int, reference: str, rounds: int) -> Iterator[Figure]:
    checkout, cart = ground.folder / "checkout.sql", ground.folder / "add-to-cart.sql"
    checkout.write_text(CHECKOUT)
    cart.write_text(ADD_TO_CART)
    few, many = (Shoppers(store) for store in stores)
    for store, shoppers in zip(stores, (few, many), strict=True):
        with store.connect() as owner:
            owner.execute(
                "UPDATE store.inventory AS i SET on_hand = i.on_hand + 1000000 FROM store.product_variants AS v"
                " WHERE v.id = i.variant_id AND v.sku = ANY(%s)",
                ([f"ITEM-{number}-1" for number in range(1, ADDED + 1)],),
            )
        first_orders(store, checkout, shoppers)
        _lines(store, cart, shoppers)
    yield compared(
        Figure(f"add_to_cart at {large:,}", "calls/s", Goal(0.9), reference),
        lambda: _lines(stores[1], cart, many),
        lambda: _lines(stores[0], cart, few),
        rounds,
    )
    yield compared(
        Figure(f"create_order at {large:,}", "orders/s", Goal(0.9), reference),
        lambda: checkout_tps(stores[1], checkout, many),
        lambda: checkout_tps(stores[0], checkout, few),
        rounds,
    )


def _lines(store: Database, script: Path, shoppers: Shoppers) -> float:
    """Lines a second, put into carts of 16 shoppers at a time, ten to a cart."""
    first = shoppers.take(LINES_PER_CLIENT * pgbench.CLIENTS // 10)
    define = {"i": -1, "first": first, "per_client": LINES_PER_CLIENT, "products": ADDED}
    return pgbench.tps(store.dsn("command"), script, transactions=LINES_PER_CLIENT, define=define)


def _pages(products: int) -> list[str]:
    numbers = random.Random(7).sample(range(1, products + 1), min(ASKED, products))
    return [f"/v1/products/item-{number}" for number in numbers]


def _lists(_: int) -> list[str]:
    return [
        f"/v1/products?category=c{top}-{aisle}-{shelf}" for top in range(1, 11) for aisle, shelf in ((1, 1), (3, 4))
    ]


def _searches(_: int) -> list[str]:
    return [f"/v1/search?q={colour}%20{noun}" for noun in NOUNS[:10] for colour in ("red", "wooden")]
