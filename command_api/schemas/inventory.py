"""Bodies and answers of stock keeping."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from command_api.schemas.base import Body, Line

MAX_UNITS = 1_000_000
Sku = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
WarehouseCode = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[\x21-\x7e]+$")]
Units = Annotated[int, Field(ge=0, le=MAX_UNITS)]


class Receipt(Body):
    """Units that arrived in a warehouse."""

    sku: Sku
    warehouse_code: WarehouseCode = Field(examples=["BLR"])
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]
    reason: Line | None = None
    reference: Line | None = Field(default=None, description="For instance the supplier's delivery note.")


class Adjustment(Body):
    """A correction: a difference (`adjustment`), a loss (`damage`, negative), or what was counted (`count`)."""

    sku: Sku
    warehouse_code: WarehouseCode
    kind: Literal["adjustment", "count", "damage"]
    quantity_delta: Annotated[int, Field(ge=-MAX_UNITS, le=MAX_UNITS)] | None = None
    counted_quantity: Units | None = None
    expected_quantity: Units | None = Field(
        default=None, description="What was on hand when it was looked at; another quantity is refused."
    )
    reason: Line

    @model_validator(mode="after")
    def _one_number(self) -> "Adjustment":
        if (self.kind == "count") != (self.counted_quantity is not None):
            raise ValueError("counted_quantity goes with the kind count, and only with it")
        if (self.kind != "count") != (self.quantity_delta is not None):
            raise ValueError("quantity_delta goes with the kinds adjustment and damage, and only with them")
        return self


class BucketCount(Body):
    """Over how many rows a SKU's stock is spread: more of them let more checkouts run side by side."""

    bucket_count: Annotated[int, Field(ge=1, le=64)]


class Stock(BaseModel):
    """A SKU's stock in one warehouse after the change."""

    sku: str
    warehouse: str
    on_hand: int
    reserved: int
    available: int
    moved: int


class Buckets(BaseModel):
    """How a SKU's stock is spread now; `moved` units changed rows."""

    sku: str
    bucket_count: int
    moved: int
