"""The cart of the caller: a shopper by access token, a guest by X-Cart-Token."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from app.core.http import Context, OptionalVersion, json_response
from app.core.openapi import problems
from app.core.security import OptionalPrincipal
from command_api.schemas.carts import (
    Cart,
    CartCheck,
    CheckedCart,
    CouponChoice,
    CouponCode,
    ItemQuantity,
    NewItem,
)
from command_api.schemas.inventory import Sku
from command_api.services import carts
from command_api.services.carts import CartOwner, owner_of
from command_api.services.procedures import Outcome
from command_api.state import State

CART_TOKEN_HEADER = "X-Cart-Token"  # noqa: S105 - the name of a header

router = APIRouter(prefix="/cart", tags=["cart"])

CartToken = Annotated[str | None, Header(alias=CART_TOKEN_HEADER, min_length=16, max_length=128)]
SkuPath = Annotated[Sku, Path()]
ANY = ("unauthenticated", "cart_not_found", "version_mismatch")
LINE = ("unauthenticated", "version_mismatch", "sku_not_found", "quantity_limit", "out_of_stock", "invalid_value")
COUPON = (
    *("coupon_not_found", "coupon_not_applicable", "coupon_exhausted", "coupon_user_limit"),
    *("coupon_not_stackable", "coupon_limit_reached"),
)


def answer(outcome: Outcome, owner: CartOwner, status: int = 200) -> Response:
    """The cart, its ETag, and the token that leads a new guest back to it."""
    headers = {"Cache-Control": "no-store"}
    if owner.new_token is not None:
        headers[CART_TOKEN_HEADER] = owner.new_token
    return json_response(outcome.result, status, version=outcome.result["version"], headers=headers)


@router.post("/items", status_code=201, response_model=Cart, responses=problems(*LINE))
async def add_item(
    body: NewItem,
    principal: OptionalPrincipal,
    context: Context,
    state: State,
    version: OptionalVersion,
    token: CartToken = None,
) -> Response:
    """Put units into the cart, on top of those in it. The first add opens a cart; a guest gets X-Cart-Token back."""
    owner = owner_of(principal, token, opens=True)
    outcome = await carts.add(state, owner, body.sku, body.quantity, version, context)
    return answer(outcome, owner, 201)


@router.put("/items/{sku}", response_model=Cart, responses=problems(*LINE))
async def set_item(
    sku: SkuPath,
    body: ItemQuantity,
    principal: OptionalPrincipal,
    context: Context,
    state: State,
    version: OptionalVersion,
    token: CartToken = None,
) -> Response:
    """Say how many units of a SKU the cart has; it may be sent again. It opens the line, and the cart, if need be."""
    owner = owner_of(principal, token, opens=True)
    return answer(await carts.set_quantity(state, owner, sku, body.quantity, version, context), owner)


@router.delete("/items/{sku}", response_model=Cart, responses=problems(*ANY, "line_not_found"))
async def remove_item(
    sku: SkuPath,
    principal: OptionalPrincipal,
    context: Context,
    state: State,
    version: OptionalVersion,
    token: CartToken = None,
) -> Response:
    """Take a SKU out of the cart."""
    owner = owner_of(principal, token)
    return answer(await carts.set_quantity(state, owner, sku, 0, version, context), owner)


@router.delete("", response_model=Cart, responses=problems(*ANY))
async def clear_cart(
    principal: OptionalPrincipal, context: Context, state: State, version: OptionalVersion, token: CartToken = None
) -> Response:
    """Take everything out of the cart, its coupons too."""
    owner = owner_of(principal, token)
    return answer(await carts.clear(state, owner, version, context), owner)


@router.post(
    "/validate",
    response_model=CheckedCart,
    response_model_exclude_unset=True,
    responses=problems("unauthenticated", "cart_not_found", "cart_empty", "address_not_found", "not_serviceable"),
)
async def validate_cart(
    body: CartCheck, principal: OptionalPrincipal, context: Context, state: State, token: CartToken = None
) -> Response:
    """Price the cart anew and flag what changed since it was shown; `valid` says whether it can be checked out."""
    owner = owner_of(principal, token)
    return answer(await carts.validate(state, owner, body.address_id, context), owner)


@router.put("/coupon", response_model=Cart, responses=problems(*ANY, "cart_empty", *COUPON))
async def apply_coupon(
    body: CouponChoice,
    principal: OptionalPrincipal,
    context: Context,
    state: State,
    version: OptionalVersion,
    token: CartToken = None,
) -> Response:
    """Put a coupon on the cart, after those on it. Several go together only if all of them may."""
    owner = owner_of(principal, token)
    return answer(await carts.apply_coupon(state, owner, body.code, version, context), owner)


@router.delete("/coupon", response_model=Cart, responses=problems(*ANY, "coupon_not_found"))
async def remove_coupon(
    principal: OptionalPrincipal,
    context: Context,
    state: State,
    version: OptionalVersion,
    code: Annotated[CouponCode | None, Query(description="Which one; without it, all of them.")] = None,
    token: CartToken = None,
) -> Response:
    """Take a coupon, or all of them, off the cart."""
    owner = owner_of(principal, token)
    return answer(await carts.remove_coupon(state, owner, code, version, context), owner)
