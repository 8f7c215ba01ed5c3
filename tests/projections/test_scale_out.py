"""What scales out exists: a streaming replica for the query API, a Redis Cluster, several API workers."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from pydantic import SecretStr
from redis import Redis
from redis.cluster import RedisCluster

from app.core.embedded.postgres import PostgresServer, pg_bin, start_postgres, stop_postgres
from app.core.embedded.system_user import give, run_as, server_user
from app.core.migrations import upgrade
from app.core.procedure_files import install
from app.core.redis_clients import AWAY
from app.main import create_app as create_both
from app.utils.view_keys import CATALOG_KEYS, ORDERS_KEYS
from projections.books import Connection, connect
from projections.registry import PROJECTIONS
from projections.verify import verify, verify_redis
from query_api.main import create_app
from tests.support.api import serving
from tests.support.builders import one
from tests.support.cli import environment_for, kirana
from tests.support.cluster import Cluster, run_dir
from tests.support.databases import Database, settings_for
from tests.support.projecting import after, projecting, reached
from tests.support.redis_cluster import started_cluster
from tests.support.shop import Shop

PATIENCE_SECONDS = 30


@pytest.fixture
def primary(redis: Redis, redis_server: Any) -> Iterator[Database]:
    """A cluster of its own that may stream (the run's own has no WAL senders), migrated, with the procedures."""
    server = start_postgres(run_dir() / "primary", durable=True)
    with psycopg.connect(server.dsn(), autocommit=True) as owner:
        upgrade("postgresql+psycopg" + server.dsn().removeprefix("postgresql"))
        install(owner)
    yield Database("kirana", Cluster(server), settings_for(Cluster(server), "kirana", redis_server.url))
    stop_postgres(server.pgdata, fast=True)


def stream_from(server: PostgresServer, folder: Path) -> PostgresServer:
    """A streaming replica, made by pg_basebackup and started."""
    user = server_user()
    folder.mkdir(mode=0o700)
    give(folder, user)
    backup = [str(pg_bin("pg_basebackup")), "-h", str(server.socket_dir), "-p", str(server.port), "-U", "postgres"]
    subprocess.run(
        [*backup, "-D", str(folder), "-R", "-X", "stream", "--checkpoint=fast", "--no-sync"],
        check=True,
        cwd="/",
        capture_output=True,
        **run_as(user),
    )
    (folder / ".s.PGSQL.5432.lock").unlink()  # the primary keeps its socket in its data folder, and so its lock file
    return start_postgres(folder, durable=True)


async def test_the_query_api_reads_from_a_streaming_replica(primary: Database) -> None:
    replica = stream_from(primary.cluster.server, run_dir() / "replica")
    try:
        on_replica = f"postgresql://kirana_query@/kirana?host={quote(str(replica.socket_dir), safe='')}"
        settings = primary.settings.model_copy(
            update={
                "query_primary_database_url": primary.settings.query_database_url,
                "query_database_url": SecretStr(on_replica),
            }
        )
        with primary.connect("owner") as owner, psycopg.connect(on_replica, autocommit=True) as reader:
            assert reader.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
            async with projecting(primary), serving(create_app(settings)) as client:
                shop = Shop(primary, owner, client)
                for turn in range(5):
                    shop.add(f"Kite {turn}")
                    given = after(shop.position)
                    response = await client.get("/v1/products?sort=newest", headers=given)
                    assert "x-stale" not in response.headers, "the token is judged where the rows are read"
                    assert response.json()["total"] == turn + 1
                assert (await shop.get("/v1/products/kite-3"))["title"] == "Kite 3"
                await what_is_no_view_comes_from_the_primary(shop, reader)
    finally:
        stop_postgres(replica.pgdata, fast=True)


async def what_is_no_view_comes_from_the_primary(shop: Shop, reader: psycopg.Connection[Any]) -> None:
    """With the replica's replay paused, a cart is still as it is now, and a token says that the views are not."""
    from tests.support.api import bearer
    from tests.support.builders import call, make_user

    user = make_user(shop.owner)
    headers = bearer(shop.database.settings, user)
    admin = reader.info.dsn.replace("kirana_query", "postgres")
    with psycopg.connect(admin, autocommit=True) as replica:
        replica.execute("SELECT pg_wal_replay_pause()")
        call(shop.owner, "add_to_cart", p_user_id=user, p_guest_token_hash=None, p_sku="KITE-1", p_quantity=2)
        assert (await shop.get("/v1/cart", **headers))["items"][0]["quantity"] == 2
        shop.add("Kite late")
        await shop.sync()
        given = {"X-Consistency-Token": str(shop.position), "Prefer": "wait=100"}
        response = await shop.client.get("/v1/products", headers=given)
        assert response.headers["x-stale"] == "true"
        replica.execute("SELECT pg_wal_replay_resume()")
        given = after(shop.position)
        assert (await shop.client.get("/v1/products", headers=given)).json()["total"] == 6


@pytest.fixture
def redis_cluster() -> Iterator[list[int]]:
    """Three real nodes of a Redis Cluster; their ports."""
    with started_cluster() as ports:
        yield ports


async def test_the_views_in_a_redis_cluster(
    database: Database, owner: psycopg.Connection[Any], redis_cluster: list[int]
) -> None:
    url = f"redis+cluster://127.0.0.1:{redis_cluster[0]}"
    # No page is kept: what is planted in Redis is to be seen.
    changed = database.settings.model_copy(update={"redis_url": SecretStr(url), "hot_pages_mib": 0})
    mine = Database(database.name, database.cluster, changed)
    with RedisCluster(host="127.0.0.1", port=redis_cluster[0]) as cluster:
        async with projecting(mine), serving(create_app(mine.settings)) as client:
            shop = Shop(mine, owner, client)
            for number in range(60):
                shop.add(f"Toy {number}")
            await shop.sync()
            async with await connect(mine.dsn("projector"), "test") as connection:
                end = time.monotonic() + PATIENCE_SECONDS
                while not await mirrored(connection, url):
                    assert time.monotonic() < end
                    await asyncio.sleep(0.1)
                assert cluster.get(ORDERS_KEYS.live) is not None
                sizes = [Redis(port=port).dbsize() for port in redis_cluster]
                assert min(sizes) >= 5, f"the rows are spread over the nodes: {sizes}"
                generation = cluster.get(CATALOG_KEYS.live).decode()
                cluster.hset(CATALOG_KEYS.row(generation, "toy-7"), "b", b'{"title":"from the cluster"}')
                await asyncio.sleep(1.0)
                assert (await shop.get("/v1/products/toy-7"))["title"] == "from the cluster"
                cluster.flushall(target_nodes="primaries")
                assert (await shop.get("/v1/products/toy-7"))["title"] == "Toy 7"
                end = time.monotonic() + PATIENCE_SECONDS
                while not await mirrored(connection, url):
                    assert time.monotonic() < end
                    await asyncio.sleep(0.1)
                assert cluster.get(CATALOG_KEYS.live).decode() != generation


async def mirrored(connection: Connection, url: str) -> bool:
    """Whether the cluster holds the catalog; a machine that stands still for seconds is no answer yet."""
    try:
        return await verify_redis(connection, PROJECTIONS["catalog"], url) == []
    except AWAY:
        return False


async def test_a_cluster_that_is_gone_fails_nobody(database: Database, owner: psycopg.Connection[Any]) -> None:
    """Its client says so by an error that is no RedisError; APIs that run, and one that starts now, do without it."""
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(started_cluster())
        redis_url = SecretStr(f"redis+cluster://127.0.0.1:{ports[0]}")
        changed = database.settings.model_copy(update={"redis_url": redis_url})
        mine = Database(database.name, database.cluster, changed)
        async with projecting(mine), serving(create_app(mine.settings)) as client:
            shop = Shop(mine, owner, client)
            shop.add("Kite")
            await shop.sync()
            assert (await shop.get("/v1/products/kite"))["title"] == "Kite"
            stack.close()
            shop.add("Ball")
            await shop.sync()
            assert (await shop.get("/v1/products/ball"))["title"] == "Ball"
            async with serving(create_both(mine.settings)) as late:
                assert (await late.get("/v1/products/kite")).status_code == 200
                asked = await late.post("/v1/auth/otp", json={"phone": "+919876543210"})
                assert asked.status_code == 202, asked.text
    done = kirana("doctor", environment=environment_for(mine))
    assert "Redis, answers" in done.stdout
    assert "Traceback" not in done.stderr


async def test_several_projectors_and_api_workers(
    database: Database, owner: psycopg.Connection[Any], redis: Redis
) -> None:
    """Four shards over three projectors, two API workers: any worker honours any token."""
    owner.execute("UPDATE read.projections SET shards = 4 WHERE name = 'catalog'")
    async with (
        projecting(database, [0, 1]),
        projecting(database, [2]),
        projecting(database),
        serving(create_app(database.settings)) as first,
        serving(create_app(database.settings)) as second,
    ):
        shop = Shop(database, owner, first)
        for number in range(20):
            shop.add(f"Toy {number}")
            given = after(shop.position)
            worker = (first, second)[number % 2]
            response = await worker.get("/v1/products?facets=true", headers=given)
            assert "x-stale" not in response.headers
            assert response.json()["total"] == number + 1
        await reached(database, shop.position)
        assert one(owner, "SELECT count(*) FROM read.projection_checkpoints WHERE projection = 'catalog'") == 4
        async with await connect(database.dsn("projector"), "test") as connection:
            assert (await verify(connection, PROJECTIONS["catalog"])).clean
