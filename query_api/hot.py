"""Public pages as this process last sent them, answered again without a look at anything, for as long as they are true.

The projector's follower says on a Redis channel which products' rows it wrote (``app/utils/view_keys.py``); their pages
are dropped then, and every list. What can't be known to be true is not served: nothing while the channel is silent for
longer than ``TRUSTED_SECONDS``, nothing while the copy in Redis is behind what PostgreSQL has given out, nothing for a
request with a consistency token. A page that was read while a change was told of is not kept, and of two that were
read at one time the one that began later is. Lists end by themselves, for time alone may publish a product.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
import redis.asyncio as redis
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.types import Message, Scope

from app.core.config import NotConfigured, Settings
from app.core.http import SECURITY_HEADERS
from app.core.redis_clients import AWAY, one_node
from app.core.telemetry.shortcut import Ready
from app.utils.view_keys import CATALOG_KEYS, EVERYTHING
from query_api.responses import HOT_KEY, Hot, matches
from query_api.sent import Sent
from query_api.views import Views

TRUSTED_SECONDS = 1.0
PING_SECONDS = 0.25
LIST_SECONDS = 2.0
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 5.0
SILENT_POLLS = 8  # of PING_SECONDS each; counted, so that a process that was held up itself does not blame Redis
OVERHEAD_BYTES = 2_000  # of an entry besides its body: headers, keys, the objects themselves
PREFIXES = (b"/v1/products", b"/v1/search")
OF_ONE_ANSWER = frozenset({b"content-length", b"content-type", b"x-request-id"})
# A client that has the page keeps its headers: RFC 9110, 15.4.5 wants no more of a 304 than what guides the cache.
OF_A_BODY = frozenset(name.encode() for name, _ in SECURITY_HEADERS)
TOKEN_HEADER = b"x-consistency-token"

Key = tuple[bytes, bytes, bytes]
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Page:
    """An answer that was sent: as 200, as 304, and until when it may be sent again without being read anew."""

    whole: Ready
    unchanged: Ready
    tag: str
    quoted: bytes
    until: float
    row: str | None


class Recorder:
    """Watches one answer go out, and keeps it if it is one that may be kept (``epoch`` None: it is not)."""

    __slots__ = ("_began", "_epoch", "_key", "_pages", "_scope")

    def __init__(self, pages: "HotPages", key: Key, scope: Scope, began: int, epoch: int | None) -> None:
        self._pages, self._key, self._scope, self._began, self._epoch = pages, key, scope, began, epoch

    def saw(self, message: Message) -> None:
        """A message of the answer; its start has all headers, and the route left the body, of a 304 too."""
        if message["type"] != "http.response.start" or message["status"] not in (200, 304, 404):
            return
        hot: Hot | None = self._scope.get("state", {}).get(HOT_KEY)
        if hot is None and message["status"] != 404:
            return
        overtaken = self._pages.overtaken(self._key, hot.tag if hot is not None else "404", self._began)
        if hot is not None and not hot.stale and self._epoch is not None and not overtaken:
            self._pages.keep(self._key, hot, message["headers"], self._epoch)


class HotPages:
    """The pages that are kept, up to ``most_bytes`` of them; the oldest go first."""

    def __init__(self, settings: Settings, views: Views) -> None:
        self._most_bytes = settings.hot_pages_mib * 2**20
        self._origins = {origin.encode() for origin in settings.cors_origins}
        self._url = settings.redis_dsn
        self._views = views
        self._pages: OrderedDict[Key, Page] = OrderedDict()
        self._keys_of: dict[str, set[Key]] = {}
        self._lists: set[Key] = set()
        self._bytes = 0
        self._epoch = 0
        self._sent = Sent()
        self._trusted_until = 0.0

    def answer(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Ready | Recorder | None:
        """The page if it is kept and true; else who keeps what is answered now; None where that is nothing to keep."""
        path: bytes = scope["raw_path"]
        if not self._most_bytes or not path.startswith(PREFIXES) or scope["method"] != "GET":
            return None
        origin = headers.get(b"origin", b"")
        if origin and origin not in self._origins:
            return None
        key = (path, scope["query_string"], origin)
        now = time.monotonic()
        if TOKEN_HEADER in headers or now > self._trusted_until or not self._views.products_current:
            return Recorder(self, key, scope, self._sent.now(), None)
        page = self._pages.get(key)
        if page is None or page.until < now:
            if page is not None:
                page.until = now + LIST_SECONDS  # this request reads it anew; those beside it are answered as before
            return Recorder(self, key, scope, self._sent.now(), self._epoch)
        known = headers.get(b"if-none-match")
        if known is not None and (known == page.quoted or matches(known.decode("latin-1"), page.tag)):
            return page.unchanged
        return page.whole

    @property
    def size(self) -> int:
        """What is kept, in bytes."""
        return self._bytes

    def kept(self, path: str, query: str = "") -> bool:
        """Whether there is a page of this address (of no origin)."""
        return (path.encode(), query.encode(), b"") in self._pages

    def serving(self, path: str) -> bool:
        """Whether a request for it would be answered from what is kept."""
        scope: Scope = {"method": "GET", "raw_path": path.encode(), "query_string": b""}
        return isinstance(self.answer(scope, {}), Ready)

    def overtaken(self, key: Key, tag: str, began: int) -> bool:
        """Note an answer that goes out. True if another went out beside it: then neither stays."""
        alone = self._sent.alone(key, tag, began)
        kept = self._pages.get(key)
        if kept is not None and (not alone or kept.tag != tag):
            self._drop(key)
        return not alone

    def keep(self, key: Key, hot: Hot, headers: Iterable[tuple[bytes, bytes]], epoch: int) -> None:
        """Keep an answer, unless something changed since its request began."""
        size = len(hot.body) + OVERHEAD_BYTES
        if epoch != self._epoch or size > self._most_bytes:
            return
        self._drop(key)
        short = [(name, value) for name, value in headers if name not in OF_ONE_ANSWER]
        cached = [(name, value) for name, value in short if name not in OF_A_BODY]
        whole = [(b"content-length", str(len(hot.body)).encode()), (b"content-type", b"application/json"), *short]
        self._pages[key] = Page(
            Ready(hot.route, 200, whole, hot.body),
            Ready(hot.route, 304, cached, b""),
            hot.tag,
            b'"' + hot.tag.encode() + b'"',
            float("inf") if hot.row is not None else time.monotonic() + LIST_SECONDS,
            hot.row,
        )
        self._bytes += size
        if hot.row is None:
            self._lists.add(key)
        else:
            self._keys_of.setdefault(hot.row, set()).add(key)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._pages)))

    def changed(self, rows: list[str] | None) -> None:
        """These products' rows were written; None: everything may be another."""
        self._epoch += 1
        if rows is None:
            self._pages.clear()
            self._keys_of.clear()
            self._lists.clear()
            self._bytes = 0
            return
        for key in list(self._lists):
            self._drop(key)
        for row in rows:
            for key in list(self._keys_of.get(row, ())):
                self._drop(key)

    def _drop(self, key: Key) -> None:
        page = self._pages.pop(key, None)
        if page is None:
            return
        self._bytes -= len(page.whole.body) + OVERHEAD_BYTES
        self._lists.discard(key)
        if page.row is not None:
            keys = self._keys_of[page.row]
            keys.discard(key)
            if not keys:
                del self._keys_of[page.row]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["HotPages"]:
        """Hear what changed while the block runs; no memory for pages, no listening."""
        if not self._most_bytes:
            yield self
            return
        ended = asyncio.Event()
        task = asyncio.create_task(self._listen(ended))
        try:
            yield self
        finally:
            ended.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self, ended: asyncio.Event) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while not ended.is_set():
            try:
                client = redis.Redis.from_url(
                    # it must not connect again by itself: what was told meanwhile would go unheard
                    one_node(self._url()),
                    socket_connect_timeout=1.0,
                    retry=Retry(NoBackoff(), 0),
                )
                async with client, client.pubsub() as channel:
                    await channel.subscribe(CATALOG_KEYS.changes)
                    backoff = FIRST_BACKOFF_SECONDS
                    await self._hear(channel, ended)
            except (*AWAY, NotConfigured) as error:
                log.warning("changes_not_heard", error=str(error), retry_in=backoff)
            finally:
                self._trusted_until = 0.0
                self.changed(None)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF_SECONDS)

    async def _hear(self, channel: "redis.client.PubSub", ended: asyncio.Event) -> None:
        """Trust lasts from the last ping that was answered: a connection that is dead without saying so ends it."""
        asked, silent, waiting = time.monotonic(), 0, True  # the subscription's answer is as good as a ping's
        while not ended.is_set():
            message = await channel.get_message(timeout=PING_SECONDS)
            if message is None:
                silent += waiting
                if silent > SILENT_POLLS:
                    raise TimeoutError("Redis does not answer a ping")
            elif message["type"] == "message":
                data: bytes = message["data"]
                self.changed(None if data == EVERYTHING else orjson.loads(data))
            elif message["type"] in ("subscribe", "pong"):
                self._trusted_until = asked + TRUSTED_SECONDS
                silent, waiting = 0, False
            if not waiting and time.monotonic() > asked + PING_SECONDS:
                asked, waiting = time.monotonic(), True
                await channel.ping()
