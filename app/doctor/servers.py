"""The servers: versions, what PostgreSQL promises of a commit, whether clocks agree, whether connections suffice."""

import re
import time
from collections.abc import Callable, Iterator

import redis as redis_package

from app.core.config import NotConfigured, Settings
from app.core.redis_clients import AWAY, one_node
from app.core.wake import REDIS_TIMEOUT_SECONDS
from app.doctor.findings import Connection, Finding, Patient, failed, ok, said, value, warning

POSTGRES, REDIS, CLOCKS = "PostgreSQL", "Redis", "clocks"
OLDEST_POSTGRES = 180000
OLDEST_REDIS = (6, 2)
# an access token and a webhook's signature are judged by the API's clock, holds and codes by PostgreSQL's
CLOCK_WARNING_SECONDS, CLOCK_FAILED_SECONDS = 1.0, 5.0
FULL = 0.8


def postgres(patient: Patient) -> Iterator[Finding]:
    """Version, encoding, durability, connections."""
    connection = patient.connection
    if connection is None:
        yield failed(POSTGRES, "answers", "nobody could log in", "start it (`kirana servers start`), or see the logins")
        return
    number, text = connection.info.server_version, value(connection, "SHOW server_version")
    if number < OLDEST_POSTGRES:
        yield failed(POSTGRES, "version", text, "Kirana needs PostgreSQL 18 or newer: upgrade the server")
    else:
        yield ok(POSTGRES, "version", text)
    encoding = value(connection, "SHOW server_encoding")
    if encoding != "UTF8":
        yield failed(POSTGRES, "encoding", encoding, "make the database again with ENCODING 'UTF8'")
    yield from _durability(patient, connection)
    yield _connections(patient.settings, connection)


def _durability(patient: Patient, connection: Connection) -> Iterator[Finding]:
    """A commit that a power cut can take back is money that can't be explained."""
    for setting in ("fsync", "full_page_writes"):
        now = value(connection, f"SHOW {setting}")
        if now == "on":
            yield ok(POSTGRES, setting, now)
        else:
            yield failed(
                POSTGRES,
                setting,
                f"{now}: a crash can lose orders or the whole database",
                f"ALTER SYSTEM SET {setting} = on; SELECT pg_reload_conf();",
            )
    # as the command API's sessions have it: a role or a database may set it too
    now = value(patient.connections.get("command", connection), "SHOW synchronous_commit")
    if now in {"off", "local"} and not (now == "local" and not value(connection, "SHOW synchronous_standby_names")):
        yield failed(
            POSTGRES,
            "synchronous_commit",
            f"{now}: an answered order may be gone after a crash or a failover",
            "ALTER ROLE kirana_command RESET synchronous_commit; ALTER SYSTEM SET synchronous_commit = on;"
            " SELECT pg_reload_conf();",
        )
    else:
        yield ok(POSTGRES, "synchronous_commit", now)


def _connections(settings: Settings, connection: Connection) -> Finding:
    """One process of each kind must fit; more of them need as many again."""
    most, kept, reserved = (
        int(value(connection, f"SHOW {name}"))
        for name in ("max_connections", "superuser_reserved_connections", "reserved_connections")
    )
    needed = settings.command_pool_size + settings.query_pool_size + settings.projector_pool_size
    if settings.query_primary_database_url is not None:
        needed += settings.query_pool_size
    free = most - kept - reserved
    seen = f"one process of each kind takes up to {needed} of {free}"
    mend = "raise max_connections, lower KIRANA_…_POOL_SIZE, or put PgBouncer between (docs/operations.md)"
    if needed > free:
        return failed(POSTGRES, "connections", seen, mend)
    if needed > FULL * free:
        return warning(POSTGRES, "connections", seen, mend)
    return ok(POSTGRES, "connections", seen)


def redis(patient: Patient) -> Iterator[Finding]:
    """Whether Redis answers, how old it is, and what time it has."""
    try:
        with redis_package.Redis.from_url(
            one_node(patient.settings.redis_dsn()), socket_timeout=4 * REDIS_TIMEOUT_SECONDS, socket_connect_timeout=1.0
        ) as client:
            began = time.perf_counter()
            client.ping()
            milliseconds = (time.perf_counter() - began) * 1000
            text = str(client.info("server")["redis_version"])
            clock = _ahead(lambda: _redis_time(client))
    except (*AWAY, NotConfigured) as error:
        yield failed(
            REDIS,
            "answers",
            f"{said(error)}. The store goes on without it: PostgreSQL serves the reads, and nobody counts requests",
            "start it (`kirana servers start`), or set KIRANA_REDIS_URL",
        )
        return
    yield ok(REDIS, "answers", f"in {milliseconds:.1f} ms")
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if version < OLDEST_REDIS:
        yield failed(REDIS, "version", text, "use Redis 6.2 or newer, or Valkey")
    else:
        yield ok(REDIS, "version", text)
    yield _clock("Redis", clock)


def clocks(patient: Patient) -> Iterator[Finding]:
    """Whether PostgreSQL and this machine agree on the time."""
    connection = patient.connection
    if connection is not None:
        query = "SELECT extract(epoch FROM clock_timestamp())::float"
        yield _clock("PostgreSQL", _ahead(lambda: float(value(connection, query))))


def _redis_time(client: "redis_package.Redis") -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def _ahead(read: Callable[[], float]) -> tuple[float, float]:
    """By how many seconds a server's clock is ahead of ours, and how far off that may be: half the round trip."""
    before = time.time()
    there = read()
    after = time.time()
    return there - (before + after) / 2, (after - before) / 2


def _clock(server: str, measured: tuple[float, float]) -> Finding:
    ahead, unsure = measured
    name, seen = f"{server} and this machine", f"{ahead:+.3f} s (± {unsure:.3f})"
    off = max(0.0, abs(ahead) - unsure)
    mend = "run an NTP client on both machines: tokens, signatures and holds end by the clock"
    if off > CLOCK_FAILED_SECONDS:
        return failed(CLOCKS, name, seen, mend)
    if off > CLOCK_WARNING_SECONDS:
        return warning(CLOCKS, name, seen, mend)
    return ok(CLOCKS, name, seen)
