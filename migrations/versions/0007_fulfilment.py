"""Shipments by warehouse, and what of an order is in each."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PERMISSIONS = {"fulfilment.write": ("owner", "orders", "inventory")}
STATUSES = (
    "'planned', 'picking', 'packed', 'shipped', 'out_for_delivery', 'delivered', 'returned_to_origin', 'cancelled'"
)


def upgrade() -> None:
    """The two tables, who may do what with them, and a shipment for each order that is on its way already."""
    op.create_table(
        "shipments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("shipment_no", sa.SmallInteger(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("tracking_number", sa.Text(), nullable=True),
        sa.Column("tracking_url", sa.Text(), nullable=True),
        sa.Column("packages", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("weight_grams", sa.Integer(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("packed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status IN ('delivered', 'returned_to_origin', 'cancelled')) = (closed_at IS NOT NULL)",
            name=op.f("ck_shipments_closed_when_ended"),
        ),
        sa.CheckConstraint("packages > 0", name=op.f("ck_shipments_packages_positive")),
        sa.CheckConstraint("shipment_no > 0", name=op.f("ck_shipments_shipment_no_positive")),
        sa.CheckConstraint(
            "status IN ('planned', 'picking', 'cancelled') OR packed_at IS NOT NULL",
            name=op.f("ck_shipments_packed_says_when"),
        ),
        sa.CheckConstraint(
            "status IN ('planned', 'picking', 'packed', 'cancelled') OR shipped_at IS NOT NULL",
            name=op.f("ck_shipments_shipped_says_when"),
        ),
        sa.CheckConstraint(f"status IN ({STATUSES})", name=op.f("ck_shipments_status_known")),
        sa.CheckConstraint("weight_grams > 0", name=op.f("ck_shipments_weight_positive")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_shipments_order_id_orders")),
        sa.ForeignKeyConstraint(
            ["warehouse_id"], ["store.warehouses.id"], name=op.f("fk_shipments_warehouse_id_warehouses")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipments")),
        sa.UniqueConstraint("order_id", "shipment_no", name=op.f("uq_shipments_order_id_shipment_no")),
        schema="store",
    )
    op.create_index("ix_shipments_status_id", "shipments", ["status", "id"], schema="store")
    op.create_index("ix_shipments_tracking_number", "shipments", ["tracking_number"], schema="store")
    op.create_index(op.f("ix_shipments_warehouse_id"), "shipments", ["warehouse_id"], schema="store")
    op.create_table(
        "shipment_items",
        sa.Column("shipment_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_shipment_items_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["order_item_id"], ["store.order_items.id"], name=op.f("fk_shipment_items_order_item_id_order_items")
        ),
        sa.ForeignKeyConstraint(
            ["shipment_id"], ["store.shipments.id"], name=op.f("fk_shipment_items_shipment_id_shipments")
        ),
        sa.PrimaryKeyConstraint("shipment_id", "order_item_id", name=op.f("pk_shipment_items")),
        schema="store",
    )
    op.create_index(op.f("ix_shipment_items_order_item_id"), "shipment_items", ["order_item_id"], schema="store")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON store.shipments, store.shipment_items TO kirana_writer")
    op.execute("GRANT SELECT ON store.shipments, store.shipment_items TO kirana_query, kirana_projector")
    op.get_bind().execute(
        sa.text("INSERT INTO store.staff_role_permissions (role, permission) VALUES (:role, :permission)"),
        [{"role": role, "permission": permission} for permission, roles in PERMISSIONS.items() for role in roles],
    )
    for statement in BROUGHT_OVER:
        op.execute(statement)


# What was packed or shipped as a whole becomes one shipment a warehouse, in the order's own status.
BROUGHT_OVER = (
    "INSERT INTO store.shipments (order_id, shipment_no, warehouse_id, status, packed_at, shipped_at, closed_at)"
    " SELECT o.id, row_number() OVER (PARTITION BY o.id ORDER BY r.warehouse_id), r.warehouse_id, o.status,"
    " o.updated_at, CASE WHEN o.status <> 'packed' THEN o.updated_at END,"
    " CASE WHEN o.status = 'delivered' THEN o.updated_at END"
    " FROM store.orders AS o JOIN (SELECT DISTINCT order_id, warehouse_id FROM store.inventory_reservations"
    " WHERE status = 'consumed') AS r ON r.order_id = o.id"
    " WHERE o.status IN ('packed', 'shipped', 'out_for_delivery', 'delivered')",
    "INSERT INTO store.shipment_items (shipment_id, order_item_id, quantity)"
    " SELECT s.id, r.order_item_id, sum(r.quantity) FROM store.shipments AS s"
    " JOIN store.inventory_reservations AS r ON r.order_id = s.order_id AND r.warehouse_id = s.warehouse_id"
    " AND r.status = 'consumed' GROUP BY s.id, r.order_item_id",
)


def downgrade() -> None:
    """The tables go; the orders' own statuses tell where they are."""
    op.get_bind().execute(
        sa.text("DELETE FROM store.staff_role_permissions WHERE permission = ANY(:permissions)"),
        {"permissions": list(PERMISSIONS)},
    )
    op.drop_table("shipment_items", schema="store")
    op.drop_table("shipments", schema="store")
