"""A query of kirana_query takes one core (ADR 0018): as Settings.dsn says, also where a pooler drops the options."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | Sequence[str] | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """No parallel workers for what a shopper waits for; written only where it is not so (see 0002)."""
    there = sa.text(
        "SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = 0 AND setrole = 'kirana_query'::regrole"
        " AND 'max_parallel_workers_per_gather=0' = ANY(setconfig)"
    )
    if op.get_bind().scalar(there) == 0:
        op.execute("ALTER ROLE kirana_query SET max_parallel_workers_per_gather = 0")


def downgrade() -> None:
    """Nothing: a role is the cluster's, and other databases of it may be at this revision."""
