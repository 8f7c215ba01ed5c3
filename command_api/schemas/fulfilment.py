"""Shipments, and lines that are called off."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from command_api.schemas.base import Body, Line
from command_api.schemas.inventory import Sku, WarehouseCode

Units = Annotated[int, Field(ge=1, le=100_000)]


class SomeOf(Body):
    """Units of one line of the order."""

    sku: Sku
    quantity: Units


class ShipmentPlan(Body):
    """Which of an order's units go into parcels now; all that is left unless it says."""

    warehouse_code: WarehouseCode | None = Field(default=None, description="Only what lies in this warehouse.")
    lines: Annotated[list[SomeOf], Field(min_length=1, max_length=1000)] | None = None


class ShipmentStep(Body):
    """The next step of a shipment, and what is known of it by then."""

    status: Literal["picking", "packed", "shipped", "out_for_delivery", "delivered", "returned_to_origin", "cancelled"]
    carrier: Line | None = Field(default=None, examples=["BlueDart"])
    tracking_number: Line | None = Field(default=None, examples=["BD123456789IN"])
    tracking_url: Annotated[str, Field(pattern=r"^https://[^\s]{1,480}$")] | None = None
    packages: Annotated[int, Field(ge=1, le=1000)] | None = None
    weight_grams: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    restock: bool = Field(default=True, description="Of one that came back: whether the goods can be sold again.")


class LinesToCancel(Body):
    """Units that are no longer wanted, and why."""

    lines: Annotated[list[SomeOf], Field(min_length=1, max_length=1000)]
    reason: Line = Field(examples=["ordered twice"])


class ShipmentItem(BaseModel):
    """Units of one line in a shipment."""

    order_item_id: UUID
    sku: str
    title: str
    quantity: int


class Shipment(BaseModel):
    """A parcel, or several that go together; `version` is what If-Match takes."""

    id: UUID
    number: str
    warehouse: str
    status: str
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    packages: int
    weight_grams: int | None
    items: list[ShipmentItem]
    packed_at: datetime | None
    shipped_at: datetime | None
    closed_at: datetime | None
    version: int


class OrderShipments(BaseModel):
    """An order's shipments as they now are."""

    order_id: UUID
    order_status: str
    version: int
    shipments: list[Shipment]
