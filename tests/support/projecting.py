"""For tests of the read side: a projector beside the test, events without procedures, and waiting for the views."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson
import psycopg

from projections.runner import Projector, running
from tests.support.databases import Database

PATIENCE_SECONDS = 20.0

TOPICS = {"product": "catalog", "category": "catalog", "brand": "catalog", "warehouse": "catalog", "order": "orders"}


def announce(
    connection: psycopg.Connection[Any], view_key: UUID, aggregate: str = "product", count: int = 1, kind: str = "saved"
) -> int:
    """Append events as a procedure would; the last position."""
    row = connection.execute(
        "WITH added AS ("
        "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type)"
        " SELECT %s, %s, %s, %s, 1, %s FROM generate_series(1, %s) RETURNING position) SELECT max(position) FROM added",
        (TOPICS[aggregate], view_key, aggregate, view_key, f"{aggregate}.{kind}", count),
    ).fetchone()
    assert row is not None
    position: int = row[0]
    return position


def after(position: int | str) -> dict[str, str]:
    """Headers of a GET that waits, as long as it may, for a view that is past the position."""
    return {"X-Consistency-Token": str(position), "Prefer": "wait=2000"}


async def reached(database: Database, position: int, *projections: str) -> None:
    """Wait until the projections (both, unless named) are past the position."""
    wanted = projections or ("catalog", "orders")
    async with await database.aconnect("projector") as connection:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            cursor = await connection.execute(
                "SELECT p.name FROM read.projections p LEFT JOIN read.projection_checkpoints c ON c.projection = p.name"
                " WHERE p.name = ANY(%s) GROUP BY p.name, p.shards"
                " HAVING count(*) FILTER (WHERE c.position >= %s) < p.shards",
                (list(wanted), position),
            )
            if not await cursor.fetchall():
                return
            await asyncio.sleep(0.005)
    raise AssertionError(f"{wanted} did not reach position {position}")


@asynccontextmanager
async def projecting(database: Database, shards: list[int] | None = None) -> AsyncIterator[Projector]:
    """A projector on this database while the block runs."""
    async with running(database.settings, shards, (0.05, 0.1)) as projector:
        yield projector


def document(value: bytes | memoryview | None) -> Any:
    """A stored document as Python values."""
    return None if value is None else orjson.loads(bytes(value))
