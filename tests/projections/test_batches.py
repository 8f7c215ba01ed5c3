"""A batch as PostgreSQL sees it: small ones by plans that are kept, each of them kept whole or not at all."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from projections import apply as applying
from projections import worker as working
from projections.apply import FEW_KEYS, Batch, Target, apply
from projections.books import Connection, LostLead, checkpoint, connect, keep_plans, live_version, plan_anew
from projections.registry import PROJECTIONS
from tests.bench.shop import make_past_orders
from tests.support.builders import make_product, one, rows
from tests.support.databases import Database
from tests.support.many import make_many
from tests.support.projecting import announce, projecting, reached

Owner = psycopg.Connection[Any]

MANY = 3000
SIZES = (1, 3, 10, 50, FEW_KEYS)
MOST_ROWS_A_KEY = 8  # that the look-ups of one table read for one row of a view
GROWN = ["product_variants", "inventory", "order_items"]
READ = (
    "SELECT relname, seq_tup_read, idx_tup_fetch FROM pg_stat_user_tables WHERE schemaname = 'store'"
    " AND relname = ANY(%s) AND seq_tup_read + idx_tup_fetch > %s ORDER BY 1"
)
PLANS = (
    "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
    " WHERE statement LIKE 'INSERT INTO read.' || %s || '%%'"
)


class Shard:
    """The first shard of a projection, on a session like a worker's."""

    def __init__(self, connection: Connection, target: Target, position: int) -> None:
        self.connection, self.target, self.position = connection, target, position

    async def apply(self, keys: list[UUID]) -> int:
        """A batch of these keys; how many rows changed."""
        batch = Batch(self.position, self.position + 1, set(keys))
        changed = await apply(self.connection, self.target, batch)
        self.position += 1
        return changed

    async def plans(self) -> list[tuple[int, int]]:
        """How often the kept plan of the upsert was used, and how often one was made for the values."""
        cursor = await self.connection.execute(PLANS, (self.target.projection.name,))
        return await cursor.fetchall()


async def shard_of(connection: Connection, name: str) -> Shard:
    projection = PROJECTIONS[name]
    live = await live_version(connection, projection)
    return Shard(connection, Target(projection, live, 0), await checkpoint(connection, projection, 0, live.version))


@pytest.fixture
async def session(database: Database) -> AsyncIterator[Connection]:
    """A session like a shard's worker has."""
    async with await connect(database.dsn("projector"), "test") as opened:
        await keep_plans(opened)
        yield opened


def keys_of(owner: Owner, table: str, count: int) -> list[UUID]:
    return [key for (key,) in rows(owner, f"SELECT id FROM store.{table} ORDER BY md5(id::text) LIMIT %s", count)]


def forget_what_was_read(owner: Owner) -> None:
    """Count rows from here on; what a session read before may be counted later, unless it is made to tell."""
    owner.execute("SELECT pg_stat_force_next_flush()")
    owner.execute("SELECT pg_stat_reset()")


async def test_plans_made_for_a_young_store_are_good_after_its_import(session: Connection, owner: Owner) -> None:
    """A session keeps its plans, so those that saw next to empty tables must be made again, whoever analyses them."""
    make_product(owner)
    owner.execute("ANALYZE")
    shards = {"products": await shard_of(session, "catalog"), "orders": await shard_of(session, "orders")}
    for shard in shards.values():
        for _ in range(3):
            await shard.apply([uuid4()])
        assert await shard.plans() == [(3, 0)]
    make_many(owner, MANY, analyze=False)  # which would have all plans made again
    make_past_orders(owner, MANY)
    await plan_anew(session)
    for table, shard in shards.items():
        forget_what_was_read(owner)
        for size in SIZES:
            assert await shard.apply(keys_of(owner, table, size)) > 0
        await session.execute("SELECT pg_stat_force_next_flush()")
        await session.execute("SELECT 1")
        assert await shard.plans() == [(3 + len(SIZES), 0)], "planned once a connection"
        assert rows(owner, READ, GROWN, MOST_ROWS_A_KEY * sum(SIZES)) == []


async def test_a_projector_makes_its_plans_again_as_the_store_grows(
    database: Database, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "PLANS_SECONDS", 0.1)
    made = make_product(owner)
    owner.execute("ANALYZE")
    async with projecting(database):
        await reached(database, announce(owner, made.product_id))
        make_many(owner, MANY, analyze=False)
        await asyncio.sleep(0.1)
        forget_what_was_read(owner)
        for key in keys_of(owner, "products", 20):
            await reached(database, announce(owner, key))
    assert rows(owner, READ, GROWN, 2 * MANY) == [], "a plan that reads a table for each batch read it twenty times"


async def test_a_large_batch_is_planned_for_itself_and_leaves_no_plan_behind(session: Connection, owner: Owner) -> None:
    shard = await shard_of(session, "catalog")
    make_many(owner, MANY)
    assert await shard.apply(keys_of(owner, "products", FEW_KEYS + 1)) == FEW_KEYS + 1
    assert await shard.plans() == []
    cursor = await session.execute("SHOW plan_cache_mode")
    assert await cursor.fetchall() == [("force_generic_plan",)]
    assert await shard.apply([uuid4()]) == 0
    assert await shard.plans() == [(1, 0)]


async def test_who_lost_the_lead_keeps_nothing_of_a_batch(session: Connection, owner: Owner) -> None:
    made = make_product(owner)
    shard = await shard_of(session, "catalog")
    owner.execute("UPDATE read.projection_checkpoints SET position = 7 WHERE projection = 'catalog'")
    with pytest.raises(LostLead):
        await shard.apply([made.product_id])
    assert rows(owner, "SELECT * FROM read.catalog") == []
    shard.position = 7
    assert await shard.apply([made.product_id]) == 1, "the session goes on"


@pytest.mark.parametrize("bad", [0, 3, 6])
async def test_a_batch_of_several_statements_fails_as_one(
    bad: int, session: Connection, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "CHUNK_KEYS", 2)
    made = sorted(make_product(owner, f"SKU-{n}").product_id for n in range(7))
    owner.execute(f"ALTER TABLE read.catalog_v1 ADD CONSTRAINT refuses CHECK (product_id <> '{made[bad]}')")
    shard = await shard_of(session, "catalog")
    for _ in range(2):
        with pytest.raises(psycopg.errors.CheckViolation):
            await shard.apply(made)
        assert rows(owner, "SELECT * FROM read.catalog") == []
        assert session.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert await shard.apply([key for key in made if key != made[bad]]) == 6
    assert one(owner, "SELECT position FROM read.projection_checkpoints WHERE projection = 'catalog'") == 1


async def test_a_poison_row_of_a_large_batch_is_parked(
    database: Database, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "CHUNK_KEYS", 2)
    monkeypatch.setattr(applying, "FEW_KEYS", 3)
    made = [make_product(owner, f"SKU-{n}").product_id for n in range(7)]
    owner.execute(f"ALTER TABLE read.catalog_v1 ADD CONSTRAINT refuses CHECK (product_id <> '{made[4]}')")
    with owner.transaction():
        for key in made:
            last = announce(owner, key)
    async with projecting(database):
        await reached(database, last)
    assert rows(owner, "SELECT view_key FROM read.dead_letters") == [(made[4],)]
    assert one(owner, "SELECT count(*) FROM read.catalog") == 6


async def test_more_rows_to_repair_than_a_batch_takes(
    database: Database, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "PENDING_KEYS", 3)
    make_many(owner, 10)
    owner.execute("INSERT INTO read.pending_keys SELECT 'catalog', id, 'repair' FROM store.products")
    async with projecting(database):
        await reached(database, announce(owner, uuid4()), "catalog")
        for _ in range(400):
            if one(owner, "SELECT count(*) FROM read.pending_keys") == 0:
                break
            await asyncio.sleep(0.02)
    assert one(owner, "SELECT count(*) FROM read.catalog") == 10
