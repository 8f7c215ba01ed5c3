"""What a restore owes the read side: Redis may hold views of a later moment than the restored store's."""

import asyncio

from app.core.config import NotConfigured, Settings
from app.core.redis_clients import AWAY, new_client
from app.utils.view_keys import CATALOG_KEYS, ORDERS_KEYS

TIMEOUT_SECONDS = 2.0


def forget_views(settings: Settings) -> bool:
    """Have no generation of a view be live, so that pages come from PostgreSQL until projectors fill a new one.

    False when Redis is not reached: a projector notices by itself that the copy is another history's.
    """
    return asyncio.run(_forget(settings))


async def _forget(settings: Settings) -> bool:
    try:
        async with new_client(settings.redis_dsn(), TIMEOUT_SECONDS) as client:
            for keys in (CATALOG_KEYS, ORDERS_KEYS):
                await client.delete(keys.live)
    except (*AWAY, NotConfigured):
        return False
    return True
