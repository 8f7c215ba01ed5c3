"""Return requests, exchanges, invoices and credit notes numbered without gaps."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PERMISSIONS = {
    "returns.write": ("owner", "orders", "support"),
    "invoices.read": ("owner", "orders", "support", "finance", "read_only"),
}
TABLES = ("return_items", "returns", "invoice_lines", "invoices", "invoices_due", "invoice_series")
SETTINGS = ("seller_address", "seller_gstin", "seller_name", "returns_need_approval")
METHODS_BEFORE = "method IN ('upi', 'card', 'netbanking', 'wallet', 'cod')"
METHODS = "method IN ('upi', 'card', 'netbanking', 'wallet', 'cod', 'exchange')"
GSTIN = "seller_gstin ~ '^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]$'"


def upgrade() -> None:
    """Tables, columns, then who may do what with them; what was issued can't be changed by anybody but the owner."""
    op.execute("CREATE SEQUENCE store.return_number_seq START 100001")
    tables()
    columns()
    for statement in (
        "GRANT SELECT, INSERT, UPDATE, DELETE ON store.returns, store.return_items, store.invoice_series,"
        " store.invoices_due TO kirana_writer",
        "GRANT SELECT, INSERT ON store.invoices, store.invoice_lines TO kirana_writer",
        "GRANT USAGE ON SEQUENCE store.return_number_seq TO kirana_writer",
        "GRANT SELECT ON store.returns, store.return_items, store.invoices, store.invoice_lines, store.invoice_series,"
        " store.invoices_due TO kirana_query, kirana_projector",
    ):
        op.execute(statement)
    # orders that were packed before there were invoices get theirs from the worker
    op.execute(
        "INSERT INTO store.invoices_due (kind, order_id) SELECT 'invoice', o.id FROM store.orders AS o"
        " WHERE o.status IN ('packed', 'shipped', 'out_for_delivery', 'delivered') ORDER BY o.confirmed_at"
    )
    op.get_bind().execute(
        sa.text("INSERT INTO store.staff_role_permissions (role, permission) VALUES (:role, :permission)"),
        [{"role": role, "permission": permission} for permission, roles in PERMISSIONS.items() for role in roles],
    )


def downgrade() -> None:
    """Everything of it goes, the documents too; an exchange's payment has no method in the schema before."""
    op.get_bind().execute(
        sa.text("DELETE FROM store.staff_role_permissions WHERE permission = ANY(:permissions)"),
        {"permissions": list(PERMISSIONS)},
    )
    for table in TABLES:
        op.drop_table(table, schema="store")
    op.execute("DROP SEQUENCE store.return_number_seq")
    op.drop_constraint("ck_payments_exchange_has_source", "payments", schema="store", type_="check")
    op.drop_constraint("ck_payments_exchange_has_no_gateway", "payments", schema="store", type_="check")
    set_methods(METHODS_BEFORE)
    op.drop_column("payments", "source_payment_id", schema="store")
    for column in SETTINGS:
        op.drop_column("store_settings", column, schema="store")


def set_methods(condition: str) -> None:
    op.drop_constraint("ck_payments_method_known", "payments", schema="store", type_="check")
    op.create_check_constraint(op.f("ck_payments_method_known"), "payments", condition, schema="store")


def columns() -> None:
    """What payments and the store's settings gain."""
    op.add_column("payments", sa.Column("source_payment_id", sa.Uuid(), nullable=True), schema="store")
    op.create_index(
        op.f("ix_payments_source_payment_id"), "payments", ["source_payment_id"], unique=False, schema="store"
    )
    op.create_foreign_key(
        op.f("fk_payments_source_payment_id_payments"),
        "payments",
        "payments",
        ["source_payment_id"],
        ["id"],
        source_schema="store",
        referent_schema="store",
    )
    op.add_column(
        "store_settings",
        sa.Column("returns_need_approval", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        schema="store",
    )
    op.add_column(
        "store_settings",
        sa.Column("seller_name", sa.Text(), server_default=sa.text("'Kirana'"), nullable=False),
        schema="store",
    )
    op.add_column("store_settings", sa.Column("seller_gstin", sa.Text(), nullable=True), schema="store")
    op.add_column(
        "store_settings",
        sa.Column("seller_address", sa.Text(), server_default=sa.text("''"), nullable=False),
        schema="store",
    )
    set_methods(METHODS)
    op.create_check_constraint(
        op.f("ck_payments_exchange_has_no_gateway"),
        "payments",
        "(method = 'exchange') = (provider = 'exchange')",
        schema="store",
    )
    op.create_check_constraint(
        op.f("ck_payments_exchange_has_source"),
        "payments",
        "(method = 'exchange') = (source_payment_id IS NOT NULL)",
        schema="store",
    )
    op.create_check_constraint(op.f("ck_store_settings_seller_gstin_shape"), "store_settings", GSTIN, schema="store")


def tables() -> None:
    """The six tables."""
    op.create_table(
        "invoice_series",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("seller_state_code", sa.Text(), nullable=False),
        sa.Column("financial_year", sa.Text(), nullable=False),
        sa.Column("last_serial", sa.Integer(), nullable=False),
        sa.Column("last_issued_on", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "financial_year ~ '^[0-9]{2}-[0-9]{2}$'", name=op.f("ck_invoice_series_financial_year_shape")
        ),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note')", name=op.f("ck_invoice_series_kind_known")),
        sa.CheckConstraint("seller_state_code ~ '^[A-Z]{2}$'", name=op.f("ck_invoice_series_seller_state_code_shape")),
        sa.CheckConstraint("last_serial > 0", name=op.f("ck_invoice_series_last_serial_positive")),
        sa.PrimaryKeyConstraint("kind", "seller_state_code", "financial_year", name=op.f("pk_invoice_series")),
        schema="store",
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("seller_state_code", sa.Text(), nullable=False),
        sa.Column("financial_year", sa.Text(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("seller", postgresql.JSONB(), nullable=False),
        sa.Column("buyer", postgresql.JSONB(), nullable=False),
        sa.Column("place_of_supply", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'INR'"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("taxable_amount", sa.BigInteger(), nullable=False),
        sa.Column("cgst_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("sgst_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("igst_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'credit_note') = (corrects_id IS NOT NULL)", name=op.f("ck_invoices_credit_note_corrects")
        ),
        sa.CheckConstraint("financial_year ~ '^[0-9]{2}-[0-9]{2}$'", name=op.f("ck_invoices_financial_year_shape")),
        sa.CheckConstraint("kind = 'credit_note' OR refund_id IS NULL", name=op.f("ck_invoices_refund_of_credit_note")),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note')", name=op.f("ck_invoices_kind_known")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_invoices_amount_not_negative")),
        sa.CheckConstraint("cgst_amount >= 0", name=op.f("ck_invoices_cgst_amount_not_negative")),
        sa.CheckConstraint("igst_amount = 0 OR cgst_amount + sgst_amount = 0", name=op.f("ck_invoices_gst_splits")),
        sa.CheckConstraint("igst_amount >= 0", name=op.f("ck_invoices_igst_amount_not_negative")),
        sa.CheckConstraint("length(number) BETWEEN 1 AND 16", name=op.f("ck_invoices_number_fits_the_rule")),
        sa.CheckConstraint("serial > 0", name=op.f("ck_invoices_serial_positive")),
        sa.CheckConstraint("sgst_amount >= 0", name=op.f("ck_invoices_sgst_amount_not_negative")),
        sa.CheckConstraint(
            "taxable_amount + cgst_amount + sgst_amount + igst_amount = amount", name=op.f("ck_invoices_amounts_add_up")
        ),
        sa.CheckConstraint("taxable_amount >= 0", name=op.f("ck_invoices_taxable_amount_not_negative")),
        sa.ForeignKeyConstraint(["corrects_id"], ["store.invoices.id"], name=op.f("fk_invoices_corrects_id_invoices")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_invoices_order_id_orders")),
        sa.ForeignKeyConstraint(["refund_id"], ["store.refunds.id"], name=op.f("fk_invoices_refund_id_refunds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint(
            "kind",
            "seller_state_code",
            "financial_year",
            "serial",
            name=op.f("uq_invoices_kind_seller_state_code_financial_year_serial"),
        ),
        sa.UniqueConstraint("number", name=op.f("uq_invoices_number")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_invoices_refund_id")),
        schema="store",
    )
    op.create_index(op.f("ix_invoices_corrects_id"), "invoices", ["corrects_id"], unique=False, schema="store")
    op.create_index("ix_invoices_issued", "invoices", ["issued_on", "id"], unique=False, schema="store")
    op.create_index(op.f("ix_invoices_order_id"), "invoices", ["order_id"], unique=False, schema="store")
    op.create_index(
        "uq_invoices_order_invoice",
        "invoices",
        ["order_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("kind = 'invoice'"),
    )
    op.create_table(
        "invoices_due",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind = 'credit_note' OR refund_id IS NULL", name=op.f("ck_invoices_due_refund_of_credit_note")
        ),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note')", name=op.f("ck_invoices_due_kind_known")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_invoices_due_order_id_orders")),
        sa.ForeignKeyConstraint(["refund_id"], ["store.refunds.id"], name=op.f("fk_invoices_due_refund_id_refunds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices_due")),
        sa.UniqueConstraint(
            "order_id",
            "kind",
            "refund_id",
            name=op.f("uq_invoices_due_order_id_kind_refund_id"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="store",
    )
    op.create_index("ix_invoices_due_next_try", "invoices_due", ["next_try_at", "id"], unique=False, schema="store")
    op.create_index(op.f("ix_invoices_due_order_id"), "invoices_due", ["order_id"], unique=False, schema="store")
    op.create_index(op.f("ix_invoices_due_refund_id"), "invoices_due", ["refund_id"], unique=False, schema="store")
    op.create_table(
        "returns",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "number", sa.Text(), server_default=sa.text("'RT' || nextval('store.return_number_seq')"), nullable=False
        ),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'requested'"), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("photo_urls", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("tracking_number", sa.Text(), nullable=True),
        sa.Column("pickup_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_as", sa.Text(), nullable=True),
        sa.Column("settled_reason", sa.Text(), nullable=True),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("replacement_order_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(settled_as IS NOT NULL) = (status IN ('refunded', 'exchanged', 'closed'))",
            name=op.f("ck_returns_settled_when_done"),
        ),
        sa.CheckConstraint(
            "COALESCE(settled_as = 'exchange', false) = (replacement_order_id IS NOT NULL)",
            name=op.f("ck_returns_exchanged_for_order"),
        ),
        sa.CheckConstraint(
            "COALESCE(settled_as IN ('refund', 'exchange'), false) = (refund_id IS NOT NULL)",
            name=op.f("ck_returns_settled_by_refund"),
        ),
        sa.CheckConstraint(
            "reason_code IN ('damaged', 'defective', 'wrong_item', 'not_as_described', 'size_or_fit', 'arrived_late', 'changed_mind', 'other')",
            name=op.f("ck_returns_reason_code_known"),
        ),
        sa.CheckConstraint("resolution IN ('refund', 'exchange')", name=op.f("ck_returns_resolution_known")),
        sa.CheckConstraint("settled_as IN ('refund', 'exchange', 'nothing')", name=op.f("ck_returns_settled_as_known")),
        sa.CheckConstraint(
            "settled_reason IN ('refund_without_goods', 'out_of_stock', 'already_refunded', 'nothing_paid', 'nothing_received')",
            name=op.f("ck_returns_settled_reason_known"),
        ),
        sa.CheckConstraint(
            "status IN ('requested', 'approved', 'rejected', 'cancelled', 'in_transit', 'received', 'refunded', 'exchanged', 'closed')",
            name=op.f("ck_returns_status_known"),
        ),
        sa.CheckConstraint("cardinality(photo_urls) <= 10", name=op.f("ck_returns_photo_urls_few")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_returns_order_id_orders")),
        sa.ForeignKeyConstraint(["refund_id"], ["store.refunds.id"], name=op.f("fk_returns_refund_id_refunds")),
        sa.ForeignKeyConstraint(
            ["replacement_order_id"], ["store.orders.id"], name=op.f("fk_returns_replacement_order_id_orders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returns")),
        sa.UniqueConstraint("number", name=op.f("uq_returns_number")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_returns_refund_id")),
        sa.UniqueConstraint("replacement_order_id", name=op.f("uq_returns_replacement_order_id")),
        schema="store",
    )
    op.create_index(op.f("ix_returns_order_id"), "returns", ["order_id"], unique=False, schema="store")
    op.create_index("ix_returns_status", "returns", ["status", "id"], unique=False, schema="store")
    op.create_table(
        "invoice_lines",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("hsn_code", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=True),
        sa.Column("discount_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("tax_rate_bp", sa.Integer(), nullable=False),
        sa.Column("taxable_amount", sa.BigInteger(), nullable=False),
        sa.Column("cgst_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("sgst_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("igst_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'goods') = (order_item_id IS NOT NULL)", name=op.f("ck_invoice_lines_goods_name_their_line")
        ),
        sa.CheckConstraint("kind IN ('goods', 'delivery', 'goodwill')", name=op.f("ck_invoice_lines_kind_known")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_invoice_lines_amount_not_negative")),
        sa.CheckConstraint("cgst_amount >= 0", name=op.f("ck_invoice_lines_cgst_amount_not_negative")),
        sa.CheckConstraint("discount_amount >= 0", name=op.f("ck_invoice_lines_discount_amount_not_negative")),
        sa.CheckConstraint(
            "igst_amount = 0 OR cgst_amount + sgst_amount = 0", name=op.f("ck_invoice_lines_gst_splits")
        ),
        sa.CheckConstraint("igst_amount >= 0", name=op.f("ck_invoice_lines_igst_amount_not_negative")),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_invoice_lines_quantity_not_negative")),
        sa.CheckConstraint("sgst_amount >= 0", name=op.f("ck_invoice_lines_sgst_amount_not_negative")),
        sa.CheckConstraint("tax_rate_bp BETWEEN 0 AND 10000", name=op.f("ck_invoice_lines_rate_in_range")),
        sa.CheckConstraint(
            "taxable_amount + cgst_amount + sgst_amount + igst_amount = amount",
            name=op.f("ck_invoice_lines_amounts_add_up"),
        ),
        sa.CheckConstraint("taxable_amount >= 0", name=op.f("ck_invoice_lines_taxable_amount_not_negative")),
        sa.CheckConstraint("unit_price > 0", name=op.f("ck_invoice_lines_unit_price_positive")),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["store.invoices.id"], name=op.f("fk_invoice_lines_invoice_id_invoices")
        ),
        sa.ForeignKeyConstraint(
            ["order_item_id"], ["store.order_items.id"], name=op.f("fk_invoice_lines_order_item_id_order_items")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_lines")),
        sa.UniqueConstraint("invoice_id", "line_no", name=op.f("uq_invoice_lines_invoice_id_line_no")),
        schema="store",
    )
    op.create_index(
        op.f("ix_invoice_lines_order_item_id"), "invoice_lines", ["order_item_id"], unique=False, schema="store"
    )
    op.create_table(
        "return_items",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("exchange_variant_id", sa.Uuid(), nullable=True),
        sa.Column("received_quantity", sa.Integer(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("restock", sa.Boolean(), nullable=True),
        sa.Column("inspection_note", sa.Text(), nullable=True),
        sa.CheckConstraint("condition IN ('sellable', 'damaged')", name=op.f("ck_return_items_condition_known")),
        sa.CheckConstraint(
            "(condition IS NULL) = (COALESCE(received_quantity, 0) = 0)",
            name=op.f("ck_return_items_condition_of_what_came"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_return_items_quantity_positive")),
        sa.CheckConstraint(
            "received_quantity BETWEEN 0 AND quantity", name=op.f("ck_return_items_received_within_quantity")
        ),
        sa.ForeignKeyConstraint(
            ["exchange_variant_id"],
            ["store.product_variants.id"],
            name=op.f("fk_return_items_exchange_variant_id_product_variants"),
        ),
        sa.ForeignKeyConstraint(
            ["order_item_id"], ["store.order_items.id"], name=op.f("fk_return_items_order_item_id_order_items")
        ),
        sa.ForeignKeyConstraint(["return_id"], ["store.returns.id"], name=op.f("fk_return_items_return_id_returns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_items")),
        sa.UniqueConstraint("return_id", "order_item_id", name=op.f("uq_return_items_return_id_order_item_id")),
        schema="store",
    )
    op.create_index(
        op.f("ix_return_items_exchange_variant_id"),
        "return_items",
        ["exchange_variant_id"],
        unique=False,
        schema="store",
    )
    op.create_index(
        op.f("ix_return_items_order_item_id"), "return_items", ["order_item_id"], unique=False, schema="store"
    )
