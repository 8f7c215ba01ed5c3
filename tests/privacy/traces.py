"""Finding a person in everything the store keeps: every column of every table, and every key of Redis."""

import base64
from collections.abc import Iterator

import orjson
import redis

from tests.support.builders import Connection, rows

TABLES = """
    SELECT c.relnamespace::regnamespace::text || '.' || c.relname FROM pg_class AS c
    WHERE c.relnamespace IN ('store'::regnamespace, 'read'::regnamespace) AND c.relkind IN ('r', 'm')
    ORDER BY 1
"""


def written(words: list[str]) -> list[str]:
    """Each word in lower case, as it stands in a JSON document."""
    return [orjson.dumps(word.lower()).decode()[1:-1] for word in words]


def forms(words: list[str]) -> list[str]:
    """Each word as a row may show it: in a JSON document, and in the hexadecimal of stored bytes."""
    exact = [orjson.dumps(word)[1:-1].hex() for word in words]
    return [*written(words), *exact]


def tables_with(connection: Connection, words: list[str]) -> dict[str, list[str]]:
    """Table → the words that any column of any of its rows holds, JSON and stored bytes included."""
    found: dict[str, list[str]] = {}
    for (table,) in rows(connection, TABLES):
        hits = rows(
            connection,
            f"SELECT DISTINCT w.form FROM unnest(%s::text[]) AS w (form), {table} AS t"
            " WHERE strpos(lower(to_jsonb(t)::text), w.form) > 0",
            forms(words),
        )
        if hits:
            found[table] = sorted(word for (word,) in hits)
    return found


def redis_keys_with(client: "redis.Redis", words: list[str]) -> set[str]:
    """The keys of Redis whose name or value holds one of the words."""
    sought = [word.encode() for word in written(words)]
    return {
        key.decode()
        for key in client.scan_iter()
        if any(word in text.lower() for text in (key, *values(client, key)) for word in sought)
    }


def values(client: "redis.Redis", key: bytes) -> Iterator[bytes]:
    """Everything a key holds, whatever its type. An unknown type fails the test: it must be looked into."""
    kind = client.type(key).decode()
    if kind == "string":
        yield client.get(key) or b""
    elif kind == "hash":
        for name, value in client.hgetall(key).items():
            yield name
            yield value
    elif kind == "list":
        yield from client.lrange(key, 0, -1)
    elif kind == "set":
        yield from client.smembers(key)
    elif kind == "zset":
        yield from client.zrange(key, 0, -1)
    elif kind == "stream":
        for _, entry in client.xrange(key):
            for name, value in entry.items():
                yield name
                yield value
    else:
        raise AssertionError(f"{base64.b64encode(key).decode()} is a {kind}: say how to read it")
