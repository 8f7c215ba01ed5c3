"""How many products have each token of the catalog view, for lists and searches of large shops (ADR 0019)."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | Sequence[str] | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """The table; the projector fills it within seconds of its start."""
    op.create_table(
        "token_counts",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("products", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_token_counts")),
        schema="read",
    )
    op.execute("GRANT SELECT ON read.token_counts TO kirana_query")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON read.token_counts TO kirana_projector")


def downgrade() -> None:
    """Drop it."""
    op.drop_table("token_counts", schema="read")
