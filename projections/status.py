"""How far each projection is, as rows for people and as metrics."""

from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from uuid import UUID

from projections.books import Connection, leader_of
from projections.registry import PROJECTIONS

_LAG = """
SELECT c.projection, c.shard, c.generation, c.position, c.updated_at, head.position - c.position AS behind,
       COALESCE(extract(epoch FROM clock_timestamp() - oldest.created_at), 0)::float AS seconds
FROM read.projection_checkpoints c
CROSS JOIN (SELECT COALESCE(max(position), 0) AS position FROM store.outbox) AS head
LEFT JOIN LATERAL (
    SELECT o.created_at FROM store.outbox o WHERE o.position > c.position ORDER BY o.position LIMIT 1
) AS oldest ON true
ORDER BY c.projection, c.shard
"""


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """One shard: where it is, how far behind in positions and seconds, and who leads it."""

    projection: str
    shard: int
    version: int
    position: int
    updated_at: datetime
    behind: int
    seconds: float
    leader: str | None


@dataclass(frozen=True, slots=True)
class Parked:
    """A view row that could not be computed."""

    projection: str
    view_key: UUID
    sqlstate: str
    error: str
    attempts: int
    last_at: datetime


async def parked(connection: Connection, limit: int = 20) -> list[Parked]:
    """The newest dead letters."""
    cursor = await connection.execute(
        "SELECT projection, view_key, sqlstate, split_part(error, E'\\n', 1), attempts, last_at FROM read.dead_letters"
        " ORDER BY last_at DESC LIMIT %s",
        (limit,),
    )
    return [Parked(*row) for row in await cursor.fetchall()]


async def building(connection: Connection) -> list[str]:
    """Versions under way: who builds them, or that nobody does any more."""
    cursor = await connection.execute(
        "SELECT projection, version, phase FROM read.projection_versions WHERE state = 'building' ORDER BY 1, 2"
    )
    lines = []
    for name, version, phase in await cursor.fetchall():
        holder = await leader_of(connection, f"rebuild {name}")
        by = f"by {holder}" if holder else "left by a rebuild that ended; the next one clears it up"
        lines.append(f"{name}: version {version} is being built ({phase}), {by}")
    return lines


async def shards_of(connection: Connection) -> dict[str, int]:
    """How many shards each registered projection works in."""
    cursor = await connection.execute("SELECT name, shards FROM read.projections")
    return {name: shards for name, shards in await cursor.fetchall() if name in PROJECTIONS}


async def shard_states(connection: Connection) -> list[ShardStatus]:
    """Every shard that has a checkpoint."""
    cursor = await connection.execute(_LAG)
    found = await cursor.fetchall()
    return [
        ShardStatus(name, shard, version, position, at, behind, seconds, await leader_of(connection, name, shard))
        for name, shard, version, position, at, behind, seconds in found
    ]


async def watch_lag(connection: Connection, metrics: ModuleType) -> None:
    """Set the lag metrics."""
    cursor = await connection.execute(_LAG)
    for projection, shard, _, position, _, behind, seconds in await cursor.fetchall():
        metrics.POSITION.labels(projection, shard).set(position)
        metrics.LAG_POSITIONS.labels(projection, shard).set(behind)
        metrics.LAG_SECONDS.labels(projection, shard).set(seconds)
    cursor = await connection.execute(
        "SELECT p.name, count(d.view_key) FROM read.projections p"
        " LEFT JOIN read.dead_letters d ON d.projection = p.name GROUP BY p.name"
    )
    for projection, count in await cursor.fetchall():
        metrics.DEAD_LETTERS.labels(projection).set(count)
