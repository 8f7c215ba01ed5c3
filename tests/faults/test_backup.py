"""A backup is good when it was restored: figures, books, procedures, and a read side that notices an older store."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis

from app.core.embedded.postgres import start_postgres, stop_postgres
from app.core.embedded.redis import RedisServer
from app.core.migrations import upgrade
from app.core.procedure_files import install
from app.utils.view_keys import ORDERS_KEYS
from projections.books import connect
from projections.registry import PROJECTIONS
from projections.verify import verify_redis
from query_api.main import create_app
from tests.support.api import bearer, serving
from tests.support.books import assert_books_balance
from tests.support.builders import make_order, make_product, one
from tests.support.cli import environment_for, kirana
from tests.support.cluster import Cluster, run_dir
from tests.support.databases import Database, settings_for
from tests.support.fault_report import Report
from tests.support.paying import paid_order
from tests.support.projecting import projecting, reached

PATIENCE_SECONDS = 20.0


@contextmanager
def another_database(cluster: Cluster, redis_server: RedisServer, name: str) -> Iterator[Database]:
    """An empty database to restore into."""
    with cluster.admin() as admin:
        admin.execute(f"CREATE DATABASE {name}")
    try:
        yield Database(name, cluster, settings_for(cluster, name, redis_server.url))
    finally:
        cluster.drop_database(name)


def backed_up(database: Database, folder: Path) -> None:
    """``kirana backup create`` and ``verify``."""
    for command in ("create", "verify"):
        done = kirana("backup", command, str(folder), environment=environment_for(database))
        assert done.returncode == 0, done.stderr


def restored(database: Database, folder: Path) -> None:
    done = kirana("backup", "restore", str(folder), environment=environment_for(database))
    assert done.returncode == 0, done.stderr
    assert "the books balance" in done.stdout


def test_a_backup_restores_to_the_same_store(
    database: Database,
    owner: psycopg.Connection[Any],
    cluster: Cluster,
    redis_server: RedisServer,
    tmp_path: Path,
    faults_report: Report,
) -> None:
    kept = paid_order(owner)
    backed_up(database, tmp_path / "monday")
    paid_order(owner)  # after the backup
    with another_database(cluster, redis_server, f"{database.name}_back") as back:
        restored(back, tmp_path / "monday")
        with back.connect() as connection:
            assert one(connection, "SELECT array_agg(id::text) FROM store.orders") == [kept["id"]]
            assert_books_balance(connection)
            paid_order(connection)  # procedures, roles and grants came along
        done = kirana("backup", "restore", str(tmp_path / "monday"), environment=environment_for(back))
        assert done.returncode == 1
        assert "is not empty" in done.stderr
        assert kirana("procedures", "diff", environment=environment_for(back)).returncode == 0
    faults_report.add("backup, restored and audited", 1, 0)


def test_a_damaged_backup_is_told_and_not_restored(
    database: Database, owner: psycopg.Connection[Any], tmp_path: Path
) -> None:
    paid_order(owner)
    folder = tmp_path / "monday"
    backed_up(database, folder)
    victim = max((folder / "dump").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    for command in ("verify", "restore"):
        done = kirana("backup", command, str(folder), environment=environment_for(database))
        assert done.returncode == 1
        assert victim.name in done.stderr
        assert "Traceback" not in done.stderr
    missing = kirana("backup", "verify", str(tmp_path / "tuesday"), environment=environment_for(database))
    assert missing.returncode != 0
    again = kirana("backup", "create", str(folder), environment=environment_for(database))
    assert again.returncode == 1
    assert "exists already" in again.stderr


async def redis_agrees(database: Database) -> None:
    """Wait until Redis holds what this database's order view holds."""
    async with await connect(database.dsn("projector"), "test") as connection:
        end = time.monotonic() + PATIENCE_SECONDS
        while await verify_redis(connection, PROJECTIONS["orders"], database.settings.redis_dsn()) != []:
            assert time.monotonic() < end, "Redis does not follow the restored store"
            await asyncio.sleep(0.1)


async def test_the_read_side_notices_that_an_older_store_came_back(
    database: Database,
    owner: psycopg.Connection[Any],
    cluster: Cluster,
    redis_server: RedisServer,
    redis: Redis,
    tmp_path: Path,
) -> None:
    """Even when nobody told Redis, and when the restored store has meanwhile written more than the lost one had."""
    toy = make_product(owner, stock=500)
    make_order(owner, (toy, 1))
    backed_up(database, tmp_path / "monday")
    lost = make_order(owner, (toy, 1))
    async with projecting(database):
        await reached(database, one(owner, "SELECT max(position) FROM store.outbox"))
        await redis_agrees(database)
    copied = redis.get(ORDERS_KEYS.live)
    assert copied is not None
    with another_database(cluster, redis_server, f"{database.name}_back") as back:
        restored(back, tmp_path / "monday")
        redis.set(ORDERS_KEYS.live, copied)  # as if the restore had not reached Redis
        with back.connect() as connection:
            for _ in range(10):
                made = make_order(connection, (toy, 1))
            async with projecting(back):
                await reached(back, one(connection, "SELECT max(position) FROM store.outbox"))
                await redis_agrees(back)
                async with serving(create_app(back.settings)) as client:
                    for order, status in ((made, 200), (lost, 404)):
                        headers = bearer(back.settings, order["user_id"])
                        found = await client.get(f"/v1/orders/{order['id']}", headers=headers)
                        assert found.status_code == status, found.text
    assert redis.get(ORDERS_KEYS.live) != copied


@pytest.fixture
def archiving(redis_server: RedisServer) -> Iterator[tuple[Database, Path]]:
    """A durable cluster that archives its write-ahead log, and where it does."""
    folder = run_dir() / "archiving"
    shutil.rmtree(folder, ignore_errors=True)
    archive = folder / "archive"
    archive.mkdir(parents=True)
    archive.chmod(0o777)
    folder.chmod(0o711)
    server = start_postgres(folder / "postgres")
    with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET archive_mode = on")
        admin.execute(f"ALTER SYSTEM SET archive_command = 'cp %p {archive}/%f'")
    stop_postgres(folder / "postgres")
    server = start_postgres(folder / "postgres")
    database = Database("kirana", Cluster(server), settings_for(Cluster(server), "kirana", redis_server.url))
    try:
        upgrade("postgresql+psycopg" + database.dsn().removeprefix("postgresql"))
        with database.connect() as owner:
            install(owner)
        yield database, archive
    finally:
        for name in ("postgres", "restored"):
            stop_postgres(folder / name, fast=True)


@pytest.mark.slow
def test_a_restore_to_a_moment_between_two_orders(
    archiving: tuple[Database, Path], redis_server: RedisServer, tmp_path: Path, faults_report: Report
) -> None:
    """A bad afternoon is undone: all that was acknowledged before the moment is there, nothing after it."""
    database, archive = archiving
    with database.connect() as owner:
        before = [paid_order(owner)["id"]]
        done = kirana("backup", "create", "--physical", str(tmp_path / "base"), environment=environment_for(database))
        assert done.returncode == 0, done.stderr
        before.append(paid_order(owner)["id"])
        time.sleep(0.05)
        moment = datetime.now(UTC)
        time.sleep(0.05)
        paid_order(owner)
        last = one(owner, "SELECT pg_walfile_name(pg_switch_wal())")
        end = time.monotonic() + PATIENCE_SECONDS
        while not (archive / last).exists():
            assert time.monotonic() < end
            time.sleep(0.05)
    target = database.cluster.server.pgdata.with_name("restored")
    until = ["--wal-archive", str(archive), "--until", moment.strftime("%Y-%m-%dT%H:%M:%S.%f")]
    done = kirana("backup", "restore", str(tmp_path / "base"), "--to", str(target), *until)
    assert done.returncode == 0, done.stderr
    stop_postgres(database.cluster.server.pgdata)
    cluster = Cluster(start_postgres(target))
    back = Database("kirana", cluster, settings_for(cluster, "kirana", redis_server.url))
    with back.connect() as owner:
        end = time.monotonic() + PATIENCE_SECONDS
        while one(owner, "SELECT pg_is_in_recovery()"):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert sorted(one(owner, "SELECT array_agg(id::text) FROM store.orders")) == sorted(before)
        assert_books_balance(owner)
        paid_order(owner)
    faults_report.add("restore to a moment between two orders", 1, 0)
