"""A Redis Cluster of real nodes, for a test."""

import contextlib
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from app.core.embedded.redis import redis_bin
from tests.support.cluster import run_dir

PATIENCE_SECONDS = 30
CLUSTER_NODES = 3
SLOTS = 16384


def until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports that are free, as are those 10,000 above: a cluster's nodes talk to each other there.

    Both lie below the range that the system gives to clients, where any could be taken at any moment.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(range(12_000, 22_000), 500):
        with contextlib.suppress(OSError), socket.socket() as node, socket.socket() as bus:
            node.bind(("127.0.0.1", port))
            bus.bind(("127.0.0.1", port + 10_000))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


@contextlib.contextmanager
def started_cluster() -> Iterator[list[int]]:
    """Three real nodes of a Redis Cluster; their ports."""
    with contextlib.ExitStack() as stack:
        ports = free_ports(CLUSTER_NODES)
        clients = [start_node(stack, port) for port in ports]
        for number, client in enumerate(clients):
            first, last = number * SLOTS // CLUSTER_NODES, (number + 1) * SLOTS // CLUSTER_NODES - 1
            client.execute_command("CLUSTER", "ADDSLOTS", *range(first, last + 1))
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for port in ports[1:]:
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port)
        for client in clients:
            until(lambda c=client: b"cluster_state:ok" in raw_info(c), "the cluster agrees")
        yield ports


def raw_info(client: Redis) -> bytes:
    info = client.execute_command("CLUSTER", "INFO")
    return repr(info).encode().replace(b"'", b"").replace(b"cluster_state: ok", b"cluster_state:ok")


def start_node(stack: contextlib.ExitStack, port: int) -> "Redis":
    folder = run_dir() / f"node-{port}"
    folder.mkdir()
    process = subprocess.Popen(
        [
            str(redis_bin()),
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"),
            *("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000"),
        ],
        stdout=subprocess.DEVNULL,
        env=os.environ,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    client = stack.enter_context(Redis(port=port))

    def answers() -> bool:
        assert process.poll() is None, "the node ended"
        with contextlib.suppress(NoConnection):
            return bool(client.ping())
        return False

    until(answers, "the node answers")
    return client
