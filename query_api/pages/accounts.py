"""What belongs to one shopper: cart, profile, addresses, wishlist. Read on the primary, as it is now."""

from uuid import UUID

from app.core.errors import Refused
from app.core.security import Principal, sha256
from query_api.repositories import accounts, catalog
from query_api.responses import page
from query_api.state import QueryState


async def cart(state: QueryState, principal: Principal | None, cart_token: str | None) -> accounts.Versioned:
    """The caller's open cart: the shopper's, or that of the guest's token."""
    if principal is None and cart_token is None:
        raise Refused("cart_not_found")
    owner = None if principal is None else principal.user_id
    token_hash = None if principal is not None or cart_token is None else sha256(cart_token)
    found = await accounts.cart(state.primary, owner, token_hash)
    if found is None:
        raise Refused("cart_not_found")
    return found


async def profile(state: QueryState, user_id: UUID) -> accounts.Versioned:
    """The caller's profile."""
    found = await accounts.profile(state.primary, user_id)
    if found is None:
        raise Refused("user_not_found")
    return found


async def wishlist(state: QueryState, user_id: UUID) -> bytes:
    """Cards of the products wished for, newest wish first; one that is not shown now is left out."""
    wished = await accounts.wishlist(state.primary, user_id)
    shown = await catalog.cards_by_id(state.pool, wished)
    return page([shown[product_id] for product_id in wished if product_id in shown], None)
