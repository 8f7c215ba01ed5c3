"""The relay to Redis Streams: in order, at least once, through two relays, kills, an emptied Redis and an older one."""

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from pydantic import SecretStr
from redis import Redis
from redis import asyncio as async_redis
from redis.cluster import RedisCluster

from app.core.config import Settings
from app.core.database import command_pool
from app.core.paths import ROOT
from app.outbound.relay import Relay
from app.outbound.streams import Streams, StreamsAhead, StreamsLost, position_key, stream_key
from projections.books import shard_of
from tests.events.conftest import events, until
from tests.support.builders import one
from tests.support.databases import Database
from tests.support.processes import full_environment
from tests.support.redis_cluster import started_cluster

Connection = psycopg.Connection[Any]
SHARDS = 4


def entries(redis: Redis | RedisCluster, topic: str = "catalog") -> list[tuple[str, dict[str, Any]]]:
    """All entries of a topic's streams: id and event, stream by stream."""
    return [
        (entry.decode(), orjson.loads(fields[b"event"]))
        for shard in range(SHARDS)
        for entry, fields in redis.xrange(stream_key(topic, shard))  # type: ignore[union-attr]
    ]


def positions(redis: Redis | RedisCluster) -> list[int]:
    return sorted(event["position"] for _, event in entries(redis))


def row(position: int, key: UUID) -> dict[str, Any]:
    """An outbox row as the relay reads it."""
    return {
        "position": position,
        "topic": "catalog",
        "view_key": key,
        "aggregate_type": "product",
        "aggregate_id": key,
        "aggregate_version": position,
        "type": "product.saved",
        "payload": {"status": "active"},
        "created_at": "2026-11-23T07:00:00+00:00",
    }


@asynccontextmanager
async def relaying(settings: Settings, **more: Any) -> AsyncIterator[Relay]:
    """A relay beside the test."""
    stop = asyncio.Event()
    async with command_pool(settings) as pool:
        relay = Relay(settings, pool, **more)
        running = asyncio.create_task(relay.run(stop))
        try:
            yield relay
        finally:
            stop.set()
            await running


async def test_every_event_is_an_entry_under_its_position(settings: Settings, owner: Connection, redis: Redis) -> None:
    products = [uuid.uuid4() for _ in range(6)]
    async with relaying(settings, from_start=True):
        for product in products * 3:
            last = events(owner, product)
        await until(lambda: len(entries(redis)) == 18)
        await until(lambda: one(owner, "SELECT max(position) FROM store.event_relays") == last)
    for entry, event in entries(redis):
        assert entry == f"{event['position']}-0"
    for shard in range(SHARDS):
        found = [orjson.loads(fields[b"event"]) for _, fields in redis.xrange(stream_key("catalog", shard))]  # type: ignore[union-attr]
        assert [event["position"] for event in found] == sorted(event["position"] for event in found)
        assert {shard_of(UUID(event["subject"]), SHARDS) for event in found} <= {shard}
        assert redis.get(position_key("catalog", shard)) == str(last).encode()
    [(_, fields)] = redis.xrange(stream_key("catalog", shard_of(products[0], SHARDS)), count=1)  # type: ignore[misc]
    event = orjson.loads(fields[b"event"])
    assert fields[b"id"].decode() == event["id"]
    assert (fields[b"type"], int(fields[b"position"])) == (b"product.saved", event["position"])


async def test_it_begins_at_the_present_unless_told_otherwise(
    settings: Settings, owner: Connection, redis: Redis
) -> None:
    events(owner, uuid.uuid4(), 5)
    async with relaying(settings) as relay:
        await until(lambda: one(owner, "SELECT count(*) FROM store.event_relays") == 1)
        assert relay.leads
        last = events(owner, uuid.uuid4())
        await until(lambda: positions(redis) == [last])


async def test_one_leads_and_the_next_takes_over(settings: Settings, owner: Connection, redis: Redis) -> None:
    async with relaying(settings, from_start=True) as first:
        await until(lambda: first.leads)
        async with relaying(settings, from_start=True) as second:
            events(owner, uuid.uuid4())
            await until(lambda: len(entries(redis)) == 1)
            assert not second.leads
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kirana-relay'"
                " AND datname = current_database() AND EXISTS (SELECT FROM pg_locks l WHERE l.pid ="
                " pg_stat_activity.pid AND l.locktype = 'advisory')"
            )
            await until(lambda: second.leads)
            events(owner, uuid.uuid4())
            await until(lambda: len(entries(redis)) == 2)


async def test_an_emptied_redis_is_filled_again_from_the_kept_position(
    settings: Settings, owner: Connection, redis: Redis
) -> None:
    product = uuid.uuid4()
    async with relaying(settings, from_start=True):
        last = events(owner, product, 30)
        await until(lambda: one(owner, "SELECT max(position) FROM store.event_relays") == last)
        before = entries(redis)
        redis.flushall()
        newest = events(owner, product, 3)
        await until(lambda: bool(entries(redis)) and positions(redis)[-1] == newest)
        assert entries(redis)[:30] == before, "what a stream would have kept is there again, under the same ids"
        assert positions(redis) == list(range(last - 29, newest + 1))


async def test_after_a_flush_no_more_comes_back_than_a_stream_keeps(
    settings: Settings, owner: Connection, redis: Redis
) -> None:
    short = settings.model_copy(update={"relay_maxlen": 10})
    async with relaying(short, from_start=True):
        last = events(owner, uuid.uuid4(), 30)
        await until(lambda: one(owner, "SELECT max(position) FROM store.event_relays") == last)
        redis.flushall()
        await until(lambda: bool(entries(redis)))
        assert positions(redis) == list(range(last - 9, last + 1))


async def test_streams_are_cut(aredis: async_redis.Redis, redis: Redis) -> None:
    streams, key = Streams(aredis, SHARDS, maxlen=1000), uuid.uuid4()
    await streams.load()
    for begin in range(1, 5001, 500):
        await streams.append([row(position, key) for position in range(begin, begin + 500)], begin + 499)
    kept = redis.xlen(stream_key("catalog", shard_of(key, SHARDS)))
    assert 1000 <= kept < 1500, "roughly"  # type: ignore[operator]


async def test_two_relays_can_not_turn_entries_around(aredis: async_redis.Redis, redis: Redis) -> None:
    """Without any leader: the streams themselves take only what goes on where they are."""
    key = uuid.uuid4()
    ours, theirs = Streams(aredis, SHARDS, 1000), Streams(aredis, SHARDS, 1000)
    await ours.load()
    await theirs.load()
    rows = [row(position, key) for position in range(1, 11)]
    await ours.append(rows[:4], 4)
    await theirs.append(rows[:7], 7)
    await ours.append(rows[4:6], 6)
    await ours.append(rows[6:], 10)
    await theirs.append(rows[7:9], 9)
    assert positions(redis) == list(range(1, 11)), "each once, and in order"
    assert ours.at[("catalog", shard_of(key, SHARDS))] == 10
    assert theirs.at[("catalog", shard_of(key, SHARDS))] == 10


async def test_an_older_copy_of_redis_is_noticed(aredis: async_redis.Redis, redis: Redis) -> None:
    """A failover that lost the last writes: stream and position go back together."""
    key = uuid.uuid4()
    shard = shard_of(key, SHARDS)
    streams = Streams(aredis, SHARDS, 1000)
    await streams.load()
    await streams.append([row(position, key) for position in range(1, 6)], 5)
    copies = {name: redis.dump(name) for name in (stream_key("catalog", shard), position_key("catalog", shard))}
    await streams.append([row(position, key) for position in range(6, 9)], 8)
    for name, dump in copies.items():
        redis.restore(name, 0, dump, replace=True)  # type: ignore[arg-type]
    with pytest.raises(StreamsLost, match="is at 5, not at 8"):
        await streams.append([row(9, key)], 9)
    assert positions(redis) == [1, 2, 3, 4, 5], "and nothing came after a hole"
    await streams.load()
    await streams.append([row(position, key) for position in range(6, 10)], 9)
    assert positions(redis) == list(range(1, 10))


async def test_a_lost_position_is_found_in_the_stream(aredis: async_redis.Redis, redis: Redis) -> None:
    key = uuid.uuid4()
    streams = Streams(aredis, SHARDS, 1000)
    await streams.load()
    await streams.append([row(position, key) for position in range(1, 6)], 5)
    redis.delete(position_key("catalog", shard_of(key, SHARDS)))
    await streams.load()
    await streams.append([row(position, key) for position in range(1, 8)], 7)
    assert positions(redis) == list(range(1, 8))


async def test_a_redis_that_is_ahead_of_the_database_is_not_written_to(
    settings: Settings, database: Database, owner: Connection, aredis: async_redis.Redis, redis: Redis
) -> None:
    streams = Streams(aredis, SHARDS, 1000)
    await streams.load()
    await streams.append([row(500, uuid.uuid4())], 500)
    events(owner, uuid.uuid4(), 3)
    async with command_pool(settings) as pool, await database.aconnect("command") as connection:
        with pytest.raises(StreamsAhead, match="up to 500"):
            await Relay(settings, pool).begin(connection, Streams(aredis, SHARDS, 1000))
    await streams.forget()
    assert redis.keys("*") == []


async def test_streams_in_a_redis_cluster(settings: Settings, owner: Connection) -> None:
    """Each stream with its position in one slot, the streams over the nodes; emptied, and filled again."""
    with started_cluster() as ports:
        there = settings.model_copy(update={"redis_url": SecretStr(f"redis+cluster://127.0.0.1:{ports[0]}")})
        products = [uuid.uuid4() for _ in range(20)]
        with RedisCluster(host="127.0.0.1", port=ports[0]) as cluster:
            async with relaying(there, from_start=True):
                for product in products:
                    last = events(owner, product)
                await until(lambda: one(owner, "SELECT max(position) FROM store.event_relays") == last)
                assert positions(cluster) == list(range(1, last + 1))
                assert min(Redis(port=port).dbsize() for port in ports) >= 1
                cluster.flushall(target_nodes="primaries")
                await until(lambda: positions(cluster) == list(range(1, last + 1)))


async def test_a_consumer_group_reads_each_event_once(settings: Settings, owner: Connection, redis: Redis) -> None:
    """As docs/events.md shows it."""
    for shard in range(SHARDS):
        redis.xgroup_create(stream_key("catalog", shard), "erp", id="0", mkstream=True)
    async with relaying(settings, from_start=True):
        events(owner, uuid.uuid4(), 10)
        await until(lambda: len(entries(redis)) == 10)
    streams = {stream_key("catalog", shard): ">" for shard in range(SHARDS)}
    taken: list[bytes] = []
    for consumer in ("one", "two", "one", "two"):
        for stream, found in redis.xreadgroup("erp", consumer, streams, count=3):  # type: ignore[union-attr]
            taken += [entry for entry, _ in found]
            redis.xack(stream, "erp", *(entry for entry, _ in found))
    assert len(taken) == len(set(taken)) == 10


@pytest.mark.slow
async def test_relays_that_are_killed_lose_and_turn_around_nothing(
    database: Database, owner: Connection, redis: Redis
) -> None:
    """Two relay processes, killed in turn while events are written; then every event is an entry, in order."""
    environment = full_environment(database)
    products = [uuid.uuid4() for _ in range(8)]

    def started() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "app.cli", "relay", "run", "--from-start"]
        return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)

    relays = [started(), started()]
    killed = 0
    try:
        end = time.monotonic() + 8
        while time.monotonic() < end:
            for product in products:
                events(owner, product, 3)
            await asyncio.sleep(0.03)
            if len(entries(redis)) > (killed + 1) * 150 and killed < 3:
                relays[killed % 2].kill()
                relays[killed % 2].wait()
                relays[killed % 2] = started()
                killed += 1
        written = one(owner, "SELECT array_agg(position ORDER BY position) FROM store.outbox")
        await until(lambda: positions(redis) == written, 20)
    finally:
        for relay in relays:
            relay.kill()
            relay.wait()
    assert killed >= 2
