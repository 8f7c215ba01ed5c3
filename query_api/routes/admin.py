"""GET for the store's people. The token says staff; role and permission are asked of the database each time."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from app.core.security import CurrentStaff
from app.models.words import ORDER_STATUSES
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import admin
from query_api.responses import private
from query_api.schemas import admin as schemas
from query_api.state import QueryState, State

REFUSALS = ("unauthenticated", "forbidden", "invalid_value")
router = APIRouter(prefix="/admin", responses=problems(*REFUSALS))

OrderStatus = Literal[ORDER_STATUSES]  # type: ignore[valid-type]
RefundStatus = Literal["initiated", "submitted", "succeeded", "failed", "waived"]
ProductStatus = Literal["draft", "active", "archived"]


def allowed(*permissions: str) -> Any:
    """Let staff with one of these permissions pass."""

    async def check(state: State, staff: CurrentStaff) -> QueryState:
        await pages.require(state, staff.user_id, *permissions)
        return state

    return Depends(check)


Orders = Annotated[QueryState, allowed("orders.read")]
Stock = Annotated[QueryState, allowed("inventory.write", "orders.read")]
Coupons = Annotated[QueryState, allowed("coupons.write", "orders.read")]
Catalog = Annotated[QueryState, allowed("catalog.write", "orders.read")]
Staff = Annotated[QueryState, allowed("staff.read")]


@router.get("/orders", tags=["admin orders"], response_model=schemas.AdminOrderList)
async def orders(
    state: Orders,
    status: OrderStatus | None = None,
    number: Token | None = None,
    phone: Token | None = None,
    attention: Annotated[bool, Query(description="Only orders that somebody must look at.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Orders of all shoppers, newest first."""
    filters = {"status": status, "number": number, "phone": phone, "attention": attention}
    name = f"orders:{status}:{number}:{phone}:{attention}"
    return private(
        await pages.listed(state, name, lambda *at: admin.orders(state.primary, filters, *at), limit, cursor)
    )


@router.get(
    "/orders/{order_id}",
    tags=["admin orders"],
    response_model=schemas.AdminOrder,
    responses=problems(*REFUSALS, "order_not_found"),
)
async def order(state: Orders, order_id: UUID) -> Response:
    """An order with its money movements and its whole history."""
    return _versioned(await admin.order(state.primary, order_id), "order_not_found")


@router.get(
    "/inventory/{sku}",
    tags=["admin inventory"],
    response_model=schemas.AdminStock,
    responses=problems(*REFUSALS, "sku_not_found"),
)
async def stock(state: Stock, sku: Token) -> Response:
    """A SKU's stock by warehouse and bucket, and its last movements."""
    found = await admin.stock(state.primary, sku)
    if found is None:
        raise Refused("sku_not_found")
    return private(found.body)


@router.get("/coupons", tags=["admin coupons"], response_model=schemas.AdminCouponList)
async def coupons(state: Coupons, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """All coupons by code, with their uses."""
    return private(await pages.listed(state, "coupons", lambda *at: admin.coupons(state.primary, *at), limit, cursor))


@router.get(
    "/coupons/{code}",
    tags=["admin coupons"],
    response_model=schemas.AdminCoupon,
    responses=problems(*REFUSALS, "coupon_not_found"),
)
async def coupon(state: Coupons, code: Token) -> Response:
    """A coupon; its ETag is what If-Match takes."""
    return _versioned(await admin.coupon(state.primary, code.upper()), "coupon_not_found")


@router.get("/refunds", tags=["admin refunds"], response_model=schemas.AdminRefundList)
async def refunds(
    state: Orders, status: RefundStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Refunds, newest first."""
    fetch = lambda *at: admin.refunds(state.primary, status, *at)  # noqa: E731
    return private(await pages.listed(state, f"refunds:{status}", fetch, limit, cursor))


@router.get("/audit-log", tags=["admin staff"], response_model=schemas.AuditLog)
async def audit_log(
    state: Staff,
    subject_type: Token | None = None,
    subject_id: Token | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What staff did, newest first; of one subject when both its type and id are given."""
    subject = (subject_type, subject_id) if subject_type is not None and subject_id is not None else None
    fetch = lambda *at: admin.audit_log(state.primary, subject, *at)  # noqa: E731
    return private(await pages.listed(state, f"audit:{subject}", fetch, limit, cursor))


@router.get("/products", tags=["admin catalog"], response_model=schemas.AdminProductList)
async def products(
    state: Catalog, status: ProductStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Products by slug, drafts and archived ones too."""
    fetch = lambda *at: admin.products(state.primary, status, *at)  # noqa: E731
    return private(await pages.listed(state, f"products:{status}", fetch, limit, cursor))


@router.get(
    "/products/{slug}",
    tags=["admin catalog"],
    response_model=schemas.AdminProduct,
    responses=problems(*REFUSALS, "product_not_found"),
)
async def product(state: Catalog, slug: Token) -> Response:
    """A product as staff write it; its ETag is what If-Match takes."""
    return _versioned(await admin.product(state.primary, slug), "product_not_found")


def _versioned(found: admin.Versioned | None, missing: str) -> Response:
    if found is None:
        raise Refused(missing)
    return private(found.body, version=found.version)
