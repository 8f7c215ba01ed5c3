"""The code that docs/events.md gives to receivers works as it stands there."""

import io
import re
import time
import uuid
from contextlib import redirect_stdout
from typing import Any

import psycopg
from redis import Redis

from app.core.config import Settings
from app.core.paths import ROOT
from app.events.signing import headers, new_secret
from tests.events.conftest import until
from tests.events.test_streams import entries, relaying

PAGE = (ROOT / "docs" / "events.md").read_text()
VERIFYING, READING = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_verifying() -> None:
    space: dict[str, Any] = {}
    exec(VERIFYING, space)
    secret, old, body = new_secret(), new_secret(), b'{"type": "order.created"}'
    now = int(time.time())
    genuine = space["is_genuine"]
    sent = headers([secret, old], "evt_1", now, body)
    assert genuine(secret, sent, body)
    assert genuine(old, sent, body)
    assert not genuine(new_secret(), sent, body)
    assert not genuine(secret, sent, body + b" ")
    assert not genuine(secret, sent | {"webhook-id": "evt_2"}, body)
    assert not genuine(secret, sent | {"webhook-timestamp": str(now - 1)}, body)
    assert not genuine(secret, sent | {"webhook-timestamp": "now"}, body)
    assert not genuine(secret, headers([secret], "evt_1", now - 301, body), body)


async def test_reading(settings: Settings, owner: psycopg.Connection[Any], redis: Redis) -> None:
    """Word for word, but for where the Redis is, for where the group begins, and for how long it waits."""
    url = settings.redis_dsn()
    code = READING.replace("redis.Redis()", f"redis.Redis.from_url({url!r})").replace('"$"', '"0"')
    code = code.replace("block=5000", "block=10")
    order = uuid.uuid4()
    async with relaying(settings, from_start=True):
        owner.execute(
            "INSERT INTO store.outbox (topic, view_key, aggregate_type, aggregate_id, aggregate_version, type)"
            " VALUES ('orders', %(id)s, 'order', %(id)s, 1, 'order.created')",
            {"id": order},
        )
        await until(lambda: len(entries(redis, "orders")) == 1)
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(code, {})
        exec(code, {})
    assert printed.getvalue() == f"order.created {order}\n", "once, though it ran twice: it was acknowledged"
