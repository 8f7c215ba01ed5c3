"""Lists for the store's people, in pages."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from app.core.errors import Refused
from query_api import cursors
from query_api.repositories import admin
from query_api.responses import page
from query_api.state import QueryState

Fetch = Callable[[int, list[Any] | None], Awaitable[list[admin.Row]]]


async def require(state: QueryState, user_id: UUID, *permissions: str) -> None:
    """Raise ``Refused('forbidden')`` unless the user's role has one of the permissions now."""
    if not await admin.may(state.primary, user_id, permissions):
        raise Refused("forbidden", permission=permissions[0])


async def listed(state: QueryState, name: str, fetch: Fetch, limit: int, cursor: str | None) -> bytes:
    """A page of what ``fetch(limit, after)`` gives; ``name`` says which list and filters the cursor is for."""
    secret, query = state.settings.secret("cursor_secret"), f"admin:{name}".encode()
    after = None if cursor is None else cursors.decode(secret, query, cursor)
    found = await fetch(limit + 1, after)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        following = cursors.encode(secret, query, [str(shown[-1].at), str(shown[-1].id)])
    return page([row.body for row in shown], following)
