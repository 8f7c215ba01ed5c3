"""Bodies and answers of stock keeping."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.models.words import DAMAGE_REASONS
from command_api.schemas.base import Body, Line

MAX_UNITS = 1_000_000
Sku = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
WarehouseCode = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[\x21-\x7e]+$")]
Units = Annotated[int, Field(ge=0, le=MAX_UNITS)]
DamageReason = Literal[DAMAGE_REASONS]  # type: ignore[valid-type]


class Receipt(Body):
    """Units that arrived in a warehouse."""

    sku: Sku
    warehouse_code: WarehouseCode = Field(examples=["BLR"])
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]
    reason: Line | None = None
    reference: Line | None = Field(default=None, description="For instance the supplier's delivery note.")


class Adjustment(Body):
    """A correction: a difference (`adjustment`), a loss (`damage`, negative), or what was counted (`count`).

    To set what is on hand, send the kind `count` with `expected_quantity`: compare-and-set, 409 when it changed.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sku": "MUG-RED",
                    "warehouse_code": "BLR",
                    "kind": "count",
                    "counted_quantity": 41,
                    "expected_quantity": 42,
                    "reason": "shelf B4 looked over",
                },
                {
                    "sku": "MUG-RED",
                    "warehouse_code": "BLR",
                    "kind": "damage",
                    "quantity_delta": -2,
                    "reason_code": "broken",
                    "reason": "fell off the trolley",
                },
            ]
        }
    )

    sku: Sku
    warehouse_code: WarehouseCode
    kind: Literal["adjustment", "count", "damage"]
    quantity_delta: Annotated[int, Field(ge=-MAX_UNITS, le=MAX_UNITS)] | None = None
    counted_quantity: Units | None = None
    expected_quantity: Units | None = Field(
        default=None, description="What was on hand when it was looked at; another quantity is refused."
    )
    reason_code: DamageReason | None = Field(default=None, description="What damaged it; goes with the kind damage.")
    reason: Line

    @model_validator(mode="after")
    def _one_number(self) -> "Adjustment":
        if (self.kind == "count") != (self.counted_quantity is not None):
            raise ValueError("counted_quantity goes with the kind count, and only with it")
        if (self.kind != "count") != (self.quantity_delta is not None):
            raise ValueError("quantity_delta goes with the kinds adjustment and damage, and only with them")
        if (self.kind == "damage") != (self.reason_code is not None):
            raise ValueError("reason_code goes with the kind damage, and only with it")
        return self


class BucketCount(Body):
    """Over how many rows a SKU's stock is spread: more of them let more checkouts run side by side."""

    bucket_count: Annotated[int, Field(ge=1, le=64)]


class Stock(BaseModel):
    """A SKU's stock in one warehouse after the change; `allocated` units of it went to orders that waited for them."""

    sku: str
    warehouse: str
    on_hand: int
    reserved: int
    available: int
    moved: int
    allocated: int


class Buckets(BaseModel):
    """How a SKU's stock is spread now; `moved` units changed rows."""

    sku: str
    bucket_count: int
    moved: int
