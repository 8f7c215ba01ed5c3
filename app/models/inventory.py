"""Stock: where it lies, what is promised, and the ledger of every unit that moved."""

from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, Instant, MaybeInstant, UuidPk, Version, one_of
from app.models.words import DAMAGE_REASONS

MOVEMENT_KINDS = (
    "receipt",
    "sale",
    "restock",
    "adjustment",
    "count",
    "damage",
    "transfer_out",
    "transfer_in",
    "rebucket_out",
    "rebucket_in",
)


class Warehouse(Base):
    """A place stock is shipped from; lower ``priority`` is drawn from first."""

    __tablename__ = "warehouses"

    id: Mapped[UuidPk]
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    state_code: Mapped[str] = mapped_column(Text)
    pincode: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(Integer, server_default=text("100"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("state_code ~ '^[A-Z]{2}$'", name="state_code_shape"),
        CheckConstraint("pincode ~ '^[1-9][0-9]{5}$'", name="pincode_shape"),
    )


class Inventory(Base):
    """Stock of one variant in one warehouse, spread over buckets so that one hot SKU is not one hot row.

    ``on_hand`` is what lies on the shelf; ``reserved`` is the part of it promised to open holds.
    """

    __tablename__ = "inventory"

    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.id"), primary_key=True)
    warehouse_id: Mapped[UUID] = mapped_column(ForeignKey("warehouses.id"), primary_key=True, index=True)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    on_hand: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    reserved: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    version: Mapped[Version]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="on_hand_not_negative"),
        CheckConstraint("reserved BETWEEN 0 AND on_hand", name="reserved_within_on_hand"),
        CheckConstraint("bucket >= 0", name="bucket_not_negative"),
        {"postgresql_with": {"fillfactor": "70"}},
    )


class InventoryReservation(Base):
    """A hold of stock for one order line in one inventory row, open (``held``) until it is consumed or released."""

    __tablename__ = "inventory_reservations"

    id: Mapped[UuidPk]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    order_item_id: Mapped[UUID] = mapped_column(ForeignKey("order_items.id"), index=True)
    variant_id: Mapped[UUID]
    warehouse_id: Mapped[UUID]
    bucket: Mapped[int] = mapped_column(SmallInteger)
    quantity: Mapped[int] = mapped_column(Integer)
    restored_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    status: Mapped[str] = mapped_column(Text, server_default=text("'held'"))
    expires_at: Mapped[Instant]
    created_at: Mapped[CreatedAt]
    closed_at: Mapped[MaybeInstant]

    __table_args__ = (
        one_of("status", ("held", "consumed", "released")),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("restored_quantity BETWEEN 0 AND quantity", name="restored_within_quantity"),
        CheckConstraint("status = 'consumed' OR restored_quantity = 0", name="only_consumed_is_restored"),
        CheckConstraint("(status = 'held') = (closed_at IS NULL)", name="closed_when_not_held"),
        ForeignKeyConstraint(
            ["variant_id", "warehouse_id", "bucket"],
            ["inventory.variant_id", "inventory.warehouse_id", "inventory.bucket"],
        ),
        Index("ix_inventory_reservations_row", "variant_id", "warehouse_id", "bucket"),
        # Led by the order, so that an order's open holds are found by it, and no plan reads those of all others.
        Index(
            "uq_inventory_reservations_held",
            "order_id",
            "order_item_id",
            "warehouse_id",
            "bucket",
            unique=True,
            postgresql_where=text("status = 'held'"),
        ),
    )


class StockMovement(Base):
    """Ledger of units: ``on_hand`` of an inventory row is the sum of its movements. Append-only."""

    __tablename__ = "stock_movements"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    variant_id: Mapped[UUID]
    warehouse_id: Mapped[UUID]
    bucket: Mapped[int] = mapped_column(SmallInteger)
    kind: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int] = mapped_column(Integer)
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id"), index=True)
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    actor_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    reference: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    reason_code: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        one_of("kind", MOVEMENT_KINDS),
        one_of("reason_code", DAMAGE_REASONS),
        CheckConstraint("(kind = 'damage') = (reason_code IS NOT NULL)", name="damage_has_reason"),
        CheckConstraint("quantity <> 0", name="quantity_not_zero"),
        CheckConstraint(
            "CASE WHEN kind IN ('receipt', 'restock', 'transfer_in', 'rebucket_in') THEN quantity > 0"
            " WHEN kind IN ('sale', 'damage', 'transfer_out', 'rebucket_out') THEN quantity < 0 ELSE true END",
            name="sign_fits_kind",
        ),
        CheckConstraint("kind <> 'sale' OR order_id IS NOT NULL", name="sale_has_order"),
        ForeignKeyConstraint(
            ["variant_id", "warehouse_id", "bucket"],
            ["inventory.variant_id", "inventory.warehouse_id", "inventory.bucket"],
        ),
        Index("ix_stock_movements_row", "variant_id", "warehouse_id", "bucket"),
    )
