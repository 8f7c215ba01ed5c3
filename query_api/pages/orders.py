"""A shopper's orders: from the view, and from the primary where the view is not far enough."""

from uuid import UUID

from app.core.errors import Refused
from query_api import cursors
from query_api.freshness import Consistency
from query_api.repositories import orders
from query_api.responses import page
from query_api.state import QueryState

ORDERS = "orders"


async def order(state: QueryState, user_id: UUID, order_id: UUID, wanted: Consistency) -> orders.OrderPage:
    """One's own order; another's does not exist. Never older than the token: the primary answers if the view is."""
    fresh = await state.freshness.reached(wanted, ORDERS)
    found = await state.views.order_page(order_id, wanted.position) if fresh else None
    if found is None:
        found = await orders.from_store(state.primary, order_id)
    if found is None or found.user_id != user_id:
        raise Refused("order_not_found")
    return found


async def order_list(
    state: QueryState, user_id: UUID, limit: int, cursor: str | None, status: str | None, wanted: Consistency
) -> bytes:
    """A page of one's orders, newest first."""
    secret, query = state.settings.secret("cursor_secret"), f"orders:{user_id}:{status}".encode()
    after = None if cursor is None else cursors.decode(secret, query, cursor)
    fresh = await state.freshness.reached(wanted, ORDERS)
    if fresh or after is not None:
        found = await orders.cards(state.pool, user_id, limit + 1, after, status)
    else:
        found = await orders.cards_from_store(state.primary, user_id, limit + 1, status)
    shown = found[:limit]
    next_cursor = None
    if len(found) > limit:
        last = shown[-1]
        next_cursor = cursors.encode(secret, query, [last.created_at.isoformat(), str(last.order_id)])
    return page([card.body for card in shown], next_cursor)
