"""Bodies and answers of stock operations: deliveries, transfers, counts, policies, thresholds, holds."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.utils.times import Moment
from command_api.schemas.base import Body, Line
from command_api.schemas.inventory import MAX_UNITS, Sku, Stock, Units, WarehouseCode

MAX_LINES = 500


class ReceiptLine(Body):
    """Units of one SKU in a delivery."""

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]
    reference: Line | None = Field(default=None, description="The supplier's, where it differs from the delivery's.")


class BulkReceipt(Body):
    """A delivery: many SKUs that arrived in one warehouse. All lines are received, or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "warehouse_code": "BLR",
                    "reference": "DN-2041",
                    "reason": "weekly delivery",
                    "lines": [{"sku": "MUG-RED", "quantity": 48}, {"sku": "MUG-BLUE", "quantity": 24}],
                }
            ]
        }
    )

    warehouse_code: WarehouseCode
    lines: Annotated[list[ReceiptLine], Field(min_length=1, max_length=MAX_LINES)]
    reason: Line | None = None
    reference: Line | None = Field(default=None, description="The supplier's delivery note or invoice.")


class Received(BaseModel):
    """A delivery as it was received, with each SKU's stock after it."""

    warehouse: str
    reference: str | None
    units: int
    lines: list[Stock]


class TransferLine(Body):
    """Units of one SKU to be moved."""

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]


class TransferDraft(Body):
    """A transfer between two warehouses, as a draft: nothing moves until it is dispatched."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"from_warehouse": "BLR", "to_warehouse": "DEL", "lines": [{"sku": "MUG-RED", "quantity": 12}]}
            ]
        }
    )

    from_warehouse: WarehouseCode
    to_warehouse: WarehouseCode
    lines: Annotated[list[TransferLine], Field(min_length=1, max_length=MAX_LINES)]
    reference: Line | None = Field(default=None, description="For instance the carrier's consignment number.")
    note: Line | None = None


class ArrivedLine(Body):
    """What arrived of one SKU."""

    sku: Sku
    quantity: Units


class TransferReceipt(Body):
    """What arrived. A SKU that is not named arrived whole; what is missing of one that is named is lost."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"lines": [{"sku": "MUG-RED", "quantity": 11}], "reason": "one broken"}]}
    )

    lines: Annotated[list[ArrivedLine], Field(min_length=1, max_length=MAX_LINES)] | None = None
    reason: Line | None = Field(default=None, description="Why units are missing; required when some are.")


class Reason(Body):
    """Why it is done."""

    reason: Line


class TransferLineState(BaseModel):
    """Units of one SKU in a transfer: sent, received, brought back to the source, lost."""

    sku: str
    quantity: int
    received_quantity: int
    returned_quantity: int
    lost_quantity: int
    loss_reason: str | None


class Transfer(BaseModel):
    """A transfer. `version` is the ETag."""

    id: UUID
    number: str
    status: Literal["draft", "in_transit", "received", "cancelled"]
    from_warehouse: str
    to_warehouse: str
    reference: str | None
    note: str | None
    version: int
    created_at: datetime
    dispatched_at: datetime | None
    closed_at: datetime | None
    lines: list[TransferLineState]


class CountOpening(Body):
    """A count of a warehouse, or of part of it."""

    warehouse_code: WarehouseCode = Field(examples=["BLR"])
    note: Line | None = Field(default=None, examples=["aisle B"])


class CountedLine(Body):
    """What was counted of one SKU."""

    sku: Sku
    counted_quantity: Units
    expected_quantity: Units | None = Field(
        default=None, description="What the books said when it was counted; without it, what they say now."
    )


class CountedLines(Body):
    """What was counted. A SKU that is in the count already is counted again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lines": [{"sku": "MUG-RED", "counted_quantity": 40}]}]})

    lines: Annotated[list[CountedLine], Field(min_length=1, max_length=MAX_LINES)]


class StockCount(BaseModel):
    """A stock count. `difference` is counted less expected, over all lines; `version` is the ETag."""

    id: UUID
    number: str
    status: Literal["open", "review", "posted", "cancelled"]
    warehouse: str
    note: str | None
    version: int
    created_at: datetime
    closed_at: datetime | None
    line_count: int
    differing_lines: int
    difference: int


class PolicyBody(Body):
    """What happens when the SKU runs out. `backorder_limit` is how many units may wait for stock at one time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"policy": "backorder", "backorder_limit": 50, "available_from": None},
                {"policy": "preorder", "backorder_limit": 500, "available_from": "2030-11-01T00:00:00+05:30"},
                {"policy": "deny"},
            ]
        }
    )

    policy: Literal["deny", "backorder", "preorder"]
    backorder_limit: Annotated[int, Field(ge=1, le=MAX_UNITS)] | None = None
    available_from: Moment | None = Field(default=None, description="When it is expected to ship.")

    @model_validator(mode="after")
    def _fits(self) -> "PolicyBody":
        if (self.policy == "deny") != (self.backorder_limit is None):
            raise ValueError("backorder_limit goes with backorder and preorder, and only with them")
        if self.policy == "preorder" and self.available_from is None:
            raise ValueError("a preorder says when it ships: available_from")
        if self.policy == "deny" and self.available_from is not None:
            raise ValueError("what is not sold beyond the stock has no available_from")
        return self


class StockPolicy(BaseModel):
    """What happens when the SKU runs out, and how many units wait for stock now."""

    sku: str
    policy: Literal["deny", "backorder", "preorder"]
    backorder_limit: int
    backordered: int
    available_from: datetime | None


class ThresholdBody(Body):
    """At how many units, or fewer, the SKU counts as low. Null: as the store's settings say."""

    low_stock_threshold: Units | None = Field(examples=[10])


class Threshold(BaseModel):
    """At how many units the SKU counts as low, whether that is its own number, and how its stock stands."""

    sku: str
    low_stock_threshold: int
    is_own: bool
    level: Literal["ok", "low", "out"]
