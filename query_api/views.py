"""Views that may be in Redis: read there first, and from PostgreSQL whenever Redis is away, behind or has nothing."""

from uuid import UUID

from app.core.database import QueryPool
from query_api.repositories import catalog, orders


class Views:
    """Product and order pages by key."""

    def __init__(self, pool: QueryPool) -> None:
        self._pool = pool

    async def product_page(self, slug: str, position: int | None) -> catalog.Page | None:
        """The page of a product that is shown, from a view that is past ``position``."""
        return await catalog.product_page(self._pool, slug)

    async def order_page(self, order_id: UUID, position: int | None) -> orders.OrderPage | None:
        """An order's page, from a view that is past ``position``."""
        return await orders.from_view(self._pool, order_id)
