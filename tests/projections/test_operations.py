"""The command line of the projections: what operators see, and what their commands do."""

import asyncio
import signal
import subprocess
import sys
from typing import Any

import psycopg
import pytest
from redis import Redis

from app.core.paths import ROOT
from projections.books import connect, reshard
from projections.partitions import PARTITION_ROWS, partitions, prune
from projections.rebuild import rebuild, rollback
from projections.registry import PROJECTIONS
from projections.verify import verify
from tests.support.builders import make_product, one, rows
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database
from tests.support.projecting import announce, projecting, reached

Connection = psycopg.Connection[Any]


@pytest.fixture(autouse=True)
def _empty_redis(redis: Redis) -> None:
    """Each database of its own has a Redis of its own."""


def test_the_life_of_a_view_on_the_command_line(database: Database, owner: Connection) -> None:
    """run, list, status, rebuild, verify, repair, rollback, as an operator types them."""
    environment = environment_for(database)

    def run(*arguments: str, fails: bool = False) -> str:
        done = kirana("projections", *arguments, environment=environment)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "nobody" not in run("status")
    projector = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "projections", "run"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(3):
            position = announce(owner, make_product(owner).product_id)
        asyncio.run(reached(database, position))
        listed = run("list")
        assert "catalog" in listed
        assert "current" in listed
        assert "kirana-projector catalog/0" in run("status")
        assert "version 2 is live (3 rows" in run("rebuild", "catalog")
        assert "3 rows, 0 drifted" in run("verify", "catalog")
        owner.execute("UPDATE read.catalog_v2 SET price = 1 WHERE slug = (SELECT min(slug) FROM read.catalog)")
        assert "1 drifted" in run("verify", "catalog", fails=True)
        assert "1 rows repaired" in run("repair", "catalog")
        assert "0 drifted" in run("verify", "catalog")
        assert "version 1 is live" in run("rollback", "catalog")
        assert "there is no projection prices" in run("rebuild", "prices", fails=True)
    finally:
        projector.send_signal(signal.SIGTERM)
        assert projector.wait(timeout=20) == 0, "a graceful stop"
    announce(owner, make_product(owner).product_id)
    assert "is a projector running" in run("verify", "catalog", fails=True)


async def test_the_outbox_is_cut_where_every_checkpoint_is(database: Database, owner: Connection) -> None:
    async with projecting(database):
        await reached(database, announce(owner, make_product(owner).product_id))
        await rebuild(database.dsn("projector"), PROJECTIONS["catalog"])
        assert prune(owner) == prune(owner, dry_run=True), "nothing to do"
        owner.execute(f"ALTER SEQUENCE store.outbox_position_seq RESTART {PARTITION_ROWS + 5}")
        await reached(database, announce(owner, make_product(owner).product_id))
        planned = prune(owner, dry_run=True)
        assert planned.dropped == ["outbox_p00000"]
        assert len(partitions(owner)) == 4
        done = prune(owner)
        assert done == planned
        assert done.without_rollback == ["catalog"]
        with pytest.raises(LookupError, match="no version"):
            await rollback(database.dsn("projector"), PROJECTIONS["catalog"])
        owner.execute(f"ALTER SEQUENCE store.outbox_position_seq RESTART {3 * PARTITION_ROWS}")
        await reached(database, announce(owner, make_product(owner).product_id))
        assert prune(owner).made == ["outbox_p00004"]
        assert one(owner, "SELECT count(*) FROM store.outbox_p_default") == 0
        await rebuild(database.dsn("projector"), PROJECTIONS["catalog"])
        async with await connect(database.dsn("projector"), "test") as connection:
            assert (await verify(connection, PROJECTIONS["catalog"])).clean


def test_nothing_is_cut_before_a_projection_began(database: Database, owner: Connection) -> None:
    owner.execute(f"ALTER SEQUENCE store.outbox_position_seq RESTART {PARTITION_ROWS + 5}")
    announce(owner, make_product(owner).product_id)
    assert prune(owner).dropped == []


async def test_the_work_is_shared_otherwise_while_it_goes_on(database: Database, owner: Connection) -> None:
    catalog = PROJECTIONS["catalog"]
    async with projecting(database), await connect(database.dsn("projector"), "test") as connection:
        made = [make_product(owner) for _ in range(30)]
        for shards in (3, 1, 5, 2):
            for product in made:
                announce(owner, product.product_id)
            await reshard(connection, catalog, shards)
            owner.execute("UPDATE store.product_variants SET price = price + 100, mrp = mrp + 100")
            for product in made:
                last = announce(owner, product.product_id)
            await reached(database, last)
            checkpoints = one(owner, "SELECT count(*) FROM read.projection_checkpoints WHERE projection = 'catalog'")
            assert checkpoints == shards
            assert (await verify(connection, catalog)).clean


async def test_another_releases_shape_waits_for_a_rebuild(database: Database, owner: Connection) -> None:
    """A projector of new code leaves old tables alone, and goes on by itself once they are rebuilt."""
    owner.execute("UPDATE read.projection_versions SET shape = 'older' WHERE projection = 'catalog'")
    async with projecting(database):
        position = announce(owner, make_product(owner).product_id)
        await reached(database, position, "orders")
        assert rows(owner, "SELECT * FROM read.catalog_v1") == []
        done = await rebuild(database.dsn("projector"), PROJECTIONS["catalog"])
        assert done.differences.rows is None
        await reached(database, announce(owner, make_product(owner).product_id))
    assert one(owner, "SELECT count(*) FROM read.catalog") == 2


async def test_status_tells_the_lag(database: Database, owner: Connection) -> None:
    async with projecting(database):
        await reached(database, announce(owner, make_product(owner).product_id))
    announce(owner, make_product(owner).product_id, count=7)
    owner.execute(
        "INSERT INTO read.dead_letters (projection, view_key, position, sqlstate, error)"
        " VALUES ('catalog', '00000000-0000-0000-0000-000000000001', 1, '23514', E'no\nnot at all')"
    )
    owner.execute(
        "INSERT INTO read.projection_versions (projection, version, state, phase, shape)"
        " VALUES ('catalog', 9, 'building', 'fill', '')"
    )
    said = kirana("projections", "status", environment=environment_for(database)).stdout
    assert "dead letter: catalog 00000000-0000-0000-0000-000000000001: 23514 no" in said
    assert "version 9 is being built (fill), left by a rebuild that ended" in said
    line = next(line for line in said.splitlines() if "catalog" in line)
    assert " 7 " in line
    assert "nobody" in line
