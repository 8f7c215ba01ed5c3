"""Events in Redis Streams: one stream per topic and shard, an entry per event under its own position.

An entry's id is ``<position>-0``, and how far a stream is stands beside it, in a key of the same hash slot. Both are
written by one script, which takes only what goes on where the stream is: two relays can't turn entries around,
a slower one repeats nothing, and a Redis that lost its last writes or all of them is noticed and filled again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import redis.asyncio as redis

from app.events.catalogue import TOPICS
from app.events.envelope import envelope, event_id
from projections.books import shard_of

FIELD_ID, FIELD_TYPE, FIELD_POSITION, FIELD_EVENT = "id", "type", "position", "event"

# KEYS: the position, the stream. ARGV: where the relay believes the stream to be ('' for a new one), how far this
# takes it, how many entries are kept, then position, id, type, event of each. Answers {1, at}, or {0, at} for a stream
# that is not as far as the relay believes (at is -1 when its position is gone).
APPEND = """
local at = redis.call('GET', KEYS[1])
if not at then
  if ARGV[1] ~= '' then return {0, -1} end
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  at = last and string.match(last[1], '^%d+') or -1
end
at = tonumber(at)
if ARGV[1] ~= '' and at < tonumber(ARGV[1]) then return {0, at} end
for i = 4, #ARGV, 4 do
  if tonumber(ARGV[i]) > at then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], ARGV[i] .. '-0',
      'id', ARGV[i + 1], 'type', ARGV[i + 2], 'position', ARGV[i], 'event', ARGV[i + 3])
  end
end
local upto = math.max(at, tonumber(ARGV[2]))
redis.call('SET', KEYS[1], string.format('%d', upto))
return {1, upto}
"""


class StreamsLost(Exception):
    """A stream is not where it was left: Redis was emptied, or failed over to an older copy."""


class StreamsAhead(Exception):
    """Redis has events that this database never wrote: it is the copy of another one, or of a later one."""


def stream_key(topic: str, shard: int) -> str:
    """The stream's name; consumers read it. The tag keeps it in one hash slot with its position."""
    return f"kirana:{{events:{topic}:{shard}}}"


def position_key(topic: str, shard: int) -> str:
    """How far the stream is: everything up to that position that belongs into it, is in it."""
    return f"kirana:{{events:{topic}:{shard}}}:position"


@dataclass
class Streams:
    """All streams. ``at`` is how far each is known to be; None for one that is not there yet."""

    client: redis.Redis
    shards: int
    maxlen: int
    at: dict[tuple[str, int], int | None] = field(default_factory=dict)

    @property
    def names(self) -> list[tuple[str, int]]:
        """Every (topic, shard)."""
        return [(topic, shard) for topic in TOPICS for shard in range(self.shards)]

    async def load(self) -> None:
        """Ask Redis how far each stream is."""
        for name in self.names:
            found = cast("bytes | None", await self.client.get(position_key(*name)))
            self.at[name] = None if found is None else int(found)

    async def append(self, rows: Iterable[Mapping[str, Any]], until: int, *, everywhere: bool = False) -> int:
        """Take every stream that has rows (or all of them) to ``until``; the number of entries that were sent.

        Raises StreamsLost: load again and go back to where the slowest stream is.
        """
        entries: dict[tuple[str, int], list[Any]] = {name: [] for name in self.names} if everywhere else {}
        sent = 0
        for row in rows:
            name = (row["topic"], shard_of(UUID(str(row["view_key"])), self.shards))
            entry = (row["position"], event_id(row), row["type"], envelope(row))
            entries.setdefault(name, []).extend(entry)
            sent += 1
        if not entries:
            return 0
        pipeline = self.client.pipeline(transaction=False)
        for name, arguments in entries.items():
            at = self.at.get(name)
            keys = (position_key(*name), stream_key(*name))
            pipeline.eval(APPEND, 2, *keys, "" if at is None else at, until, self.maxlen, *arguments)
        answers = await pipeline.execute()
        for name, (taken, at) in zip(entries, answers, strict=True):
            if not taken:
                raise StreamsLost(f"{stream_key(*name)} is at {at}, not at {self.at[name]}")
            self.at[name] = at
        return sent

    async def forget(self) -> None:
        """Remove all streams, with their consumer groups."""
        for name in self.names:
            await self.client.delete(stream_key(*name), position_key(*name))

    async def place(self, position: int) -> None:
        """Say that every stream is at ``position``, whatever it holds: a relay goes on from there."""
        for name in self.names:
            await self.client.set(position_key(*name), position)
