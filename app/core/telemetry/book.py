"""What is noted of an answered request: its count and duration by route, and its line in the access log."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2s
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import Scope

from app.core.config import Settings
from app.core.http import client_ip
from app.core.metrics import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Asked every few seconds by machines: their lines are for whoever debugs.
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})
CLIENT_BYTES = 6
REMEMBERED = 4096
LONGEST_REMEMBERED = 200  # bytes of X-Forwarded-For: what strangers send must not fill the memory


class RequestBook:
    """The book of one application. No raw path, no query and no address gets into it."""

    def __init__(self, metrics: Metrics, settings: Settings) -> None:
        self._metrics = metrics
        self._client = client_of(settings)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.writes_access = settings.access_log

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One more request that was answered."""
        found = self._children.get((method, route, status))
        if found is None:
            found = (
                self._metrics.requests.labels(method, route, str(status)),
                self._metrics.request_seconds.labels(method, route),
            )
            self._children[(method, route, status)] = found
        found[0].inc()
        found[1].observe(seconds)

    def tell(self, route: str, scope: Scope, headers: Mapping[bytes, bytes], status: int, seconds: float) -> None:
        """Its line in the log; bound to whatever request is current."""
        _access_line(
            method=method_of(scope),
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            client=self._client(scope.get("client"), headers.get(b"x-forwarded-for")),
        )


def method_of(scope: Scope) -> str:
    """The request's method, of those there are."""
    method: str = scope["method"]
    return method if method in METHODS else "OTHER"


def _access_line(**members: Any) -> None:
    log = structlog.get_logger()
    if members["route"] in QUIET_ROUTES:
        log.debug("request", **members)
    elif members["status"] >= 500:
        log.error("request", **members)
    else:
        log.info("request", **members)


def client_of(settings: Settings) -> Callable[[Any, bytes | None], str | None]:
    """A keyed hash of the client's address: tells callers apart in a log, and can't be turned back without the key.

    None where no secret is set to key it with.
    """
    if settings.cursor_secret is None:
        return lambda *_: None
    key = blake2s(b"client in logs:" + settings.cursor_secret.get_secret_value().encode()).digest()
    trusted = settings.trusted_proxies

    def hashed(peer: str | None, forwarded: bytes | None) -> str:
        address = client_ip(peer, None if forwarded is None else forwarded.decode("latin-1"), trusted)
        return blake2s(address.encode(), key=key, digest_size=CLIENT_BYTES).hexdigest()

    remembered = lru_cache(maxsize=REMEMBERED)(hashed)

    def client(peer: Any, forwarded: bytes | None) -> str:
        hash_of = remembered if len(forwarded or b"") <= LONGEST_REMEMBERED else hashed
        return hash_of(peer[0] if peer else None, forwarded)

    return client
