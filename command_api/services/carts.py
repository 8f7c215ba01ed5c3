"""Carts of shoppers and guests: each write is one CALL, and answers with the whole cart."""

from dataclasses import dataclass
from uuid import UUID

from app.core.http import RequestContext
from app.core.security import Principal, new_token, sha256
from command_api.services.procedures import Outcome, Value, call
from command_api.state import CommandState


@dataclass(frozen=True, slots=True)
class CartOwner:
    """Whose cart it is: a shopper's, or a guest's who has its token. ``new_token`` is one that was made just now."""

    user_id: UUID | None
    token: str | None
    new_token: str | None = None

    def parameters(self) -> dict[str, Value]:
        """``p_user_id`` and ``p_guest_token_hash``."""
        return {
            "p_user_id": self.user_id,
            "p_guest_token_hash": None if self.token is None else sha256(self.token),
        }


def owner_of(principal: Principal | None, token: str | None, *, opens: bool = False) -> CartOwner:
    """Whose cart is asked for; a token counts only for a guest. With ``opens``, a guest without one gets one."""
    if principal is not None:
        return CartOwner(principal.user_id, None)
    if token is None and opens:
        made = new_token()
        return CartOwner(None, made, made)
    return CartOwner(None, token)


async def add(
    state: CommandState, owner: CartOwner, sku: str, quantity: int, version: int | None, context: RequestContext
) -> Outcome:
    """The cart with ``quantity`` more units. Raises sku_not_found, quantity_limit, out_of_stock, version_mismatch."""
    return await call(
        state.pool,
        "add_to_cart",
        **owner.parameters(),
        p_sku=sku,
        p_quantity=quantity,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )


async def set_quantity(
    state: CommandState, owner: CartOwner, sku: str, quantity: int, version: int | None, context: RequestContext
) -> Outcome:
    """The cart with this many units of the SKU; the line and the cart are opened where they are missing. 0 removes."""
    return await call(
        state.pool,
        "update_cart_quantity",
        **owner.parameters(),
        p_sku=sku,
        p_quantity=quantity,
        p_expected_version=version,
        p_create=quantity > 0,
        p_context=context.as_parameter(),
    )


async def clear(state: CommandState, owner: CartOwner, version: int | None, context: RequestContext) -> Outcome:
    """The cart with nothing in it. Raises cart_not_found, version_mismatch."""
    return await call(
        state.pool,
        "clear_cart",
        **owner.parameters(),
        p_expected_version=version,
        p_context=context.as_parameter(),
    )


async def validate(state: CommandState, owner: CartOwner, address_id: UUID | None, context: RequestContext) -> Outcome:
    """The cart at today's prices and stock, and what is in the way of its checkout.

    Raises cart_not_found, cart_empty, address_not_found, not_serviceable.
    """
    return await call(
        state.pool,
        "validate_cart_before_checkout",
        **owner.parameters(),
        p_address_id=address_id,
        p_context=context.as_parameter(),
    )


async def apply_coupon(
    state: CommandState, owner: CartOwner, code: str, version: int | None, context: RequestContext
) -> Outcome:
    """The cart with the coupon on it. Raises the coupon's refusals when it does not fit."""
    return await call(
        state.pool,
        "apply_coupon",
        **owner.parameters(),
        p_code=code,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )


async def remove_coupon(
    state: CommandState, owner: CartOwner, code: str | None, version: int | None, context: RequestContext
) -> Outcome:
    """The cart without this coupon, or without any. Raises coupon_not_found when it is not on the cart."""
    return await call(
        state.pool,
        "remove_coupon",
        **owner.parameters(),
        p_code=code,
        p_expected_version=version,
        p_context=context.as_parameter(),
    )
