"""The user's wishlist: a product is on it or not, so both statements may be repeated."""

from uuid import UUID

from sqlalchemy import delete, literal, select
from sqlalchemy.dialects.postgresql import insert

from app.core.errors import Refused
from app.models.accounts import Wishlist
from app.models.catalog import Product
from command_api.state import CommandState


async def add_wish(state: CommandState, user_id: UUID, slug: str) -> None:
    """Put the product on the list, once. Raises product_not_found."""
    product = select(Product.id).where(Product.slug == slug, Product.status == "active").cte("product")
    added = (
        insert(Wishlist)
        .from_select(["user_id", "product_id"], select(literal(user_id), product.c.id))
        .on_conflict_do_nothing(index_elements=["user_id", "product_id"])
        .cte("added")
    )
    async with state.engine.connect() as connection:
        found = (await connection.execute(select(product.c.id).add_cte(added))).one_or_none()
    if found is None:
        raise Refused("product_not_found")


async def remove_wish(state: CommandState, user_id: UUID, slug: str) -> None:
    """Take the product off the list; it need not be on it, nor be sold still."""
    statement = delete(Wishlist).where(
        Wishlist.user_id == user_id, Wishlist.product_id == Product.id, Product.slug == slug
    )
    async with state.engine.connect() as connection:
        await connection.execute(statement)
