"""A customer's data as one document, read page by page while it is sent."""

from collections.abc import AsyncIterator
from uuid import UUID

from app.core.errors import Refused
from app.utils.customer_data import SECTIONS, Export
from query_api.repositories import accounts, customers
from query_api.state import QueryState


async def export(state: QueryState, user_id: UUID) -> AsyncIterator[bytes]:
    """All that is kept of the caller; nothing of it is held in memory longer than it takes to send a page.

    Raises ``Refused('user_not_found')`` before the first byte.
    """
    if await accounts.profile(state.primary, user_id) is None:
        raise Refused("user_not_found")
    return _pages(state, user_id)


async def _pages(state: QueryState, user_id: UUID) -> AsyncIterator[bytes]:
    document = Export()
    for part in SECTIONS:
        document.done = False
        while not document.done:
            yield document.page(part, await customers.section(state.primary, user_id, part, document.after))
    yield document.end()
