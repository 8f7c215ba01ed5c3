"""Large beside small: the same requests on a store of a million products and orders, and on one of ten thousand."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench import servers, wrk
from tests.bench.figures import Figure, Goal, compared
from tests.bench.ground import Ground
from tests.bench.reads import LIST, PAGE
from tests.bench.writes import CHECKOUT, Shoppers, checkout_tps

SEARCH = "/v1/search?q=red%20stroller"


def figures(ground: Ground, small: int, large: int, rounds: int, seconds: float) -> Iterator[Figure]:
    """Pages, lists, searches and checkouts, of the large store beside the small one."""
    stores = [
        ground.database(name, number, products=products, carts=0, orders=products)
        for number, (name, products) in enumerate((("small", small), ("large", large)), 2)
    ]
    reference = f"{small:,} products and orders"
    with ExitStack() as stack:
        bases = [stack.enter_context(servers.api(store, servers.QUERY)) for store in stores]
        for name, path, goal in (("PDP", PAGE, 0.9), ("PLP", LIST, 0.6), ("search", SEARCH, 0.6)):
            for base in bases:
                wrk.rate(base + path, 1)
            yield compared(
                Figure(f"{name} at {large:,}", "requests/s", Goal(goal), reference),
                lambda path=path: wrk.rate(bases[1] + path, seconds),  # type: ignore[misc]
                lambda path=path: wrk.rate(bases[0] + path, seconds),  # type: ignore[misc]
                rounds,
            )
    script = ground.folder / "checkout.sql"
    script.write_text(CHECKOUT)
    few, many = (Shoppers(store) for store in stores)
    yield compared(
        Figure(f"create_order at {large:,}", "orders/s", Goal(0.9), reference),
        lambda: checkout_tps(stores[1], script, many),
        lambda: checkout_tps(stores[0], script, few),
        rounds,
    )
