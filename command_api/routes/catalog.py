"""Catalog, prices, warehouses, delivery charges and staff, by staff.

A PUT says all about a thing. Its answer's ETag goes into the next one's If-Match; without If-Match it makes the thing.
"""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import Context, IdempotencyKey, OptionalVersion, RequiredVersion, json_response
from app.core.openapi import made, problems
from app.core.security import CurrentStaff
from app.utils.phones import MobilePhone
from command_api.schemas.base import Name, Slug
from command_api.schemas.catalog import (
    Brand,
    BrandBody,
    Category,
    CategoryBody,
    PriceBody,
    PriceChange,
    Product,
    ProductBody,
    ShippingRule,
    ShippingRuleBody,
    StaffBody,
    StaffMember,
    StatusBody,
    Warehouse,
    WarehouseBody,
)
from command_api.schemas.inventory import Sku, WarehouseCode
from command_api.services import catalog
from command_api.services.procedures import Outcome
from command_api.state import State

router = APIRouter(prefix="/admin", tags=["admin catalog"])

STAFF = ("unauthenticated", "forbidden", "invalid_value")
SAVED = (*STAFF, "version_mismatch")


def _saved(outcome: Outcome) -> Response:
    document = outcome.result
    status = 201 if document.get("created") else 200
    return json_response(document, status, version=document["version"], position=outcome.position)


@router.put("/brands/{slug}", response_model=Brand, responses=made(Brand) | problems(*SAVED))
async def save_brand(
    slug: Slug, body: BrandBody, staff: CurrentStaff, state: State, context: Context, version: OptionalVersion
) -> Response:
    """Make a brand, or replace what is said about it."""
    key = ("p_slug", slug)
    return _saved(
        await catalog.save(state, "save_brand", key, body.model_dump(mode="json"), version, staff.user_id, context)
    )


@router.put(
    "/categories/{slug}",
    response_model=Category,
    responses=made(Category) | problems(*SAVED, "category_not_found", "category_cycle"),
)
async def save_category(
    slug: Slug, body: CategoryBody, staff: CurrentStaff, state: State, context: Context, version: OptionalVersion
) -> Response:
    """Make a category, or replace what is said about it. Moved, it takes all below it along."""
    key = ("p_slug", slug)
    return _saved(
        await catalog.save(state, "save_category", key, body.model_dump(mode="json"), version, staff.user_id, context)
    )


@router.put(
    "/products/{slug}",
    response_model=Product,
    responses=made(Product) | problems(*SAVED, "product_not_found", "category_not_found", "already_exists"),
)
async def save_product(
    slug: Slug, body: ProductBody, staff: CurrentStaff, state: State, context: Context, version: OptionalVersion
) -> Response:
    """Make a product with variants and pictures, or replace all that is said about it. The same again is no change."""
    key = ("p_slug", slug)
    return _saved(
        await catalog.save(state, "save_product", key, body.model_dump(mode="json"), version, staff.user_id, context)
    )


@router.put(
    "/products/{slug}/status",
    response_model=Product,
    responses=problems(*SAVED, "product_not_found", "precondition_required"),
)
async def set_product_status(
    slug: Slug, body: StatusBody, staff: CurrentStaff, state: State, context: Context, version: RequiredVersion
) -> Response:
    """Put a product on sale, take it off, or archive it."""
    document = body.model_dump(mode="json")
    return _saved(await catalog.set_product_status(state, slug, document, version, staff.user_id, context))


@router.post(
    "/variants/{sku}/prices",
    status_code=201,
    response_model=PriceChange,
    responses=problems(
        *STAFF, "sku_not_found", "idempotency_key_missing", "idempotency_key_reused", "idempotency_in_flight"
    ),
)
async def set_price(
    sku: Annotated[Sku, Path()],
    body: PriceBody,
    staff: CurrentStaff,
    state: State,
    context: Context,
    key: IdempotencyKey,
) -> Response:
    """Set a SKU's price, now or from a moment on. Orders keep the price they froze."""
    outcome = await catalog.set_price(state, sku, body.model_dump(mode="json"), staff.user_id, key, context)
    return json_response(outcome.result, 201, position=outcome.position, replayed=outcome.replayed)


@router.put(
    "/warehouses/{code}", response_model=Warehouse, responses=made(Warehouse) | problems(*SAVED, "warehouse_not_found")
)
async def save_warehouse(
    code: Annotated[WarehouseCode, Path()],
    body: WarehouseBody,
    staff: CurrentStaff,
    state: State,
    context: Context,
    version: OptionalVersion,
) -> Response:
    """Make a warehouse, or replace what is said about it."""
    key = ("p_code", code)
    return _saved(
        await catalog.save(state, "save_warehouse", key, body.model_dump(mode="json"), version, staff.user_id, context)
    )


@router.put("/shipping-rules/{name}", response_model=ShippingRule, responses=made(ShippingRule) | problems(*SAVED))
async def save_shipping_rule(
    name: Annotated[Name, Path()],
    body: ShippingRuleBody,
    staff: CurrentStaff,
    state: State,
    context: Context,
    version: OptionalVersion,
) -> Response:
    """Make a shipping rule, or replace what is said about it."""
    key, document = ("p_name", name), body.model_dump(mode="json")
    return _saved(await catalog.save(state, "save_shipping_rule", key, document, version, staff.user_id, context))


@router.put(
    "/staff/{phone}", response_model=StaffMember, responses=made(StaffMember) | problems(*STAFF, "user_blocked")
)
async def grant_role(
    phone: Annotated[MobilePhone, Path()], body: StaffBody, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Let somebody work for the store in a role, change the role, or end it."""
    outcome = await catalog.grant_role(state, phone, body.model_dump(), staff.user_id, context)
    return json_response(outcome.result, 201 if outcome.result["created"] else 200)
