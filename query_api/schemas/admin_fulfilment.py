"""Shipments and pick lists, as staff see them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


class AdminShipmentLine(BaseModel):
    """Units of one line."""

    order_item_id: UUID
    sku: str
    title: str
    quantity: int


class AdminShipment(BaseModel):
    """A shipment; its ETag (when read alone) is what If-Match takes."""

    id: UUID
    number: str
    order_id: UUID
    order_number: str
    order_status: str
    warehouse: str
    status: str
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    packages: int
    weight_grams: int | None
    items: list[AdminShipmentLine]
    version: int
    created_at: datetime
    updated_at: datetime
    packed_at: datetime | None
    shipped_at: datetime | None
    closed_at: datetime | None


class AdminShipmentList(BaseModel):
    """A page of shipments."""

    items: list[AdminShipment]
    next_cursor: str | None


class PickLine(BaseModel):
    """Units of a SKU to fetch, for how many shipments."""

    sku: str
    title: str
    quantity: int
    shipments: int


class PickList(BaseModel):
    """What is to be fetched from the shelves for all shipments that are planned or being picked."""

    items: list[PickLine]
    next_cursor: None = None
