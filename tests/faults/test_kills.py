"""A whole store under load, whose processes are killed and whose connections are cut, at random, again and again.

After each fault: every acknowledged command is there, every unacknowledged one was sent again with its key and had one
effect, the books balance, the views agree with the store. The long form does it 200 times and prints how long the
store took to acknowledge commands again.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import psycopg
import pytest

from tests.faults.plant import Plant, plant
from tests.faults.proof import books_agree, nothing_lost_nothing_doubled, views_agree
from tests.faults.shoppers import Gate, Shopper
from tests.support.builders import make_address, make_coupon, make_product, make_staff, make_user, one, rows
from tests.support.fault_report import Report
from tests.support.projecting import reached

SHOPPERS = 10
PRODUCTS = 30
RECOVERY_SECONDS = 90.0

Fault = Callable[[Plant], Awaitable[object]]


def on_thread(action: Callable[[Plant], object]) -> Fault:
    """A fault that blocks, so that the pipe and the shoppers go on meanwhile."""

    async def fault(made: Plant) -> None:
        await asyncio.to_thread(action, made)

    return fault


def kill(name: str) -> Fault:
    return on_thread(lambda made: made.kill_daemon(name))


async def stall_the_pipe(made: Plant) -> None:
    await made.pipe.stall(3.0)


async def cut_the_pipe(made: Plant) -> None:
    made.pipe.cut()


FAULTS: dict[str, Fault] = {
    "kill -9 of a command API": kill("command api"),
    "kill -9 of the command API behind the pipe": kill("command api behind the pipe"),
    "kill -9 of the query API": kill("query api"),
    "kill -9 of a projector": kill("projector 1"),
    "kill -9 of the other projector": kill("projector 2"),
    "kill -9 of a worker": kill("worker 1"),
    "kill -9 of Redis": on_thread(Plant.kill_redis),
    "kill -9 of PostgreSQL": on_thread(Plant.kill_postgres),
    "kill -9 of one PostgreSQL backend": on_thread(Plant.kill_backend),
    "every connection terminated": on_thread(Plant.cut_connections),
    "connections reset in mid-call": cut_the_pipe,
    "connections stalled for 3 s": stall_the_pipe,
}
SHORT = [
    "kill -9 of a command API",
    "kill -9 of a projector",
    "kill -9 of Redis",
    "kill -9 of PostgreSQL",
    "every connection terminated",
    "connections reset in mid-call",
]


@asynccontextmanager
async def shopping(made: Plant, seed: int) -> AsyncIterator[tuple[list[Shopper], Gate]]:
    """Shoppers at it while the block runs; a shopper whose expectation was not met fails the block."""
    gate, stop = Gate(), asyncio.Event()
    async with httpx.AsyncClient(timeout=6.0) as client:
        with made.database.connect() as owner:
            shoppers = new_shoppers(made, owner, gate, client, seed)
            position = one(owner, "SELECT max(position) FROM store.outbox")
        await reached(made.database, position)
        tasks = [asyncio.create_task(shopper.shop(stop)) for shopper in shoppers]
        try:
            yield shoppers, gate
        finally:
            gate.open()
            stop.set()
            await asyncio.gather(*tasks)


def new_shoppers(
    made: Plant, owner: psycopg.Connection[object], gate: Gate, client: httpx.AsyncClient, seed: int
) -> list[Shopper]:
    """Shoppers of a store with some plenty, some scarce SKUs, and a coupon of few uses."""
    rng = random.Random(seed)
    variants = [
        make_product(owner, f"SKU-{n}", stock=100_000 if n % 5 else 60, buckets=1 + n % 3) for n in range(PRODUCTS)
    ]
    make_coupon(owner, "LIMITED", usage_limit=40)
    slugs = [slug for (slug,) in rows(owner, "SELECT slug FROM store.products")]
    staff = make_staff(owner)
    owner.execute(
        "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type)"
        " SELECT 'catalog', id, 'product', id, version, 'product.saved' FROM store.products"
    )
    shoppers = []
    for number in range(SHOPPERS):
        user = make_user(owner)
        names = {"user_id": user, "address_id": make_address(owner, user), "staff_id": staff, "slugs": slugs}
        own = random.Random(rng.random())
        skus = [variant.sku for variant in variants]
        shoppers.append(Shopper(number, made, gate, **names, skus=skus, rng=own, http=client))
    return shoppers


async def recovered(shoppers: list[Shopper], fault: Awaitable[object]) -> float:
    """Let the fault happen; seconds from its beginning until, after it, half of the shoppers were served again."""
    began = time.monotonic()
    await fault
    since = time.monotonic()
    while True:
        fresh = [shopper.acknowledged_at for shopper in shoppers if shopper.acknowledged_at > since]
        if len(fresh) * 2 >= len(shoppers):
            return sorted(fresh)[len(shoppers) // 2 - 1] - began
        assert time.monotonic() - since < RECOVERY_SECONDS, f"nothing was acknowledged for {RECOVERY_SECONDS:g} s"
        await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    "faults",
    [pytest.param(len(SHORT), id="short"), pytest.param(204, id="long", marks=pytest.mark.long)],
)
async def test_whatever_is_killed_nothing_is_lost_or_doubled(faults: int, faults_report: Report) -> None:
    names = SHORT if faults == len(SHORT) else list(FAULTS)
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    order = [name for _ in range(faults // len(names)) for name in rng.sample(names, len(names))]
    took: dict[str, list[float]] = {}
    async with plant(f"kills-{faults}") as made, shopping(made, seed) as (shoppers, gate):
        try:
            for number, name in enumerate(order):
                await asyncio.sleep(rng.uniform(0.3, 1.2))
                took.setdefault(name, []).append(await recovered(shoppers, FAULTS[name](made)))
                await asyncio.sleep(rng.uniform(0.1, 0.6))
                await gate.close()
                compared = await prove(made, shoppers, f"seed {seed}, fault {number}: {name}")
                gate.open()
        finally:
            counts: Counter[str] = sum((shopper.counts for shopper in shoppers), Counter())
            faults_report.kills(took, counts)
    assert counts["commands acknowledged"] > faults
    assert compared > 0


async def prove(made: Plant, shoppers: list[Shopper], when: str) -> int:
    """All that must hold, now that nothing is under way; how many orders were compared."""
    for daemon in made.daemons.values():
        await asyncio.to_thread(daemon.ready)
    try:
        with made.database.connect() as owner:
            compared = nothing_lost_nothing_doubled(owner, shoppers)
        await asyncio.to_thread(books_agree, made)
        await views_agree(made)
    except AssertionError as error:
        raise AssertionError(f"{when}: {error}") from error
    return compared
