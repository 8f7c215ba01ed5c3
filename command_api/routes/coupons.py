"""Coupons, by staff."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import Context, OptionalVersion, json_response
from app.core.openapi import problems
from app.core.security import CurrentStaff
from command_api.schemas.carts import CouponCode
from command_api.schemas.coupons import Coupon, CouponDefinition
from command_api.services import coupons
from command_api.state import State

router = APIRouter(prefix="/admin/coupons", tags=["admin coupons"])


@router.put(
    "/{code}",
    response_model=Coupon,
    responses={
        201: {"model": Coupon, "description": "Made."},
        **problems("unauthenticated", "forbidden", "coupon_not_found", "version_mismatch", "invalid_value"),
    },
)
async def save_coupon(
    code: Annotated[CouponCode, Path()],
    body: CouponDefinition,
    staff: CurrentStaff,
    context: Context,
    state: State,
    version: OptionalVersion,
) -> Response:
    """Make a coupon, or with If-Match replace all that is said about it. Its uses stay."""
    outcome = await coupons.save(state, staff.user_id, code, body.model_dump(mode="json"), version, context)
    made, _ = outcome.result.pop("created"), outcome.result.pop("changed")
    return json_response(outcome.result, 201 if made else 200, version=outcome.result["version"])
