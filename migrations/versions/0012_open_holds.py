"""An order's open holds are found by the order.

There were two indexes of what is held, neither led by the order: a plan made while few holds were open read all of
those that were open later. Nothing looks for holds by when they expire: orders expire, and their holds with them.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | Sequence[str] | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE, HELD, DUE = "inventory_reservations", "uq_inventory_reservations_held", "ix_inventory_reservations_due"
BY_LINE = ["order_item_id", "warehouse_id", "bucket"]
OPEN = sa.text("status = 'held'")


def upgrade() -> None:
    """One index of open holds, by order and line, in place of two."""
    op.drop_index(HELD, TABLE, schema="store")
    op.create_index(HELD, TABLE, ["order_id", *BY_LINE], unique=True, schema="store", postgresql_where=OPEN)
    op.drop_index(DUE, TABLE, schema="store")


def downgrade() -> None:
    """The two again."""
    op.create_index(DUE, TABLE, ["expires_at"], schema="store", postgresql_where=OPEN)
    op.drop_index(HELD, TABLE, schema="store")
    op.create_index(HELD, TABLE, BY_LINE, unique=True, schema="store", postgresql_where=OPEN)
