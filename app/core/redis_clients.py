"""Redis clients: a server's, or a cluster's for URLs that begin with ``redis+cluster://`` (or ``rediss+cluster``)."""

from typing import Any, cast

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException

CLUSTER = "+cluster://"
# What a Redis that is away raises. A cluster's client has an error for it that is no RedisError.
AWAY = (redis.RedisError, RedisClusterException, OSError, TimeoutError)


def is_cluster(url: str) -> bool:
    """Whether the URL names a node of a Redis Cluster."""
    return CLUSTER in url


def one_node(url: str) -> str:
    """The URL of the server that it names, of a cluster's node too."""
    return url.replace(CLUSTER, "://")


def new_client(url: str, timeout: float, **options: Any) -> redis.Redis:
    """A client that gives up after ``timeout`` seconds and retries nothing itself; the caller closes it.

    A cluster's client speaks the same commands; keys are hash-tagged, so that each of ours is about one slot.
    """
    options |= {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    if is_cluster(url):
        client = redis.RedisCluster.from_url(one_node(url), **options)
        return cast("redis.Redis", client)
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)
