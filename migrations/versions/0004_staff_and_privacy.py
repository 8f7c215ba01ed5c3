"""Staff invitations, refunds that need a second person, blocked and erased shoppers."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PERMISSIONS = {
    "customers.write": ("owner", "support"),
    "refunds.approve": ("owner", "finance"),
}
ROLES = "'owner', 'catalog', 'inventory', 'orders', 'support', 'finance', 'read_only'"
SETTINGS = ("refund_approval_above", "refund_approval_seconds", "invitation_seconds", "version", "updated_at")
# Ledgers and histories stay append-only but for the words in them, which erase_user takes out (ADR 0009).
WORDS = {"store.order_events": "detail", "store.staff_actions": "before, after"}
# What a shopper may have of the tables whose secrets no reader sees.
EXPORTED = {
    "store.sessions": "id, user_id, status, user_agent, ip, expires_at, last_used_at, created_at",
    "store.otp_verifications": "id, phone, purpose, status, attempts, request_ip, expires_at, verified_at, created_at",
    "store.payment_events": "id, payment_id, refund_id, type, payload, created_at",
}


def upgrade() -> None:
    """Tables, settings and indexes; then who may do what with them."""
    add_settings()
    add_invitations()
    add_refund_approvals()
    op.create_index(
        "ix_users_phone_prefix", "users", ["phone"], schema="store", postgresql_ops={"phone": "text_pattern_ops"}
    )
    op.create_index("ix_users_email_prefix", "users", [sa.text("lower(email) text_pattern_ops")], schema="store")
    op.create_index("ix_users_name_prefix", "users", [sa.text("lower(full_name) text_pattern_ops")], schema="store")
    op.execute(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON store.staff_invitations, store.refund_approvals TO kirana_writer"
    )
    op.execute("GRANT SELECT ON store.staff_invitations, store.refund_approvals TO kirana_query")
    for table, columns in WORDS.items():
        op.execute(f"GRANT UPDATE ({columns}) ON {table} TO kirana_writer")
    for table, columns in EXPORTED.items():
        op.execute(f"GRANT SELECT ({columns}) ON {table} TO kirana_query")
    op.get_bind().execute(
        sa.text("INSERT INTO store.staff_role_permissions (role, permission) VALUES (:r, :p)"),
        [{"r": role, "p": permission} for permission, roles in PERMISSIONS.items() for role in roles],
    )


def add_settings() -> None:
    """The numbers of the two-person rule and of invitations, and the version that If-Match asks for."""
    for column in (
        sa.Column("refund_approval_above", sa.BigInteger(), server_default=sa.text("1000000"), nullable=True),
        sa.Column("refund_approval_seconds", sa.Integer(), server_default=sa.text("604800"), nullable=False),
        sa.Column("invitation_seconds", sa.Integer(), server_default=sa.text("604800"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    ):
        op.add_column("store_settings", column, schema="store")
    for name, condition in (
        ("requests_last", "least(refund_approval_seconds, invitation_seconds) > 0"),
        ("refund_approval_above_not_negative", "refund_approval_above >= 0"),
    ):
        op.create_check_constraint(op.f(f"ck_store_settings_{name}"), "store_settings", condition, schema="store")


def add_invitations() -> None:
    """Offers to phones to work for the store."""
    op.create_table(
        "staff_invitations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("accepted_by", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(f"role IN ({ROLES})", name=op.f("ck_staff_invitations_role_known")),
        sa.CheckConstraint(
            "status IN ('open', 'accepted', 'revoked', 'expired')", name=op.f("ck_staff_invitations_status_known")
        ),
        sa.CheckConstraint(r"phone ~ '^\+[1-9][0-9]{7,14}$'", name=op.f("ck_staff_invitations_phone_e164")),
        sa.CheckConstraint(
            "(status = 'open') = (closed_at IS NULL)", name=op.f("ck_staff_invitations_closed_has_time")
        ),
        sa.CheckConstraint(
            "(status = 'accepted') = (accepted_by IS NOT NULL)", name=op.f("ck_staff_invitations_accepted_by_somebody")
        ),
        sa.ForeignKeyConstraint(["invited_by"], ["store.users.id"], name=op.f("fk_staff_invitations_invited_by_users")),
        sa.ForeignKeyConstraint(
            ["accepted_by"], ["store.users.id"], name=op.f("fk_staff_invitations_accepted_by_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_invitations")),
        schema="store",
    )
    for column in ("phone", "invited_by", "accepted_by"):
        op.create_index(op.f(f"ix_staff_invitations_{column}"), "staff_invitations", [column], schema="store")
    open_ones = {"schema": "store", "postgresql_where": sa.text("status = 'open'")}
    op.create_index("uq_staff_invitations_open", "staff_invitations", ["phone"], unique=True, **open_ones)
    op.create_index("ix_staff_invitations_due", "staff_invitations", ["expires_at"], **open_ones)


def add_refund_approvals() -> None:
    """Refunds that wait for a second person."""
    checks = {
        "kind_known": "kind IN ('cancellation', 'return', 'goodwill')",
        "status_known": "status IN ('pending', 'approved', 'declined', 'expired')",
        "amount_positive": "amount > 0",
        "shipping_within_amount": "shipping_amount BETWEEN 0 AND amount",
        "goodwill_has_amount": "(kind = 'goodwill') = (goodwill_amount IS NOT NULL)",
        "goodwill_positive": "goodwill_amount > 0",
        "two_people": "decided_by <> requested_by",
        "decided_by_somebody": "(status IN ('approved', 'declined')) = (decided_by IS NOT NULL)",
        "decided_has_time": "(decided_by IS NULL) = (decided_at IS NULL)",
        "approved_pays": "(status = 'approved') = (refund_id IS NOT NULL)",
    }
    parents = {"order_id": "orders", "requested_by": "users", "decided_by": "users", "refund_id": "refunds"}
    op.create_table(
        "refund_approvals",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=True),
        sa.Column("shipping_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("goodwill_amount", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'INR'"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        *(sa.CheckConstraint(said, name=op.f(f"ck_refund_approvals_{name}")) for name, said in checks.items()),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"store.{parent}.id"], name=op.f(f"fk_refund_approvals_{column}_{parent}")
            )
            for column, parent in parents.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_approvals")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_refund_approvals_refund_id")),
        schema="store",
    )
    for column in ("order_id", "requested_by", "decided_by"):
        op.create_index(op.f(f"ix_refund_approvals_{column}"), "refund_approvals", [column], schema="store")
    op.create_index(
        "ix_refund_approvals_due",
        "refund_approvals",
        ["expires_at"],
        schema="store",
        postgresql_where=sa.text("status = 'pending'"),
    )


def downgrade() -> None:
    """Take it all back."""
    op.get_bind().execute(
        sa.text("DELETE FROM store.staff_role_permissions WHERE permission = ANY(:p)"), {"p": list(PERMISSIONS)}
    )
    for table, columns in EXPORTED.items():
        op.execute(f"REVOKE SELECT ({columns}) ON {table} FROM kirana_query")
    for table, columns in WORDS.items():
        op.execute(f"REVOKE UPDATE ({columns}) ON {table} FROM kirana_writer")
    for name in ("phone", "email", "name"):
        op.drop_index(f"ix_users_{name}_prefix", "users", schema="store")
    op.drop_table("refund_approvals", schema="store")
    op.drop_table("staff_invitations", schema="store")
    for name in ("requests_last", "refund_approval_above_not_negative"):
        op.drop_constraint(op.f(f"ck_store_settings_{name}"), "store_settings", schema="store")
    for column in SETTINGS:
        op.drop_column("store_settings", column, schema="store")
