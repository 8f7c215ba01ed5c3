"""What the GETs about stock, holds, backorders, transfers and counts answer."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class StockPlace(BaseModel):
    """A SKU's stock in one warehouse; what lies in one that is not at work is not for sale."""

    warehouse: str
    is_active: bool
    on_hand: int
    reserved: int
    available: int


class StockLevelRow(BaseModel):
    """A SKU's stock, how it stands against its threshold, and what is sold beyond it."""

    sku: str
    product_slug: str
    title: str
    variant_title: str
    on_hand: int
    reserved: int
    available: int = Field(description="Units that can be sold now, from warehouses at work.")
    low_stock_threshold: int
    has_own_threshold: bool
    level: Literal["ok", "low", "out"]
    policy: Literal["deny", "backorder", "preorder"]
    backorder_limit: int
    backordered: int = Field(description="Units sold beyond the stock that wait for it.")
    available_from: datetime | None
    warehouses: list[StockPlace]


class StockLevelList(BaseModel):
    """A page of SKUs."""

    items: list[StockLevelRow]
    next_cursor: str | None


class ReservationRow(BaseModel):
    """Units of an order's line in one row of stock. `open` and `expired` ones are still kept from others."""

    id: UUID
    order_id: UUID
    order_number: str
    order_status: str
    sku: str
    warehouse: str
    bucket: int
    quantity: int
    restored_quantity: int
    state: Literal["open", "expired", "consumed", "released"]
    expires_at: datetime
    created_at: datetime
    closed_at: datetime | None


class ReservationList(BaseModel):
    """A page of holds."""

    items: list[ReservationRow]
    next_cursor: str | None


class BackorderRow(BaseModel):
    """Units of an order's line that were sold beyond the stock."""

    id: UUID
    order_id: UUID
    order_number: str
    order_status: str
    sku: str
    status: Literal["promised", "waiting", "allocated", "cancelled"]
    quantity: int
    allocated_quantity: int
    cancelled_quantity: int
    waiting_quantity: int
    expected_at: datetime | None
    created_at: datetime
    confirmed_at: datetime | None
    closed_at: datetime | None


class BackorderList(BaseModel):
    """A page of backorders."""

    items: list[BackorderRow]
    next_cursor: str | None


class TransferRow(BaseModel):
    """A transfer in a list."""

    id: UUID
    number: str
    status: Literal["draft", "in_transit", "received", "cancelled"]
    from_warehouse: str
    to_warehouse: str
    reference: str | None
    note: str | None
    created_by: UUID
    line_count: int
    units: int
    lost_units: int
    version: int
    created_at: datetime
    dispatched_at: datetime | None
    closed_at: datetime | None


class TransferList(BaseModel):
    """A page of transfers."""

    items: list[TransferRow]
    next_cursor: str | None


class TransferLineRow(BaseModel):
    """Units of one SKU in a transfer."""

    sku: str
    quantity: int
    received_quantity: int
    returned_quantity: int
    lost_quantity: int
    loss_reason: str | None


class TransferPage(TransferRow):
    """A transfer with its lines. ``version`` is the ETag."""

    lines: list[TransferLineRow]


class StockCountRow(BaseModel):
    """A stock count. ``version`` is the ETag."""

    id: UUID
    number: str
    status: Literal["open", "review", "posted", "cancelled"]
    warehouse: str
    note: str | None
    created_by: UUID
    line_count: int
    differing_lines: int
    difference: int
    version: int
    created_at: datetime
    closed_at: datetime | None


class StockCountList(BaseModel):
    """A page of stock counts."""

    items: list[StockCountRow]
    next_cursor: str | None


class StockCountLineRow(BaseModel):
    """What was counted of a SKU, what the books said then, and what they say now (``on_hand``)."""

    sku: str
    title: str
    variant_title: str
    expected_quantity: int
    counted_quantity: int
    difference: int
    on_hand: int
    counted_by: UUID
    counted_at: datetime


class StockCountLineList(BaseModel):
    """A page of counted SKUs."""

    items: list[StockCountLineRow]
    next_cursor: str | None
