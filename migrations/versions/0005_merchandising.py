"""Reviews that staff read first."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PERMISSIONS = {"reviews.moderate": ("owner", "catalog", "support")}
REVIEWS = {"schema": "store"}
PUBLISHED = REVIEWS | {"postgresql_where": sa.text("status = 'published'")}


def upgrade() -> None:
    """Reviews wait until they are published; what was hidden is rejected."""
    op.add_column(
        "store_settings",
        sa.Column("reviews_need_moderation", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        schema="store",
    )
    for column in (
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("moderated_by", sa.Uuid(), nullable=True),
        sa.Column("moderated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
    ):
        op.add_column("product_reviews", column, schema="store")
    known_statuses("pending", "published", "rejected", hidden="rejected", first="pending")
    for name, condition in (
        ("moderated_by_somebody", "(moderated_by IS NULL) = (moderated_at IS NULL)"),
        ("reason_of_rejection", "reason IS NULL OR status = 'rejected'"),
    ):
        op.create_check_constraint(op.f(f"ck_product_reviews_{name}"), "product_reviews", condition, schema="store")
    op.create_foreign_key(
        op.f("fk_product_reviews_moderated_by_users"),
        "product_reviews",
        "users",
        ["moderated_by"],
        ["id"],
        source_schema="store",
        referent_schema="store",
    )
    op.create_index(op.f("ix_product_reviews_moderated_by"), "product_reviews", ["moderated_by"], **REVIEWS)
    op.create_index("ix_product_reviews_status", "product_reviews", ["status", "id"], **REVIEWS)
    op.create_index("ix_product_reviews_newest", "product_reviews", ["product_id", "id"], **PUBLISHED)
    op.create_index("ix_product_reviews_rated", "product_reviews", ["product_id", "rating", "id"], **PUBLISHED)
    op.get_bind().execute(
        sa.text("INSERT INTO store.staff_role_permissions (role, permission) VALUES (:r, :p)"),
        [{"r": role, "p": permission} for permission, roles in PERMISSIONS.items() for role in roles],
    )


def known_statuses(*known: str, first: str, **renamed: str) -> None:
    """The statuses a review may be in from now on, and what becomes of those that end."""
    name = op.f("ck_product_reviews_status_known")
    op.drop_constraint(name, "product_reviews", schema="store")
    for old, new in renamed.items():
        op.execute(f"UPDATE store.product_reviews SET status = '{new}' WHERE status = '{old}'")
    listed = ", ".join(f"'{status}'" for status in known)
    op.create_check_constraint(name, "product_reviews", f"status IN ({listed})", schema="store")
    op.alter_column("product_reviews", "status", server_default=sa.text(f"'{first}'"), schema="store")


def downgrade() -> None:
    """Take it all back: what waits or was rejected is hidden."""
    op.get_bind().execute(
        sa.text("DELETE FROM store.staff_role_permissions WHERE permission = ANY(:p)"), {"p": list(PERMISSIONS)}
    )
    for name in ("newest", "rated", "status"):
        op.drop_index(f"ix_product_reviews_{name}", "product_reviews", schema="store")
    for name in ("moderated_by_somebody", "reason_of_rejection"):
        op.drop_constraint(op.f(f"ck_product_reviews_{name}"), "product_reviews", schema="store")
    known_statuses("published", "hidden", first="published", pending="hidden", rejected="hidden")
    for column in ("reason", "moderated_by", "moderated_at", "version"):
        op.drop_column("product_reviews", column, schema="store")
    op.drop_column("store_settings", "reviews_need_moderation", schema="store")
