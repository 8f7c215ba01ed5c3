"""What the benchmarks stand on: servers of their own, with fsync as in production, and stores of a size."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from app.core.embedded.postgres import start_postgres, stop_postgres
from app.core.embedded.redis import start_redis, stop_redis
from projections.books import connect
from projections.navigation.documents import REFRESH_TOKEN_COUNTS, REFRESH_WORDS
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from tests.bench.catching_up import caught_up
from tests.bench.shop import stock_the_shop
from tests.support.cluster import INSTALLED, RUN_DIR_VARIABLE, Cluster, make_templates
from tests.support.databases import Database, settings_for
from tests.support.projecting import projecting

console = Console()
QUIET = {"access_log": False, "command_rate_limit": 0}  # the references write no log, and count no callers


@dataclass(frozen=True)
class Ground:
    """The servers, and a folder for scripts."""

    cluster: Cluster
    redis_url: str
    folder: Path

    def database(self, name: str, redis_database: int, *, products: int, carts: int, orders: int = 0) -> Database:
        """A store of this size, its views built; made once a run."""
        self.cluster.create_database(name, INSTALLED)
        settings = settings_for(self.cluster, name, f"{self.redis_url}?db={redis_database}", **QUIET)
        made = Database(name, self.cluster, settings)
        with made.connect() as owner:
            console.print(f"  {name}: {products:,} products, {carts:,} carts, {orders:,} orders …")
            stock_the_shop(owner, products, carts, orders)
        asyncio.run(build_views(made))
        return made


async def build_views(database: Database) -> None:
    """Build both views, wait until their copies in Redis are there, and count what search and facets go by."""
    for projection in PROJECTIONS.values():
        await rebuild(database.dsn("projector"), projection)
    async with projecting(database):
        await caught_up(database, 600)
    async with await connect(database.dsn("projector"), "bench") as connection:
        for refresh in (REFRESH_WORDS, REFRESH_TOKEN_COUNTS):
            await connection.execute(refresh)


@contextmanager
def ground() -> Iterator[Ground]:
    """Start the servers, and end them."""
    with tempfile.TemporaryDirectory(prefix="kirana-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server may run as a user of its own
        os.environ[RUN_DIR_VARIABLE] = name
        server = start_postgres(folder / "postgres", durable=True)
        redis = start_redis(folder / "redis")
        try:
            cluster = Cluster(server)
            make_templates(cluster)
            yield Ground(cluster, redis.url, folder)
        finally:
            stop_redis(folder / "redis")
            stop_postgres(folder / "postgres", fast=True)
