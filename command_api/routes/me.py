"""The shopper's own data: profile, addresses, wishlist. None of it is money, stock or an order."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import RequiredVersion, json_response
from app.core.openapi import problems
from app.core.security import CurrentPrincipal
from command_api.schemas.base import Slug
from command_api.schemas.me import Address, AddressFields, NewAddress, Profile, ProfileChange
from command_api.services import addresses, profile, wishlist
from command_api.state import State

router = APIRouter()

ProductSlug = Annotated[Slug, Path(description="The product's slug.")]


@router.patch(
    "/me",
    tags=["profile"],
    response_model=Profile,
    responses=problems(
        "unauthenticated", "precondition_required", "version_mismatch", "user_blocked", "user_not_found"
    ),
)
async def change_profile(
    body: ProfileChange, principal: CurrentPrincipal, state: State, version: RequiredVersion
) -> Response:
    """Change the profile's members that are sent; null clears one."""
    changes = body.model_dump(exclude_unset=True)
    changed = await profile.change_profile(state, principal.user_id, version, changes)
    return json_response(changed, version=changed["version"])


@router.post(
    "/addresses",
    tags=["addresses"],
    status_code=201,
    response_model=Address,
    responses=problems("unauthenticated", "invalid_value"),
)
async def add_address(body: NewAddress, principal: CurrentPrincipal, state: State) -> Response:
    """Add a delivery address; the first one becomes the default."""
    fields = body.model_dump(exclude={"is_default"})
    added = await addresses.add_address(state, principal.user_id, fields, body.is_default)
    return json_response(added, 201, headers={"Location": f"/v1/addresses/{added['id']}"})


@router.put(
    "/addresses/{address_id}",
    tags=["addresses"],
    response_model=Address,
    responses=problems("unauthenticated", "address_not_found"),
)
async def change_address(address_id: UUID, body: AddressFields, principal: CurrentPrincipal, state: State) -> Response:
    """Replace all fields of an address. Orders keep the address they were placed with."""
    return json_response(await addresses.change_address(state, principal.user_id, address_id, body.model_dump()))


@router.delete(
    "/addresses/{address_id}",
    tags=["addresses"],
    status_code=204,
    responses=problems("unauthenticated", "address_not_found"),
)
async def remove_address(address_id: UUID, principal: CurrentPrincipal, state: State) -> Response:
    """Remove an address. Orders keep the address they were placed with."""
    await addresses.remove_address(state, principal.user_id, address_id)
    return Response(status_code=204)


@router.put(
    "/addresses/{address_id}/default",
    tags=["addresses"],
    response_model=Address,
    responses=problems("unauthenticated", "address_not_found"),
)
async def choose_default(address_id: UUID, principal: CurrentPrincipal, state: State) -> Response:
    """Make an address the one that checkout proposes."""
    return json_response(await addresses.choose_default(state, principal.user_id, address_id))


@router.put(
    "/wishlist/{slug}",
    tags=["wishlist"],
    status_code=204,
    responses=problems("unauthenticated", "product_not_found"),
)
async def add_wish(slug: ProductSlug, principal: CurrentPrincipal, state: State) -> Response:
    """Put a product on the wishlist; once is enough."""
    await wishlist.add_wish(state, principal.user_id, slug)
    return Response(status_code=204)


@router.delete("/wishlist/{slug}", tags=["wishlist"], status_code=204, responses=problems("unauthenticated"))
async def remove_wish(slug: ProductSlug, principal: CurrentPrincipal, state: State) -> Response:
    """Take a product off the wishlist; it need not be on it."""
    await wishlist.remove_wish(state, principal.user_id, slug)
    return Response(status_code=204)
