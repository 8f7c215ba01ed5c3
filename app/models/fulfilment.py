"""Parcels: which units of an order leave which warehouse, by whom, and where they are."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, MaybeInstant, UuidPk, Version, one_of
from app.models.words import SHIPMENT_STATUSES


class Shipment(Base):
    """Units of one order that leave one warehouse together. An order may have several, one after the other."""

    __tablename__ = "shipments"

    id: Mapped[UuidPk]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    shipment_no: Mapped[int] = mapped_column(SmallInteger)
    warehouse_id: Mapped[UUID] = mapped_column(ForeignKey("warehouses.id"), index=True)
    status: Mapped[str] = mapped_column(Text, server_default=text("'planned'"))
    carrier: Mapped[str | None] = mapped_column(Text)
    tracking_number: Mapped[str | None] = mapped_column(Text)
    tracking_url: Mapped[str | None] = mapped_column(Text)
    packages: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    weight_grams: Mapped[int | None] = mapped_column(Integer)
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    packed_at: Mapped[MaybeInstant]
    shipped_at: Mapped[MaybeInstant]
    closed_at: Mapped[MaybeInstant]

    __table_args__ = (
        UniqueConstraint("order_id", "shipment_no"),
        one_of("status", SHIPMENT_STATUSES),
        CheckConstraint("shipment_no > 0", name="shipment_no_positive"),
        CheckConstraint("packages > 0", name="packages_positive"),
        CheckConstraint("weight_grams > 0", name="weight_positive"),
        CheckConstraint(
            "(status IN ('delivered', 'returned_to_origin', 'cancelled')) = (closed_at IS NOT NULL)",
            name="closed_when_ended",
        ),
        CheckConstraint(
            "status IN ('planned', 'picking', 'cancelled') OR packed_at IS NOT NULL", name="packed_says_when"
        ),
        CheckConstraint(
            "status IN ('planned', 'picking', 'packed', 'cancelled') OR shipped_at IS NOT NULL",
            name="shipped_says_when",
        ),
        Index("ix_shipments_status_id", "status", "id"),
        Index("ix_shipments_tracking_number", "tracking_number"),
    )


class ShipmentItem(Base):
    """How many units of an order's line are in a shipment."""

    __tablename__ = "shipment_items"

    shipment_id: Mapped[UUID] = mapped_column(ForeignKey("shipments.id"), primary_key=True)
    order_item_id: Mapped[UUID] = mapped_column(ForeignKey("order_items.id"), primary_key=True, index=True)
    quantity: Mapped[int] = mapped_column(Integer)

    __table_args__ = (CheckConstraint("quantity > 0", name="quantity_positive"),)
