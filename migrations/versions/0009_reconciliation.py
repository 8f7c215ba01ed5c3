"""Settlement files of gateways and couriers, line by line against the ledger."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PERMISSIONS = {"payments.reconcile": ("owner", "finance")}
TABLES = ("settlement_files", "settlements", "settlement_lines", "settlement_resolutions")
# all but the error's text, which may quote a row
DEAD_LETTER_COLUMNS = "projection, view_key, position, sqlstate, attempts, first_at, last_at"
ATTENTIONS_BEFORE = "attention IN ('amount_mismatch', 'paid_after_hold', 'overpaid')"
ATTENTIONS = "attention IN ('amount_mismatch', 'paid_after_hold', 'overpaid', 'refund_mismatch', 'refunded_twice')"
ANSWERS = {
    "payments": "check_answer IN ('captured', 'failed', 'open', 'none', 'away')",
    "refunds": "check_answer IN ('processed', 'failed', 'pending', 'unknown', 'away')",
}
# name, table, columns, condition
INDEXES = (
    ("ix_orders_attention", "orders", ["updated_at", "id"], "attention IS NOT NULL"),
    ("ix_payments_to_check", "payments", ["check_at"], "check_at IS NOT NULL"),
    ("ix_refunds_to_check", "refunds", ["check_at"], "check_at IS NOT NULL"),
    ("ix_refunds_unsettled", "refunds", ["updated_at", "id"], "status <> 'succeeded'"),
    ("ix_payment_events_payload", "payment_events", ["created_at"], "payload <> '{}'"),
    ("ix_money_movements_provider_created", "money_movements", ["provider", "created_at"], None),
    ("ix_carts_guest_created", "carts", ["created_at"], "guest_token_hash IS NOT NULL"),
)


def upgrade() -> None:
    """The tables; who may see and fill them; and on payments and refunds, when their gateway is asked next."""
    tables()
    for table, answers in ANSWERS.items():
        op.add_column(table, sa.Column("check_at", sa.DateTime(timezone=True)), schema="store")
        op.add_column(
            table,
            sa.Column("check_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
            schema="store",
        )
        op.add_column(table, sa.Column("check_answer", sa.Text()), schema="store")
        op.add_column(table, sa.Column("checked_at", sa.DateTime(timezone=True)), schema="store")
        op.create_check_constraint(
            f"ck_{table}_check_attempts_not_negative", table, "check_attempts >= 0", schema="store"
        )
        op.create_check_constraint(f"ck_{table}_check_answer_known", table, answers, schema="store")
    set_attentions(ATTENTIONS)
    for name, table, columns, condition in INDEXES:
        op.create_index(
            name, table, columns, schema="store", postgresql_where=None if condition is None else sa.text(condition)
        )
    # what is under way when this comes is asked about like what begins later
    op.execute("UPDATE store.payments SET check_at = now() WHERE status = 'created' AND provider <> 'cod'")
    op.execute("UPDATE store.refunds SET check_at = now() WHERE status = 'submitted'")
    listed = ", ".join(f"store.{table}" for table in TABLES)
    op.execute(f"GRANT SELECT, INSERT ON {listed} TO kirana_writer")
    op.execute("GRANT UPDATE ON store.settlement_files, store.settlements TO kirana_writer")
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA store TO kirana_writer")
    op.execute(f"GRANT SELECT ON {listed} TO kirana_query, kirana_projector")
    op.execute(f"GRANT SELECT ({DEAD_LETTER_COLUMNS}) ON read.dead_letters TO kirana_query")
    op.get_bind().execute(
        sa.text("INSERT INTO store.staff_role_permissions (role, permission) VALUES (:role, :permission)"),
        [{"role": role, "permission": permission} for permission, roles in PERMISSIONS.items() for role in roles],
    )


def downgrade() -> None:
    """Back; an order that is flagged for a reason of this version is flagged for the nearest one of the last."""
    op.get_bind().execute(
        sa.text("DELETE FROM store.staff_role_permissions WHERE permission = ANY(:permissions)"),
        {"permissions": list(PERMISSIONS)},
    )
    op.execute(f"REVOKE SELECT ({DEAD_LETTER_COLUMNS}) ON read.dead_letters FROM kirana_query")
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table, schema="store")
    op.execute(
        "UPDATE store.orders SET attention = 'amount_mismatch' WHERE attention IN ('refund_mismatch', 'refunded_twice')"
    )
    set_attentions(ATTENTIONS_BEFORE)
    for table in ANSWERS:
        for column in ("checked_at", "check_answer", "check_attempts", "check_at"):
            op.drop_column(table, column, schema="store")
    for table in ("settlement_resolutions", "settlement_lines", "settlements", "settlement_files"):
        op.drop_table(table, schema="store")


def set_attentions(condition: str) -> None:
    """What an order may be flagged for."""
    op.drop_constraint("ck_orders_attention_known", "orders", schema="store", type_="check")
    op.create_check_constraint("ck_orders_attention_known", "orders", condition, schema="store")


def tables() -> None:
    """Files, settlements, lines, and what became of lines that differed."""
    op.create_table(
        "settlements",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("utr", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("line_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("matched_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("payment_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refund_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fee_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("matched_count BETWEEN 0 AND line_count", name=op.f("ck_settlements_counts_in_range")),
        sa.CheckConstraint(
            "greatest(abs(fee_total), abs(tax_total)) <= 10::numeric ^ 18", name=op.f("ck_settlements_fees_in_range")
        ),
        sa.CheckConstraint("payment_total >= 0", name=op.f("ck_settlements_payment_total_not_negative")),
        sa.CheckConstraint("refund_total >= 0", name=op.f("ck_settlements_refund_total_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlements")),
        sa.UniqueConstraint("provider", "reference", name=op.f("uq_settlements_provider_reference")),
        schema="store",
    )
    op.create_table(
        "settlement_files",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("period_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("period_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("imported_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'closed') = (result IS NOT NULL) AND (status = 'closed') = (closed_at IS NOT NULL)",
            name=op.f("ck_settlement_files_closed_has_result"),
        ),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_settlement_files_status_known")),
        sa.CheckConstraint("length(sha256) = 32", name=op.f("ck_settlement_files_sha256_is_whole")),
        sa.CheckConstraint("period_from <= period_to", name=op.f("ck_settlement_files_period_runs_forward")),
        sa.ForeignKeyConstraint(
            ["imported_by"], ["store.users.id"], name=op.f("fk_settlement_files_imported_by_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_files")),
        sa.UniqueConstraint("provider", "sha256", name=op.f("uq_settlement_files_provider_sha256")),
        schema="store",
    )
    op.create_index(
        op.f("ix_settlement_files_imported_by"), "settlement_files", ["imported_by"], unique=False, schema="store"
    )
    op.create_table(
        "settlement_lines",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=True),
        sa.Column("settlement_id", sa.Uuid(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=False),
        sa.Column("our_id", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "CASE WHEN status = 'missing_at_gateway' THEN line_no IS NULL AND settlement_id IS NULL AND row_hash IS NULL ELSE line_no > 0 AND settlement_id IS NOT NULL AND length(row_hash) = 32 END",
            name=op.f("ck_settlement_lines_lines_come_from_files"),
        ),
        sa.CheckConstraint(
            "CASE status WHEN 'missing_in_ledger' THEN movement_id IS NULL WHEN 'duplicate' THEN true ELSE movement_id IS NOT NULL END",
            name=op.f("ck_settlement_lines_verdict_fits_movement"),
        ),
        sa.CheckConstraint("kind IN ('payment', 'refund')", name=op.f("ck_settlement_lines_kind_known")),
        sa.CheckConstraint(
            "status IN ('matched', 'amount_differs', 'currency_differs', 'missing_in_ledger', 'duplicate', 'missing_at_gateway')",
            name=op.f("ck_settlement_lines_status_known"),
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_settlement_lines_amount_not_negative")),
        sa.CheckConstraint(
            "greatest(abs(fee), abs(tax)) <= 10::numeric ^ 15", name=op.f("ck_settlement_lines_fees_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["store.settlement_files.id"], name=op.f("fk_settlement_lines_file_id_settlement_files")
        ),
        sa.ForeignKeyConstraint(
            ["movement_id"], ["store.money_movements.id"], name=op.f("fk_settlement_lines_movement_id_money_movements")
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["store.settlements.id"], name=op.f("fk_settlement_lines_settlement_id_settlements")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_lines")),
        sa.UniqueConstraint("file_id", "line_no", name=op.f("uq_settlement_lines_file_id_line_no")),
        schema="store",
    )
    op.create_index(
        "ix_settlement_lines_differing",
        "settlement_lines",
        ["id"],
        unique=False,
        schema="store",
        postgresql_where=sa.text("status <> 'matched'"),
    )
    op.create_index(
        "ix_settlement_lines_movement_id", "settlement_lines", ["movement_id"], unique=False, schema="store"
    )
    op.create_index(
        "ix_settlement_lines_ref",
        "settlement_lines",
        ["provider", "kind", "provider_ref"],
        unique=False,
        schema="store",
    )
    op.create_index(
        "ix_settlement_lines_settlement",
        "settlement_lines",
        ["settlement_id", "row_hash"],
        unique=False,
        schema="store",
    )
    op.create_index(
        "uq_settlement_lines_missing",
        "settlement_lines",
        ["movement_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status = 'missing_at_gateway'"),
    )
    op.create_index(
        "uq_settlement_lines_settled",
        "settlement_lines",
        ["movement_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status IN ('matched', 'amount_differs', 'currency_differs')"),
    )
    op.create_table(
        "settlement_resolutions",
        sa.Column("line_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=True),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'booked_later') = (movement_id IS NOT NULL)",
            name=op.f("ck_settlement_resolutions_booked_names_movement"),
        ),
        sa.CheckConstraint(
            "(kind = 'closed') = (staff_id IS NOT NULL) AND (kind = 'closed') = (note IS NOT NULL)",
            name=op.f("ck_settlement_resolutions_closed_by_somebody"),
        ),
        sa.CheckConstraint(
            "kind IN ('booked_later', 'settled_later', 'closed')", name=op.f("ck_settlement_resolutions_kind_known")
        ),
        sa.CheckConstraint("length(note) BETWEEN 1 AND 1000", name=op.f("ck_settlement_resolutions_note_length")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["store.settlement_lines.id"], name=op.f("fk_settlement_resolutions_line_id_settlement_lines")
        ),
        sa.ForeignKeyConstraint(
            ["movement_id"],
            ["store.money_movements.id"],
            name=op.f("fk_settlement_resolutions_movement_id_money_movements"),
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["store.users.id"], name=op.f("fk_settlement_resolutions_staff_id_users")
        ),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_settlement_resolutions")),
        sa.UniqueConstraint("movement_id", name=op.f("uq_settlement_resolutions_movement_id")),
        schema="store",
    )
    op.create_index(
        op.f("ix_settlement_resolutions_staff_id"), "settlement_resolutions", ["staff_id"], unique=False, schema="store"
    )
