"""What every command passes before its route: the limit per network address."""

from fastapi import Depends, Request

from app.core.errors import Refused
from app.core.http import Context
from app.core.rate_limit import LimitHeaders, source_of
from command_api.state import State

# A payment provider sends from few addresses, and signs what it sends.
UNLIMITED_PREFIX = "/v1/webhooks/"


async def limit_rate(request: Request, context: Context, state: State, headers: LimitHeaders) -> None:
    """Take one token of the caller's address, or refuse with ``rate_limited``."""
    if request.url.path.startswith(UNLIMITED_PREFIX):
        return
    taken = await state.bucket.take(source_of(context.ip))
    if taken is None:
        return
    allowed, standing = taken
    headers.add(standing)
    if not allowed:
        raise Refused("rate_limited", retry_after=max(1, standing.reset))


GATES = (Depends(limit_rate),)
