"""Transfers, cycle counts, low-stock thresholds, backorder and preorder policies."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DAMAGE_REASONS = ("broken", "expired", "spoiled", "water", "transit", "theft", "missing", "returned_unfit", "other")
SEQUENCES = ("stock_transfer_number_seq", "stock_count_number_seq")
TABLES = (
    "stock_count_lines",
    "stock_counts",
    "stock_transfer_lines",
    "stock_transfers",
    "backorders",
    "stock_levels",
    "stock_policies",
)


def upgrade() -> None:
    """New tables, three columns, and who may read and write them."""
    for sequence in SEQUENCES:
        op.execute(f"CREATE SEQUENCE store.{sequence} START 100001")
    _create_policies()
    _create_transfers()
    _create_counts()
    _add_columns()
    listed = ", ".join(f"store.{table}" for table in TABLES)
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {listed} TO kirana_writer")
    op.execute(f"GRANT SELECT ON {listed} TO kirana_query, kirana_projector")
    op.execute(f"GRANT USAGE ON SEQUENCE {', '.join(f'store.{name}' for name in SEQUENCES)} TO kirana_writer")
    # what lies there already is noted as it is: no SKU becomes low by being looked at for the first time
    op.execute("""
        INSERT INTO store.stock_levels (variant_id, level)
        SELECT s.variant_id, CASE WHEN s.units <= 0 THEN 'out' WHEN s.units <= t.low_stock_threshold THEN 'low' ELSE 'ok' END
        FROM (
            SELECT i.variant_id, COALESCE(sum(i.on_hand - i.reserved) FILTER (WHERE w.is_active), 0) AS units
            FROM store.inventory AS i JOIN store.warehouses AS w ON w.id = i.warehouse_id GROUP BY i.variant_id
        ) AS s
        CROSS JOIN store.store_settings AS t
    """)


def _add_columns() -> None:
    op.add_column(
        "store_settings",
        sa.Column("low_stock_threshold", sa.Integer(), server_default=sa.text("5"), nullable=False),
        schema="store",
    )
    op.create_check_constraint(
        op.f("ck_store_settings_low_stock_threshold_not_negative"),
        "store_settings",
        "low_stock_threshold >= 0",
        schema="store",
    )
    op.add_column(
        "cart_items",
        sa.Column("backordered_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        schema="store",
    )
    op.create_check_constraint(
        op.f("ck_cart_items_backordered_within_quantity"),
        "cart_items",
        "backordered_quantity BETWEEN 0 AND quantity",
        schema="store",
    )
    op.add_column("stock_movements", sa.Column("reason_code", sa.Text()), schema="store")
    op.execute("UPDATE store.stock_movements SET reason_code = 'other' WHERE kind = 'damage'")
    known = ", ".join(f"'{reason}'" for reason in DAMAGE_REASONS)
    op.create_check_constraint(
        op.f("ck_stock_movements_reason_code_known"), "stock_movements", f"reason_code IN ({known})", schema="store"
    )
    op.create_check_constraint(
        op.f("ck_stock_movements_damage_has_reason"),
        "stock_movements",
        "(kind = 'damage') = (reason_code IS NOT NULL)",
        schema="store",
    )


def _create_policies() -> None:
    op.create_table(
        "stock_policies",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("backorder_limit", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("backordered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("available_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "policy <> 'preorder' OR available_from IS NOT NULL", name=op.f("ck_stock_policies_preorder_has_date")
        ),
        sa.CheckConstraint("policy IN ('deny', 'backorder', 'preorder')", name=op.f("ck_stock_policies_policy_known")),
        sa.CheckConstraint("backorder_limit >= 0", name=op.f("ck_stock_policies_limit_not_negative")),
        sa.CheckConstraint(
            "backordered BETWEEN 0 AND backorder_limit", name=op.f("ck_stock_policies_backordered_within_limit")
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["store.product_variants.id"], name=op.f("fk_stock_policies_variant_id_product_variants")
        ),
        sa.PrimaryKeyConstraint("variant_id", name=op.f("pk_stock_policies")),
        schema="store",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "backorders",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("allocated_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancelled_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'promised'"), nullable=False),
        sa.Column("expected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status IN ('promised', 'waiting')) = (allocated_quantity + cancelled_quantity < quantity)",
            name=op.f("ck_backorders_open_while_units_wait"),
        ),
        sa.CheckConstraint(
            "(status IN ('promised', 'waiting')) = (closed_at IS NULL)", name=op.f("ck_backorders_closed_when_not_open")
        ),
        sa.CheckConstraint(
            "status <> 'promised' OR confirmed_at IS NULL", name=op.f("ck_backorders_promised_is_unconfirmed")
        ),
        sa.CheckConstraint(
            "status <> 'waiting' OR confirmed_at IS NOT NULL", name=op.f("ck_backorders_waiting_is_confirmed")
        ),
        sa.CheckConstraint(
            "status IN ('promised', 'waiting', 'allocated', 'cancelled')", name=op.f("ck_backorders_status_known")
        ),
        sa.CheckConstraint(
            "allocated_quantity + cancelled_quantity <= quantity", name=op.f("ck_backorders_parts_within_quantity")
        ),
        sa.CheckConstraint("allocated_quantity >= 0", name=op.f("ck_backorders_allocated_quantity_not_negative")),
        sa.CheckConstraint("cancelled_quantity >= 0", name=op.f("ck_backorders_cancelled_quantity_not_negative")),
        sa.CheckConstraint(
            "confirmed_at IS NOT NULL OR allocated_quantity = 0", name=op.f("ck_backorders_allocated_is_confirmed")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_backorders_quantity_positive")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_backorders_order_id_orders")),
        sa.ForeignKeyConstraint(
            ["order_item_id"], ["store.order_items.id"], name=op.f("fk_backorders_order_item_id_order_items")
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["store.product_variants.id"], name=op.f("fk_backorders_variant_id_product_variants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backorders")),
        schema="store",
    )
    op.create_index(op.f("ix_backorders_order_id"), "backorders", ["order_id"], unique=False, schema="store")
    op.create_index(op.f("ix_backorders_order_item_id"), "backorders", ["order_item_id"], unique=False, schema="store")
    op.create_index(
        "ix_backorders_queue",
        "backorders",
        ["variant_id", "confirmed_at", "id"],
        unique=False,
        schema="store",
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(op.f("ix_backorders_variant_id"), "backorders", ["variant_id"], unique=False, schema="store")
    op.create_index(
        "uq_backorders_open_line",
        "backorders",
        ["order_item_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status IN ('promised', 'waiting')"),
    )
    op.create_table(
        "stock_levels",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("low_stock_threshold", sa.Integer(), nullable=True),
        sa.Column("level", sa.Text(), server_default=sa.text("'ok'"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("level IN ('ok', 'low', 'out')", name=op.f("ck_stock_levels_level_known")),
        sa.CheckConstraint("low_stock_threshold >= 0", name=op.f("ck_stock_levels_low_stock_threshold_not_negative")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["store.product_variants.id"], name=op.f("fk_stock_levels_variant_id_product_variants")
        ),
        sa.PrimaryKeyConstraint("variant_id", name=op.f("pk_stock_levels")),
        schema="store",
    )
    op.create_index(
        "ix_stock_levels_short",
        "stock_levels",
        ["level", "variant_id"],
        unique=False,
        schema="store",
        postgresql_where=sa.text("level <> 'ok'"),
    )


def _create_transfers() -> None:
    op.create_table(
        "stock_transfers",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "number",
            sa.Text(),
            server_default=sa.text("'TR' || nextval('store.stock_transfer_number_seq')"),
            nullable=False,
        ),
        sa.Column("from_warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("to_warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status IN ('received', 'cancelled')) = (closed_at IS NOT NULL)",
            name=op.f("ck_stock_transfers_closed_has_time"),
        ),
        sa.CheckConstraint(
            "status = 'draft' OR status = 'cancelled' OR dispatched_at IS NOT NULL",
            name=op.f("ck_stock_transfers_sent_has_time"),
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'in_transit', 'received', 'cancelled')", name=op.f("ck_stock_transfers_status_known")
        ),
        sa.CheckConstraint("from_warehouse_id <> to_warehouse_id", name=op.f("ck_stock_transfers_two_warehouses")),
        sa.ForeignKeyConstraint(["created_by"], ["store.users.id"], name=op.f("fk_stock_transfers_created_by_users")),
        sa.ForeignKeyConstraint(
            ["from_warehouse_id"], ["store.warehouses.id"], name=op.f("fk_stock_transfers_from_warehouse_id_warehouses")
        ),
        sa.ForeignKeyConstraint(
            ["to_warehouse_id"], ["store.warehouses.id"], name=op.f("fk_stock_transfers_to_warehouse_id_warehouses")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_transfers")),
        sa.UniqueConstraint("number", name=op.f("uq_stock_transfers_number")),
        schema="store",
    )
    op.create_index(
        op.f("ix_stock_transfers_created_by"), "stock_transfers", ["created_by"], unique=False, schema="store"
    )
    op.create_index(
        op.f("ix_stock_transfers_from_warehouse_id"),
        "stock_transfers",
        ["from_warehouse_id"],
        unique=False,
        schema="store",
    )
    op.create_index(
        op.f("ix_stock_transfers_to_warehouse_id"), "stock_transfers", ["to_warehouse_id"], unique=False, schema="store"
    )
    op.create_table(
        "stock_transfer_lines",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("received_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("returned_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lost_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("loss_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "lost_quantity = 0 OR loss_reason IS NOT NULL", name=op.f("ck_stock_transfer_lines_loss_has_reason")
        ),
        sa.CheckConstraint("lost_quantity >= 0", name=op.f("ck_stock_transfer_lines_lost_quantity_not_negative")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_stock_transfer_lines_quantity_positive")),
        sa.CheckConstraint(
            "received_quantity + returned_quantity + lost_quantity IN (0, quantity)",
            name=op.f("ck_stock_transfer_lines_ends_whole"),
        ),
        sa.CheckConstraint(
            "received_quantity >= 0", name=op.f("ck_stock_transfer_lines_received_quantity_not_negative")
        ),
        sa.CheckConstraint(
            "returned_quantity >= 0", name=op.f("ck_stock_transfer_lines_returned_quantity_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"],
            ["store.stock_transfers.id"],
            name=op.f("fk_stock_transfer_lines_transfer_id_stock_transfers"),
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["store.product_variants.id"],
            name=op.f("fk_stock_transfer_lines_variant_id_product_variants"),
        ),
        sa.PrimaryKeyConstraint("transfer_id", "variant_id", name=op.f("pk_stock_transfer_lines")),
        schema="store",
    )
    op.create_index(
        op.f("ix_stock_transfer_lines_variant_id"), "stock_transfer_lines", ["variant_id"], unique=False, schema="store"
    )


def _create_counts() -> None:
    op.create_table(
        "stock_counts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "number",
            sa.Text(),
            server_default=sa.text("'SC' || nextval('store.stock_count_number_seq')"),
            nullable=False,
        ),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status IN ('posted', 'cancelled')) = (closed_at IS NOT NULL)",
            name=op.f("ck_stock_counts_closed_has_time"),
        ),
        sa.CheckConstraint(
            "status IN ('open', 'review', 'posted', 'cancelled')", name=op.f("ck_stock_counts_status_known")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["store.users.id"], name=op.f("fk_stock_counts_created_by_users")),
        sa.ForeignKeyConstraint(
            ["warehouse_id"], ["store.warehouses.id"], name=op.f("fk_stock_counts_warehouse_id_warehouses")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_counts")),
        sa.UniqueConstraint("number", name=op.f("uq_stock_counts_number")),
        schema="store",
    )
    op.create_index(op.f("ix_stock_counts_created_by"), "stock_counts", ["created_by"], unique=False, schema="store")
    op.create_index(
        op.f("ix_stock_counts_warehouse_id"), "stock_counts", ["warehouse_id"], unique=False, schema="store"
    )
    op.create_table(
        "stock_count_lines",
        sa.Column("count_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("expected_quantity", sa.Integer(), nullable=False),
        sa.Column("counted_quantity", sa.Integer(), nullable=False),
        sa.Column("difference", sa.BigInteger(), nullable=False),
        sa.Column("is_open", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("counted_by", sa.Uuid(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("counted_quantity >= 0", name=op.f("ck_stock_count_lines_counted_quantity_not_negative")),
        sa.CheckConstraint(
            "difference = counted_quantity - expected_quantity", name=op.f("ck_stock_count_lines_difference_adds_up")
        ),
        sa.CheckConstraint("expected_quantity >= 0", name=op.f("ck_stock_count_lines_expected_quantity_not_negative")),
        sa.ForeignKeyConstraint(
            ["count_id"], ["store.stock_counts.id"], name=op.f("fk_stock_count_lines_count_id_stock_counts")
        ),
        sa.ForeignKeyConstraint(["counted_by"], ["store.users.id"], name=op.f("fk_stock_count_lines_counted_by_users")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["store.product_variants.id"], name=op.f("fk_stock_count_lines_variant_id_product_variants")
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"], ["store.warehouses.id"], name=op.f("fk_stock_count_lines_warehouse_id_warehouses")
        ),
        sa.PrimaryKeyConstraint("count_id", "variant_id", name=op.f("pk_stock_count_lines")),
        schema="store",
    )
    op.create_index(
        op.f("ix_stock_count_lines_counted_by"), "stock_count_lines", ["counted_by"], unique=False, schema="store"
    )
    op.create_index(
        op.f("ix_stock_count_lines_variant_id"), "stock_count_lines", ["variant_id"], unique=False, schema="store"
    )
    op.create_index(
        op.f("ix_stock_count_lines_warehouse_id"), "stock_count_lines", ["warehouse_id"], unique=False, schema="store"
    )
    op.create_index(
        "uq_stock_count_lines_open",
        "stock_count_lines",
        ["warehouse_id", "variant_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("is_open"),
    )


def downgrade() -> None:
    """Take it all back: what waits for stock, what is in transit and what was counted is forgotten."""
    op.drop_column("stock_movements", "reason_code", schema="store")
    op.drop_column("cart_items", "backordered_quantity", schema="store")
    op.drop_column("store_settings", "low_stock_threshold", schema="store")
    for table in TABLES:
        op.drop_table(table, schema="store")
    for sequence in SEQUENCES:
        op.execute(f"DROP SEQUENCE store.{sequence}")
