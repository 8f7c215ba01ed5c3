"""Roles and grants, the outbox's first partitions, and the reference data that procedures read.

The roles are the wall between Python and the store: ``kirana_command`` may CALL procedures and write nothing
but wishlists, addresses and profile columns itself (see docs/adr/0002-roles-hold-the-wall.md).
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OUTBOX_PARTITION_ROWS = 10_000_000
OUTBOX_FIRST_PARTITIONS = 4

ROLES = {
    "kirana_writer": "NOLOGIN",
    "kirana_command": "LOGIN",
    "kirana_query": "LOGIN",
    "kirana_projector": "LOGIN",
}
ROLE_SETTINGS = {
    "kirana_command": {
        "lock_timeout": "2s",
        "statement_timeout": "10s",
        "transaction_timeout": "15s",
        "plan_cache_mode": "force_generic_plan",  # as Settings.dsn says
        "enable_seqscan": "off",
    },
    "kirana_query": {"lock_timeout": "1s", "statement_timeout": "5s", "transaction_timeout": "10s"},
    "kirana_projector": {"lock_timeout": "5s"},
}

# from, to, may staff make it themselves (the others are made by create_order, payments, cancels and the sweeper)
TRANSITIONS = (
    ("pending_payment", "confirmed", False),
    ("pending_payment", "cancelled", False),
    ("pending_payment", "expired", False),
    ("expired", "confirmed", False),
    ("confirmed", "processing", True),
    ("confirmed", "packed", True),
    ("confirmed", "cancelled", False),
    ("processing", "packed", True),
    ("processing", "cancelled", False),
    ("packed", "shipped", True),
    ("packed", "cancelled", False),
    ("shipped", "out_for_delivery", True),
    ("shipped", "delivered", True),
    ("shipped", "returned_to_origin", True),
    ("out_for_delivery", "delivered", True),
    ("out_for_delivery", "returned_to_origin", True),
    ("delivered", "returned", False),
    ("returned_to_origin", "cancelled", False),
)

EVERYTHING = (
    "catalog.write",
    "prices.write",
    "inventory.write",
    "coupons.write",
    "orders.write",
    "orders.read",
    "refunds.write",
    "refunds.settle",
    "settings.write",
    "staff.write",
    "staff.read",
    "customers.read",
)
PERMISSIONS = {
    "owner": EVERYTHING,
    "catalog": ("catalog.write", "prices.write", "coupons.write"),
    "inventory": ("inventory.write",),
    "orders": ("orders.read", "orders.write", "refunds.write", "customers.read"),
    "support": ("orders.read", "orders.write", "refunds.write", "customers.read"),
    "finance": ("orders.read", "refunds.write", "refunds.settle", "prices.write", "customers.read"),
    "read_only": ("orders.read", "staff.read"),
}

TAX_CLASSES = (
    ("gst-0", "GST exempt", 0),
    ("gst-5", "GST 5 %", 500),
    ("gst-12", "GST 12 %", 1200),
    ("gst-18", "GST 18 %", 1800),
    ("gst-28", "GST 28 %", 2800),
    ("gst-40", "GST 40 %", 4000),
)


def upgrade() -> None:
    """Roles first (they are the cluster's, so they may be there already), then grants, then rows."""
    connection = op.get_bind()
    existing = set(connection.scalars(sa.text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'kirana_%'")))
    # written only where it is another: two databases of a cluster may be migrated at one time, and both can't write it
    settings = set(
        connection.scalars(
            sa.text(
                "SELECT s.setrole::regrole || ' ' || unnest(s.setconfig) FROM pg_db_role_setting s WHERE s.setdatabase = 0"
            )
        )
    )
    for role, login in ROLES.items():
        if role not in existing:
            op.execute(f"CREATE ROLE {role} {login} NOINHERIT")
        for setting, value in ROLE_SETTINGS.get(role, {}).items():
            if f"{role} {setting}={value}" not in settings:
                op.execute(f"ALTER ROLE {role} SET {setting} = '{value}'")
    op.execute("GRANT kirana_writer TO kirana_command WITH INHERIT FALSE, SET TRUE")
    # an owner who is no superuser installs and tests as these roles, and KIRANA_DATABASE_URL alone drops into them
    for role in ROLES:
        op.execute(f"GRANT {role} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
    grant()
    seed(connection)
    op.execute("CREATE TABLE store.outbox_p_default PARTITION OF store.outbox DEFAULT")
    for number in range(OUTBOX_FIRST_PARTITIONS):
        first, end = number * OUTBOX_PARTITION_ROWS, (number + 1) * OUTBOX_PARTITION_ROWS
        op.execute(
            f"CREATE TABLE store.outbox_p{number:05d} PARTITION OF store.outbox FOR VALUES FROM ({first}) TO ({end})"
        )


def grant() -> None:
    """Least privilege: nothing to PUBLIC, DML to the writer, the narrowest of it to whoever logs in."""
    for statement in (
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO kirana_command, kirana_query, kirana_projector",
        "GRANT SELECT ON public.alembic_version TO kirana_command, kirana_query, kirana_projector",
        "GRANT USAGE ON SCHEMA store TO kirana_writer, kirana_command, kirana_query, kirana_projector",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA store TO kirana_writer",
        "REVOKE INSERT, UPDATE, DELETE ON store.procedure_checksums, store.order_status_transitions,"
        " store.staff_role_permissions FROM kirana_writer",
        # ledgers and histories are append-only for everybody but the owner
        "REVOKE UPDATE, DELETE ON store.outbox, store.stock_movements, store.money_movements, store.order_events,"
        " store.staff_actions FROM kirana_writer",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA store TO kirana_writer",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON store.wishlists, store.addresses TO kirana_command",
        "GRANT SELECT (id, phone, email, full_name, marketing_opt_in, status, default_address_id, version, created_at,"
        " updated_at), UPDATE (email, full_name, marketing_opt_in, default_address_id, version, updated_at)"
        " ON store.users TO kirana_command",
        "GRANT SELECT (id, slug, status) ON store.products TO kirana_command",
        "GRANT SELECT ON store.procedure_checksums TO kirana_command, kirana_query, kirana_projector",
        "GRANT SELECT ON store.brands, store.categories, store.tax_classes, store.products, store.product_variants,"
        " store.product_images, store.product_reviews, store.price_changes, store.warehouses, store.inventory, store.inventory_reservations,"
        " store.stock_movements, store.carts, store.cart_items, store.cart_coupons, store.coupons, store.coupon_targets,"
        " store.coupon_usage, store.orders, store.order_items, store.order_events, store.shipping_rules, store.payments,"
        " store.refunds, store.refund_items, store.money_movements, store.wishlists, store.addresses,"
        " store.staff_members, store.staff_role_permissions, store.staff_actions, store.store_settings,"
        " store.order_status_transitions, store.outbox TO kirana_query, kirana_projector",
        "GRANT SELECT (id, phone, email, full_name, marketing_opt_in, status, default_address_id, version, created_at,"
        " updated_at) ON store.users TO kirana_query, kirana_projector",
    ):
        op.execute(statement)


def seed(connection: sa.Connection) -> None:
    """The rows without which no procedure can decide."""
    connection.execute(sa.text("INSERT INTO store.store_settings (id) VALUES (1)"))
    connection.execute(
        sa.text("INSERT INTO store.order_status_transitions (from_status, to_status, by_staff) VALUES (:f, :t, :s)"),
        [{"f": before, "t": after, "s": by_staff} for before, after, by_staff in TRANSITIONS],
    )
    connection.execute(
        sa.text("INSERT INTO store.staff_role_permissions (role, permission) VALUES (:r, :p)"),
        [{"r": role, "p": permission} for role, allowed in PERMISSIONS.items() for permission in allowed],
    )
    connection.execute(
        sa.text("INSERT INTO store.tax_classes (code, name, rate_bp) VALUES (:c, :n, :r)"),
        [{"c": code, "n": name, "r": rate} for code, name, rate in TAX_CLASSES],
    )
    connection.execute(
        sa.text(
            "INSERT INTO store.shipping_rules (name, priority, min_subtotal, charge) VALUES"
            " ('Free delivery from ₹499', 10, 49900, 0), ('Standard delivery', 100, 0, 4900)"
        )
    )


def downgrade() -> None:
    """Take the rows and the grants back. The roles stay: other databases of the cluster may use them."""
    for table in (
        "shipping_rules",
        "tax_classes",
        "staff_role_permissions",
        "order_status_transitions",
        "store_settings",
    ):
        op.execute(f"DELETE FROM store.{table}")
    for role in ROLES:
        op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA store FROM {role}")
        op.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA store FROM {role}")
        op.execute(f"REVOKE ALL ON SCHEMA store FROM {role}")
    op.execute("REVOKE ALL ON public.alembic_version FROM kirana_command, kirana_query, kirana_projector")
    op.execute("REVOKE ALL ON SCHEMA public FROM kirana_command, kirana_query, kirana_projector")
