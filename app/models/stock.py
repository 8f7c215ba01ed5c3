"""Stock operations: what may be sold beyond the shelf, low stock, goods between warehouses, and counting."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, MaybeInstant, UuidPk, Version, not_negative, one_of

STOCK_POLICIES = ("deny", "backorder", "preorder")
BACKORDER_STATUSES = ("promised", "waiting", "allocated", "cancelled")
STOCK_LEVELS = ("ok", "low", "out")
TRANSFER_STATUSES = ("draft", "in_transit", "received", "cancelled")
COUNT_STATUSES = ("open", "review", "posted", "cancelled")


class StockPolicy(Base):
    """What happens when a SKU runs out. A variant with no row is ``deny``: sold out is sold out.

    ``backordered`` counts the units sold beyond the shelf that nobody has been given yet. Its row is locked only by
    checkouts that are short of stock, and before any inventory row.
    """

    __tablename__ = "stock_policies"

    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.id"), primary_key=True)
    policy: Mapped[str] = mapped_column(Text)
    backorder_limit: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    backordered: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    available_from: Mapped[MaybeInstant]
    version: Mapped[Version]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("policy", STOCK_POLICIES),
        CheckConstraint("backorder_limit >= 0", name="limit_not_negative"),
        CheckConstraint("backordered BETWEEN 0 AND backorder_limit", name="backordered_within_limit"),
        CheckConstraint("policy <> 'preorder' OR available_from IS NOT NULL", name="preorder_has_date"),
        {"postgresql_with": {"fillfactor": "50"}},
    )


class Backorder(Base):
    """Units of an order line that were sold beyond the shelf.

    ``promised`` while the order is unpaid, ``waiting`` from its confirmation until stock is allocated to it; what is
    allocated becomes a consumed reservation like any sale. First confirmed, first served.
    """

    __tablename__ = "backorders"

    id: Mapped[UuidPk]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    order_item_id: Mapped[UUID] = mapped_column(ForeignKey("order_items.id"), index=True)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.id"), index=True)
    quantity: Mapped[int] = mapped_column(Integer)
    allocated_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    cancelled_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    status: Mapped[str] = mapped_column(Text, server_default=text("'promised'"))
    expected_at: Mapped[MaybeInstant]
    created_at: Mapped[CreatedAt]
    confirmed_at: Mapped[MaybeInstant]
    closed_at: Mapped[MaybeInstant]

    __table_args__ = (
        one_of("status", BACKORDER_STATUSES),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        *not_negative("allocated_quantity", "cancelled_quantity"),
        CheckConstraint("allocated_quantity + cancelled_quantity <= quantity", name="parts_within_quantity"),
        CheckConstraint(
            "(status IN ('promised', 'waiting')) = (allocated_quantity + cancelled_quantity < quantity)",
            name="open_while_units_wait",
        ),
        CheckConstraint("(status IN ('promised', 'waiting')) = (closed_at IS NULL)", name="closed_when_not_open"),
        CheckConstraint("status <> 'promised' OR confirmed_at IS NULL", name="promised_is_unconfirmed"),
        CheckConstraint("confirmed_at IS NOT NULL OR allocated_quantity = 0", name="allocated_is_confirmed"),
        CheckConstraint("status <> 'waiting' OR confirmed_at IS NOT NULL", name="waiting_is_confirmed"),
        Index(
            "uq_backorders_open_line",
            "order_item_id",
            unique=True,
            postgresql_where=text("status IN ('promised', 'waiting')"),
        ),
        Index("ix_backorders_queue", "variant_id", "confirmed_at", "id", postgresql_where=text("status = 'waiting'")),
    )


class StockLevel(Base):
    """Whether a SKU was low or out when it was last looked at: an event is written only when that changes.

    ``low_stock_threshold`` NULL: the store's own, in store_settings.
    """

    __tablename__ = "stock_levels"

    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.id"), primary_key=True)
    low_stock_threshold: Mapped[int | None] = mapped_column(Integer)
    level: Mapped[str] = mapped_column(Text, server_default=text("'ok'"))
    version: Mapped[Version]
    noted_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("level", STOCK_LEVELS),
        *not_negative("low_stock_threshold"),
        Index("ix_stock_levels_short", "level", "variant_id", postgresql_where=text("level <> 'ok'")),
    )


class StockTransfer(Base):
    """An order to move goods from one warehouse to another. What is in transit lies on no shelf."""

    __tablename__ = "stock_transfers"

    id: Mapped[UuidPk]
    number: Mapped[str] = mapped_column(
        Text, unique=True, server_default=text("'TR' || nextval('store.stock_transfer_number_seq')")
    )
    from_warehouse_id: Mapped[UUID] = mapped_column(ForeignKey("warehouses.id"), index=True)
    to_warehouse_id: Mapped[UUID] = mapped_column(ForeignKey("warehouses.id"), index=True)
    status: Mapped[str] = mapped_column(Text, server_default=text("'draft'"))
    note: Mapped[str | None] = mapped_column(Text)
    reference: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    dispatched_at: Mapped[MaybeInstant]
    closed_at: Mapped[MaybeInstant]

    __table_args__ = (
        one_of("status", TRANSFER_STATUSES),
        CheckConstraint("from_warehouse_id <> to_warehouse_id", name="two_warehouses"),
        CheckConstraint("status = 'draft' OR status = 'cancelled' OR dispatched_at IS NOT NULL", name="sent_has_time"),
        CheckConstraint("(status IN ('received', 'cancelled')) = (closed_at IS NOT NULL)", name="closed_has_time"),
    )


class StockTransferLine(Base):
    """Units of one SKU in a transfer: ``quantity`` = received + returned + lost once it has ended."""

    __tablename__ = "stock_transfer_lines"

    transfer_id: Mapped[UUID] = mapped_column(ForeignKey("stock_transfers.id"), primary_key=True)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.id"), primary_key=True, index=True)
    quantity: Mapped[int] = mapped_column(Integer)
    received_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    returned_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    lost_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    loss_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        *not_negative("received_quantity", "returned_quantity", "lost_quantity"),
        CheckConstraint("received_quantity + returned_quantity + lost_quantity IN (0, quantity)", name="ends_whole"),
        CheckConstraint("lost_quantity = 0 OR loss_reason IS NOT NULL", name="loss_has_reason"),
    )


class StockCount(Base):
    """A count of (part of) a warehouse: SKUs are counted while it is open, looked over in review, then posted."""

    __tablename__ = "stock_counts"

    id: Mapped[UuidPk]
    number: Mapped[str] = mapped_column(
        Text, unique=True, server_default=text("'SC' || nextval('store.stock_count_number_seq')")
    )
    warehouse_id: Mapped[UUID] = mapped_column(ForeignKey("warehouses.id"), index=True)
    status: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    note: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    closed_at: Mapped[MaybeInstant]

    __table_args__ = (
        one_of("status", COUNT_STATUSES),
        CheckConstraint("(status IN ('posted', 'cancelled')) = (closed_at IS NOT NULL)", name="closed_has_time"),
    )


class StockCountLine(Base):
    """What was counted of one SKU, and what the books said at that moment. Posting moves the difference of the two.

    A SKU is in one unfinished count of a warehouse at a time: else a difference would be posted twice.
    """

    __tablename__ = "stock_count_lines"

    count_id: Mapped[UUID] = mapped_column(ForeignKey("stock_counts.id"), primary_key=True)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.id"), primary_key=True, index=True)
    warehouse_id: Mapped[UUID] = mapped_column(ForeignKey("warehouses.id"), index=True)
    expected_quantity: Mapped[int] = mapped_column(Integer)
    counted_quantity: Mapped[int] = mapped_column(Integer)
    difference: Mapped[int] = mapped_column(BigInteger)
    is_open: Mapped[bool] = mapped_column(server_default=text("true"))
    counted_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    counted_at: Mapped[CreatedAt]

    __table_args__ = (
        *not_negative("expected_quantity", "counted_quantity"),
        CheckConstraint("difference = counted_quantity - expected_quantity", name="difference_adds_up"),
        Index("uq_stock_count_lines_open", "warehouse_id", "variant_id", unique=True, postgresql_where=text("is_open")),
    )
