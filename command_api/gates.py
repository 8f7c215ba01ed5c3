"""What every command passes before its route: the limit per network address."""

from fastapi import Depends, Request

from app.core.errors import Refused
from app.core.http import ip_of
from app.core.rate_limit import RateLimitHeaders, source_of
from command_api.state import CommandState

# A payment provider sends from few addresses, and signs what it sends.
UNLIMITED_PREFIX = "/v1/webhooks/"


async def limit_rate(request: Request) -> None:
    """Take one token of the caller's address, or refuse with ``rate_limited``.

    It asks for the request alone: each dependency of a dependency is solved anew at every command.
    """
    state: CommandState = request.app.state.command
    if state.bucket.unlimited or request.scope["path"].startswith(UNLIMITED_PREFIX):
        return
    taken = await state.bucket.take(source_of(ip_of(request)))
    if taken is None:
        return
    allowed, standing = taken
    RateLimitHeaders(request).add(standing)
    if not allowed:
        raise Refused("rate_limited", retry_after=max(1, standing.reset))


GATES = (Depends(limit_rate),)
