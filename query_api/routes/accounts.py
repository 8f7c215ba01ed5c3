"""GET of what belongs to the caller: cart, orders, profile, addresses, wishlist; and the public coupons."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from app.core.openapi import problems
from app.core.security import CurrentPrincipal, OptionalPrincipal
from app.models.words import ORDER_STATUSES
from query_api.freshness import Wanted
from query_api.pages import accounts, orders
from query_api.parameters import Cursor, Limit
from query_api.repositories import accounts as repository
from query_api.responses import page, private, stored
from query_api.schemas.accounts import (
    AddressList,
    CartPage,
    CouponList,
    OrderDetail,
    OrderList,
    ProfilePage,
    WishlistPage,
)
from query_api.state import State

router = APIRouter()

CartToken = Annotated[str | None, Header(alias="X-Cart-Token", min_length=16, max_length=128)]
Status = Annotated[Literal[ORDER_STATUSES] | None, Query(description="Only orders in this status.")]  # type: ignore[valid-type]


@router.get("/cart", tags=["cart"], response_model=CartPage, responses=problems("unauthenticated", "cart_not_found"))
async def cart(state: State, principal: OptionalPrincipal, cart_token: CartToken = None) -> Response:
    """The caller's open cart; a guest sends X-Cart-Token."""
    found = await accounts.cart(state, principal, cart_token)
    return private(found.body, version=found.version)


@router.get(
    "/orders", tags=["orders"], response_model=OrderList, responses=problems("unauthenticated", "invalid_value")
)
async def list_orders(
    state: State,
    principal: CurrentPrincipal,
    wanted: Wanted,
    status: Status = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """The caller's orders, newest first."""
    return private(await orders.order_list(state, principal.user_id, limit, cursor, status, wanted))


@router.get(
    "/orders/{order_id}",
    tags=["orders"],
    response_model=OrderDetail,
    responses=problems("unauthenticated", "order_not_found", "invalid_value"),
)
async def order(state: State, principal: CurrentPrincipal, order_id: UUID, wanted: Wanted) -> Response:
    """One of the caller's orders, with its lines, payments, refunds and history."""
    found = await orders.order(state, principal.user_id, order_id, wanted)
    return private(found.body, version=found.version)


@router.get(
    "/me", tags=["profile"], response_model=ProfilePage, responses=problems("unauthenticated", "user_not_found")
)
async def me(state: State, principal: CurrentPrincipal) -> Response:
    """The caller's profile."""
    found = await accounts.profile(state, principal.user_id)
    return private(found.body, version=found.version)


@router.get("/addresses", tags=["addresses"], response_model=AddressList, responses=problems("unauthenticated"))
async def addresses(state: State, principal: CurrentPrincipal) -> Response:
    """The caller's delivery addresses, newest first."""
    return private(page(await repository.addresses(state.primary, principal.user_id), None))


@router.get("/wishlist", tags=["wishlist"], response_model=WishlistPage, responses=problems("unauthenticated"))
async def wishlist(state: State, principal: CurrentPrincipal) -> Response:
    """The products the caller wishes for, as cards."""
    return private(await accounts.wishlist(state, principal.user_id))


@router.get("/coupons", tags=["coupons"], response_model=CouponList, responses=problems())
async def coupons(request: Request, state: State) -> Response:
    """Coupons that anybody may use now."""
    return stored(request, page(await repository.public_coupons(state.pool), None))
