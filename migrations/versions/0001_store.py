"""Every table of schema store."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA store")
    op.execute("CREATE SEQUENCE store.order_number_seq START 100001")
    op.create_table(
        "brands",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f("ck_brands_slug_shape")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brands")),
        sa.UniqueConstraint("slug", name=op.f("uq_brands_slug")),
        schema="store",
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("ancestor_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f("ck_categories_slug_shape")),
        sa.CheckConstraint("ancestor_ids[cardinality(ancestor_ids)] = id", name=op.f("ck_categories_path_ends_here")),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_categories_not_own_parent")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["store.categories.id"], name=op.f("fk_categories_parent_id_categories")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
        sa.UniqueConstraint("slug", name=op.f("uq_categories_slug")),
        schema="store",
    )
    op.create_index(
        "ix_categories_ancestor_ids",
        "categories",
        ["ancestor_ids"],
        unique=False,
        schema="store",
        postgresql_using="gin",
    )
    op.create_index(op.f("ix_categories_parent_id"), "categories", ["parent_id"], unique=False, schema="store")
    op.create_table(
        "coupons",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("percent_bp", sa.Integer(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("buy_quantity", sa.Integer(), nullable=True),
        sa.Column("get_quantity", sa.Integer(), nullable=True),
        sa.Column("get_percent_bp", sa.Integer(), nullable=True),
        sa.Column("max_discount", sa.BigInteger(), nullable=True),
        sa.Column("min_subtotal", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("usage_limit", sa.Integer(), nullable=True),
        sa.Column("per_user_limit", sa.Integer(), nullable=True),
        sa.Column("used_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("scope", sa.Text(), server_default=sa.text("'all'"), nullable=False),
        sa.Column("first_order_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("stackable", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'fixed') = (amount IS NOT NULL)", name=op.f("ck_coupons_fixed_has_amount")),
        sa.CheckConstraint("(kind = 'percent') = (percent_bp IS NOT NULL)", name=op.f("ck_coupons_percent_has_rate")),
        sa.CheckConstraint(
            "CASE WHEN kind = 'buy_x_get_y' THEN num_nonnulls(buy_quantity, get_quantity, get_percent_bp) = 3 ELSE num_nonnulls(buy_quantity, get_quantity, get_percent_bp) = 0 END",
            name=op.f("ck_coupons_buy_x_get_y_has_counts"),
        ),
        sa.CheckConstraint("code ~ '^[A-Z0-9][A-Z0-9_-]{2,31}$'", name=op.f("ck_coupons_code_shape")),
        sa.CheckConstraint(
            "kind IN ('percent', 'fixed', 'free_shipping', 'buy_x_get_y')", name=op.f("ck_coupons_kind_known")
        ),
        sa.CheckConstraint("scope IN ('all', 'categories', 'products')", name=op.f("ck_coupons_scope_known")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_coupons_amount_positive")),
        sa.CheckConstraint("buy_quantity > 0 AND get_quantity > 0", name=op.f("ck_coupons_counts_positive")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_coupons_window_in_order")),
        sa.CheckConstraint("get_percent_bp BETWEEN 1 AND 10000", name=op.f("ck_coupons_get_percent_in_range")),
        sa.CheckConstraint("max_discount > 0", name=op.f("ck_coupons_max_discount_positive")),
        sa.CheckConstraint("min_subtotal >= 0", name=op.f("ck_coupons_min_subtotal_not_negative")),
        sa.CheckConstraint("percent_bp BETWEEN 1 AND 10000", name=op.f("ck_coupons_percent_in_range")),
        sa.CheckConstraint("usage_limit > 0 AND per_user_limit > 0", name=op.f("ck_coupons_limits_positive")),
        sa.CheckConstraint("used_count >= 0 AND used_count <= usage_limit", name=op.f("ck_coupons_used_within_limit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupons")),
        sa.UniqueConstraint("code", name=op.f("uq_coupons_code")),
        schema="store",
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 255", name=op.f("ck_idempotency_keys_key_length")),
        sa.PrimaryKeyConstraint("principal", "operation", "key", name=op.f("pk_idempotency_keys")),
        schema="store",
    )
    op.create_index("ix_idempotency_keys_expires", "idempotency_keys", ["expires_at"], unique=False, schema="store")
    op.create_table(
        "order_status_transitions",
        sa.Column("from_status", sa.Text(), nullable=False),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("by_staff", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "from_status IN ('pending_payment', 'confirmed', 'processing', 'packed', 'shipped', 'out_for_delivery', 'delivered', 'returned_to_origin', 'returned', 'cancelled', 'expired')",
            name=op.f("ck_order_status_transitions_from_status_known"),
        ),
        sa.CheckConstraint(
            "to_status IN ('pending_payment', 'confirmed', 'processing', 'packed', 'shipped', 'out_for_delivery', 'delivered', 'returned_to_origin', 'returned', 'cancelled', 'expired')",
            name=op.f("ck_order_status_transitions_to_status_known"),
        ),
        sa.PrimaryKeyConstraint("from_status", "to_status", name=op.f("pk_order_status_transitions")),
        schema="store",
    )
    op.create_table(
        "otp_verifications",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), server_default=sa.text("'login'"), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_attempts", sa.SmallInteger(), nullable=False),
        sa.Column("request_ip", postgresql.INET(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("purpose IN ('login', 'staff_invite')", name=op.f("ck_otp_verifications_purpose_known")),
        sa.CheckConstraint(
            "status IN ('pending', 'verified', 'superseded', 'exhausted')",
            name=op.f("ck_otp_verifications_status_known"),
        ),
        sa.CheckConstraint("attempts BETWEEN 0 AND max_attempts", name=op.f("ck_otp_verifications_attempts_in_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_otp_verifications")),
        schema="store",
    )
    op.create_index("ix_otp_verifications_created", "otp_verifications", ["created_at"], unique=False, schema="store")
    op.create_index(
        "ix_otp_verifications_ip_created",
        "otp_verifications",
        ["request_ip", "created_at"],
        unique=False,
        schema="store",
    )
    op.create_index(
        "ix_otp_verifications_phone_created", "otp_verifications", ["phone", "created_at"], unique=False, schema="store"
    )
    op.create_index(
        "uq_otp_verifications_pending",
        "otp_verifications",
        ["phone", "purpose"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "outbox",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True, cache=1), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("view_key", sa.Uuid(), nullable=False),
        sa.Column("aggregate_type", sa.Text(), nullable=False),
        sa.Column("aggregate_id", sa.Uuid(), nullable=False),
        sa.Column("aggregate_version", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("topic IN ('catalog', 'orders')", name=op.f("ck_outbox_topic_known")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_outbox")),
        schema="store",
        postgresql_partition_by="RANGE (position)",
    )
    op.create_table(
        "procedure_checksums",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file_sha256", sa.Text(), nullable=False),
        sa.Column("definition_md5", sa.Text(), nullable=False),
        sa.Column("installed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_procedure_checksums")),
        schema="store",
    )
    op.create_table(
        "shipping_rules",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default=sa.text("100"), nullable=False),
        sa.Column("pincode_prefix", sa.Text(), nullable=True),
        sa.Column("state_code", sa.Text(), nullable=True),
        sa.Column("min_subtotal", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_serviceable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("cod_allowed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("charge", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_rate_bp", sa.Integer(), server_default=sa.text("1800"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("pincode_prefix ~ '^[1-9][0-9]{0,5}$'", name=op.f("ck_shipping_rules_pincode_prefix_shape")),
        sa.CheckConstraint("state_code ~ '^[A-Z]{2}$'", name=op.f("ck_shipping_rules_state_code_shape")),
        sa.CheckConstraint("charge >= 0 AND min_subtotal >= 0", name=op.f("ck_shipping_rules_amounts_not_negative")),
        sa.CheckConstraint("tax_rate_bp BETWEEN 0 AND 10000", name=op.f("ck_shipping_rules_rate_in_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipping_rules")),
        sa.UniqueConstraint("name", name=op.f("uq_shipping_rules_name")),
        schema="store",
    )
    op.create_table(
        "staff_role_permissions",
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("permission", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "role IN ('owner', 'catalog', 'inventory', 'orders', 'support', 'finance', 'read_only')",
            name=op.f("ck_staff_role_permissions_role_known"),
        ),
        sa.PrimaryKeyConstraint("role", "permission", name=op.f("pk_staff_role_permissions")),
        schema="store",
    )
    op.create_table(
        "store_settings",
        sa.Column("id", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("seller_state_code", sa.Text(), server_default=sa.text("'KA'"), nullable=False),
        sa.Column("hold_seconds", sa.Integer(), server_default=sa.text("900"), nullable=False),
        sa.Column("max_cart_lines", sa.Integer(), server_default=sa.text("1000"), nullable=False),
        sa.Column("max_line_quantity", sa.Integer(), server_default=sa.text("100000"), nullable=False),
        sa.Column("max_cart_coupons", sa.Integer(), server_default=sa.text("5"), nullable=False),
        sa.Column("cod_max_total", sa.BigInteger(), server_default=sa.text("5000000"), nullable=False),
        sa.Column("otp_seconds", sa.Integer(), server_default=sa.text("300"), nullable=False),
        sa.Column("otp_max_attempts", sa.Integer(), server_default=sa.text("5"), nullable=False),
        sa.Column("otp_resend_seconds", sa.Integer(), server_default=sa.text("30"), nullable=False),
        sa.Column("otp_per_phone_hour", sa.Integer(), server_default=sa.text("5"), nullable=False),
        sa.Column("otp_per_ip_hour", sa.Integer(), server_default=sa.text("30"), nullable=False),
        sa.Column("session_seconds", sa.Integer(), server_default=sa.text("2592000"), nullable=False),
        sa.Column("idempotency_seconds", sa.Integer(), server_default=sa.text("2592000"), nullable=False),
        sa.Column("return_window_seconds", sa.Integer(), server_default=sa.text("864000"), nullable=False),
        sa.CheckConstraint("cod_max_total >= 0", name=op.f("ck_store_settings_cod_max_total_not_negative")),
        sa.CheckConstraint("id = 1", name=op.f("ck_store_settings_one_row")),
        sa.CheckConstraint(
            "least(hold_seconds, max_cart_lines, max_line_quantity, max_cart_coupons, otp_seconds, otp_max_attempts, otp_per_phone_hour, otp_per_ip_hour, session_seconds, idempotency_seconds) > 0",
            name=op.f("ck_store_settings_limits_positive"),
        ),
        sa.CheckConstraint("otp_resend_seconds >= 0", name=op.f("ck_store_settings_otp_resend_seconds_not_negative")),
        sa.CheckConstraint(
            "return_window_seconds >= 0", name=op.f("ck_store_settings_return_window_seconds_not_negative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_settings")),
        schema="store",
    )
    op.create_table(
        "tax_classes",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rate_bp", sa.Integer(), nullable=False),
        sa.CheckConstraint("rate_bp BETWEEN 0 AND 10000", name=op.f("ck_tax_classes_rate_in_range")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_tax_classes")),
        schema="store",
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("full_name", sa.Text(), nullable=True),
        sa.Column("marketing_opt_in", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("default_address_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("phone IS NOT NULL OR status = 'erased'", name=op.f("ck_users_phone_unless_erased")),
        sa.CheckConstraint("phone ~ '^\\+[1-9][0-9]{7,14}$'", name=op.f("ck_users_phone_e164")),
        sa.CheckConstraint("status IN ('active', 'blocked', 'erased')", name=op.f("ck_users_status_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("phone", name=op.f("uq_users_phone")),
        schema="store",
    )
    op.create_index(op.f("ix_users_default_address_id"), "users", ["default_address_id"], unique=False, schema="store")
    op.create_table(
        "warehouses",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state_code", sa.Text(), nullable=False),
        sa.Column("pincode", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default=sa.text("100"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("pincode ~ '^[1-9][0-9]{5}$'", name=op.f("ck_warehouses_pincode_shape")),
        sa.CheckConstraint("state_code ~ '^[A-Z]{2}$'", name=op.f("ck_warehouses_state_code_shape")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warehouses")),
        sa.UniqueConstraint("code", name=op.f("uq_warehouses_code")),
        schema="store",
    )
    op.create_table(
        "addresses",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("recipient_name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("line1", sa.Text(), nullable=False),
        sa.Column("line2", sa.Text(), nullable=True),
        sa.Column("landmark", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("state_code", sa.Text(), nullable=False),
        sa.Column("pincode", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), server_default=sa.text("'IN'"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("country = 'IN'", name=op.f("ck_addresses_country_served")),
        sa.CheckConstraint("pincode ~ '^[1-9][0-9]{5}$'", name=op.f("ck_addresses_pincode_shape")),
        sa.CheckConstraint("state_code ~ '^[A-Z]{2}$'", name=op.f("ck_addresses_state_code_shape")),
        sa.ForeignKeyConstraint(["user_id"], ["store.users.id"], name=op.f("fk_addresses_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        schema="store",
    )
    op.create_index(op.f("ix_addresses_user_id"), "addresses", ["user_id"], unique=False, schema="store")
    op.create_table(
        "carts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("guest_token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'INR'"), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("discount_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("shipping_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("grand_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("validated_version", sa.BigInteger(), nullable=True),
        sa.Column("validated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("merged_into_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(status = 'merged') = (merged_into_id IS NOT NULL)", name=op.f("ck_carts_merged_says_where")
        ),
        sa.CheckConstraint("status IN ('open', 'ordered', 'merged')", name=op.f("ck_carts_status_known")),
        sa.CheckConstraint("discount_total <= subtotal", name=op.f("ck_carts_discount_within_subtotal")),
        sa.CheckConstraint("discount_total >= 0", name=op.f("ck_carts_discount_total_not_negative")),
        sa.CheckConstraint(
            "grand_total = subtotal - discount_total + shipping_total", name=op.f("ck_carts_totals_add_up")
        ),
        sa.CheckConstraint("grand_total >= 0", name=op.f("ck_carts_grand_total_not_negative")),
        sa.CheckConstraint("num_nonnulls(user_id, guest_token_hash) = 1", name=op.f("ck_carts_one_owner")),
        sa.CheckConstraint("shipping_total >= 0", name=op.f("ck_carts_shipping_total_not_negative")),
        sa.CheckConstraint("subtotal >= 0", name=op.f("ck_carts_subtotal_not_negative")),
        sa.CheckConstraint("tax_total >= 0", name=op.f("ck_carts_tax_total_not_negative")),
        sa.ForeignKeyConstraint(["merged_into_id"], ["store.carts.id"], name=op.f("fk_carts_merged_into_id_carts")),
        sa.ForeignKeyConstraint(["user_id"], ["store.users.id"], name=op.f("fk_carts_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carts")),
        schema="store",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(op.f("ix_carts_merged_into_id"), "carts", ["merged_into_id"], unique=False, schema="store")
    op.create_index(op.f("ix_carts_user_id"), "carts", ["user_id"], unique=False, schema="store")
    op.create_index(
        "uq_carts_open_guest",
        "carts",
        ["guest_token_hash"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(
        "uq_carts_open_user",
        "carts",
        ["user_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description_html", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("brand_id", sa.Uuid(), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("product_type", sa.Text(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "attributes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("options", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("seo_title", sa.Text(), nullable=True),
        sa.Column("seo_description", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rating_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rating_sum", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f("ck_products_slug_shape")),
        sa.CheckConstraint(
            "status <> 'active' OR published_at IS NOT NULL", name=op.f("ck_products_active_is_published")
        ),
        sa.CheckConstraint("status IN ('draft', 'active', 'archived')", name=op.f("ck_products_status_known")),
        sa.CheckConstraint("cardinality(options) <= 3", name=op.f("ck_products_options_at_most_three")),
        sa.CheckConstraint(
            "rating_count >= 0 AND rating_sum BETWEEN rating_count AND 5 * rating_count",
            name=op.f("ck_products_rating_adds_up"),
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["store.brands.id"], name=op.f("fk_products_brand_id_brands")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["store.categories.id"], name=op.f("fk_products_category_id_categories")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("slug", name=op.f("uq_products_slug")),
        schema="store",
    )
    op.create_index(op.f("ix_products_brand_id"), "products", ["brand_id"], unique=False, schema="store")
    op.create_index(op.f("ix_products_category_id"), "products", ["category_id"], unique=False, schema="store")
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("revoked_reason", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("ip", postgresql.INET(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(status = 'revoked') = (revoked_reason IS NOT NULL)", name=op.f("ck_sessions_revoked_has_reason")
        ),
        sa.CheckConstraint(
            "revoked_reason IN ('logout', 'logout_all', 'refresh_reuse', 'blocked', 'erased')",
            name=op.f("ck_sessions_revoked_reason_known"),
        ),
        sa.CheckConstraint("status IN ('active', 'revoked')", name=op.f("ck_sessions_status_known")),
        sa.ForeignKeyConstraint(["user_id"], ["store.users.id"], name=op.f("fk_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        schema="store",
    )
    op.create_index("ix_sessions_expires", "sessions", ["expires_at"], unique=False, schema="store")
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False, schema="store")
    op.create_table(
        "staff_actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("permission", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("ip", postgresql.INET(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["store.users.id"], name=op.f("fk_staff_actions_staff_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_actions")),
        schema="store",
    )
    op.create_index(op.f("ix_staff_actions_staff_id"), "staff_actions", ["staff_id"], unique=False, schema="store")
    op.create_index(
        "ix_staff_actions_subject", "staff_actions", ["subject_type", "subject_id"], unique=False, schema="store"
    )
    op.create_table(
        "staff_members",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("added_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "role IN ('owner', 'catalog', 'inventory', 'orders', 'support', 'finance', 'read_only')",
            name=op.f("ck_staff_members_role_known"),
        ),
        sa.ForeignKeyConstraint(["added_by"], ["store.users.id"], name=op.f("fk_staff_members_added_by_users")),
        sa.ForeignKeyConstraint(["user_id"], ["store.users.id"], name=op.f("fk_staff_members_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_staff_members")),
        schema="store",
    )
    op.create_index(op.f("ix_staff_members_added_by"), "staff_members", ["added_by"], unique=False, schema="store")
    op.create_table(
        "cart_coupons",
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("discount_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("free_shipping", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'applied'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('applied', 'inapplicable')", name=op.f("ck_cart_coupons_status_known")),
        sa.CheckConstraint("discount_amount >= 0", name=op.f("ck_cart_coupons_discount_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["store.carts.id"], name=op.f("fk_cart_coupons_cart_id_carts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["coupon_id"], ["store.coupons.id"], name=op.f("fk_cart_coupons_coupon_id_coupons")),
        sa.PrimaryKeyConstraint("cart_id", "coupon_id", name=op.f("pk_cart_coupons")),
        sa.UniqueConstraint("cart_id", "position", name=op.f("uq_cart_coupons_cart_id_position")),
        schema="store",
    )
    op.create_index(op.f("ix_cart_coupons_coupon_id"), "cart_coupons", ["coupon_id"], unique=False, schema="store")
    op.create_table(
        "coupon_targets",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("num_nonnulls(category_id, product_id) = 1", name=op.f("ck_coupon_targets_one_target")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["store.categories.id"], name=op.f("fk_coupon_targets_category_id_categories")
        ),
        sa.ForeignKeyConstraint(
            ["coupon_id"], ["store.coupons.id"], name=op.f("fk_coupon_targets_coupon_id_coupons"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["store.products.id"], name=op.f("fk_coupon_targets_product_id_products")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_targets")),
        schema="store",
    )
    op.create_index(
        op.f("ix_coupon_targets_category_id"), "coupon_targets", ["category_id"], unique=False, schema="store"
    )
    op.create_index(
        op.f("ix_coupon_targets_product_id"), "coupon_targets", ["product_id"], unique=False, schema="store"
    )
    op.create_index(
        "uq_coupon_targets_target",
        "coupon_targets",
        ["coupon_id", "category_id", "product_id"],
        unique=True,
        schema="store",
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "number", sa.Text(), server_default=sa.text("'KR' || nextval('store.order_number_seq')"), nullable=False
        ),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("cart_version", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("payment_method", sa.Text(), nullable=False),
        sa.Column("payment_status", sa.Text(), server_default=sa.text("'unpaid'"), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'INR'"), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("discount_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("shipping_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("shipping_tax", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("taxable_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("grand_total", sa.BigInteger(), nullable=False),
        sa.Column("captured_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refund_pending_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("hold_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shipping_address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("place_of_supply", sa.Text(), nullable=False),
        sa.Column("attention", sa.Text(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "attention IN ('amount_mismatch', 'paid_after_hold', 'overpaid')", name=op.f("ck_orders_attention_known")
        ),
        sa.CheckConstraint("payment_method IN ('prepaid', 'cod')", name=op.f("ck_orders_payment_method_known")),
        sa.CheckConstraint(
            "payment_status IN ('unpaid', 'paid', 'partially_refunded', 'refunded')",
            name=op.f("ck_orders_payment_status_known"),
        ),
        sa.CheckConstraint(
            "status <> 'pending_payment' OR hold_expires_at IS NOT NULL", name=op.f("ck_orders_pending_has_expiry")
        ),
        sa.CheckConstraint(
            "status IN ('pending_payment', 'confirmed', 'processing', 'packed', 'shipped', 'out_for_delivery', 'delivered', 'returned_to_origin', 'returned', 'cancelled', 'expired')",
            name=op.f("ck_orders_status_known"),
        ),
        sa.CheckConstraint("captured_total >= 0", name=op.f("ck_orders_captured_total_not_negative")),
        sa.CheckConstraint("discount_total >= 0", name=op.f("ck_orders_discount_total_not_negative")),
        sa.CheckConstraint(
            "grand_total = subtotal - discount_total + shipping_total", name=op.f("ck_orders_totals_add_up")
        ),
        sa.CheckConstraint("grand_total >= 0", name=op.f("ck_orders_grand_total_not_negative")),
        sa.CheckConstraint("refund_pending_total >= 0", name=op.f("ck_orders_refund_pending_total_not_negative")),
        sa.CheckConstraint(
            "refunded_total + refund_pending_total <= captured_total", name=op.f("ck_orders_refunds_within_captured")
        ),
        sa.CheckConstraint("refunded_total >= 0", name=op.f("ck_orders_refunded_total_not_negative")),
        sa.CheckConstraint("shipping_tax >= 0", name=op.f("ck_orders_shipping_tax_not_negative")),
        sa.CheckConstraint("shipping_total >= 0", name=op.f("ck_orders_shipping_total_not_negative")),
        sa.CheckConstraint("subtotal >= 0", name=op.f("ck_orders_subtotal_not_negative")),
        sa.CheckConstraint("tax_total >= 0", name=op.f("ck_orders_tax_total_not_negative")),
        sa.CheckConstraint("taxable_total + tax_total = grand_total", name=op.f("ck_orders_tax_adds_up")),
        sa.CheckConstraint("taxable_total >= 0", name=op.f("ck_orders_taxable_total_not_negative")),
        sa.ForeignKeyConstraint(["cart_id"], ["store.carts.id"], name=op.f("fk_orders_cart_id_carts")),
        sa.ForeignKeyConstraint(["user_id"], ["store.users.id"], name=op.f("fk_orders_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("number", name=op.f("uq_orders_number")),
        schema="store",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(op.f("ix_orders_cart_id"), "orders", ["cart_id"], unique=False, schema="store")
    op.create_index(
        "ix_orders_due",
        "orders",
        ["hold_expires_at"],
        unique=False,
        schema="store",
        postgresql_where=sa.text("status = 'pending_payment'"),
    )
    op.create_index("ix_orders_user_created", "orders", ["user_id", "created_at", "id"], unique=False, schema="store")
    op.create_index(
        "uq_orders_live_cart",
        "orders",
        ["cart_id", "cart_version"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status NOT IN ('cancelled', 'expired')"),
    )
    op.create_index(
        "uq_orders_pending_user",
        "orders",
        ["user_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status = 'pending_payment'"),
    )
    op.create_table(
        "product_reviews",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'published'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('published', 'hidden')", name=op.f("ck_product_reviews_status_known")),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_product_reviews_rating_in_range")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["store.products.id"], name=op.f("fk_product_reviews_product_id_products")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["store.users.id"], name=op.f("fk_product_reviews_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_reviews")),
        sa.UniqueConstraint("product_id", "user_id", name=op.f("uq_product_reviews_product_id_user_id")),
        schema="store",
    )
    op.create_index(op.f("ix_product_reviews_user_id"), "product_reviews", ["user_id"], unique=False, schema="store")
    op.create_table(
        "product_variants",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("option_values", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("mrp", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'INR'"), nullable=False),
        sa.Column("tax_class_code", sa.Text(), nullable=False),
        sa.Column("hsn_code", sa.Text(), nullable=True),
        sa.Column("barcode", sa.Text(), nullable=True),
        sa.Column("weight_grams", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_per_order", sa.Integer(), nullable=True),
        sa.Column("bucket_count", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("currency = 'INR'", name=op.f("ck_product_variants_currency_served")),
        sa.CheckConstraint("hsn_code ~ '^[0-9]{4,8}$'", name=op.f("ck_product_variants_hsn_shape")),
        sa.CheckConstraint("bucket_count BETWEEN 1 AND 64", name=op.f("ck_product_variants_bucket_count_in_range")),
        sa.CheckConstraint("max_per_order > 0", name=op.f("ck_product_variants_max_per_order_positive")),
        sa.CheckConstraint("mrp >= price", name=op.f("ck_product_variants_mrp_not_below_price")),
        sa.CheckConstraint("price > 0", name=op.f("ck_product_variants_price_positive")),
        sa.CheckConstraint("weight_grams >= 0", name=op.f("ck_product_variants_weight_not_negative")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["store.products.id"], name=op.f("fk_product_variants_product_id_products")
        ),
        sa.ForeignKeyConstraint(
            ["tax_class_code"], ["store.tax_classes.code"], name=op.f("fk_product_variants_tax_class_code_tax_classes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_variants")),
        sa.UniqueConstraint("sku", name=op.f("uq_product_variants_sku")),
        schema="store",
    )
    op.create_index(
        op.f("ix_product_variants_product_id"), "product_variants", ["product_id"], unique=False, schema="store"
    )
    op.create_index(
        op.f("ix_product_variants_tax_class_code"), "product_variants", ["tax_class_code"], unique=False, schema="store"
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_refresh_tokens_token_hash_sha256")),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["store.sessions.id"],
            name=op.f("fk_refresh_tokens_session_id_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
        schema="store",
    )
    op.create_index(
        "ix_refresh_tokens_session_expires",
        "refresh_tokens",
        ["session_id", "expires_at"],
        unique=False,
        schema="store",
    )
    op.create_table(
        "wishlists",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["store.products.id"], name=op.f("fk_wishlists_product_id_products")),
        sa.ForeignKeyConstraint(["user_id"], ["store.users.id"], name=op.f("fk_wishlists_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wishlists")),
        sa.UniqueConstraint("user_id", "product_id", name=op.f("uq_wishlists_user_id_product_id")),
        schema="store",
    )
    op.create_index(op.f("ix_wishlists_product_id"), "wishlists", ["product_id"], unique=False, schema="store")
    op.create_table(
        "cart_items",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("mrp", sa.BigInteger(), nullable=False),
        sa.Column("previous_unit_price", sa.BigInteger(), nullable=True),
        sa.Column("discount_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'ok'"), nullable=False),
        sa.Column("available_quantity", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('ok', 'price_changed', 'insufficient_stock', 'unavailable')",
            name=op.f("ck_cart_items_status_known"),
        ),
        sa.CheckConstraint("available_quantity >= 0", name=op.f("ck_cart_items_available_quantity_not_negative")),
        sa.CheckConstraint(
            "discount_amount BETWEEN 0 AND unit_price * quantity", name=op.f("ck_cart_items_discount_within_line")
        ),
        sa.CheckConstraint("previous_unit_price > 0", name=op.f("ck_cart_items_previous_price_positive")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_cart_items_quantity_positive")),
        sa.CheckConstraint("unit_price > 0 AND mrp >= unit_price", name=op.f("ck_cart_items_prices_in_range")),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["store.carts.id"], name=op.f("fk_cart_items_cart_id_carts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["store.product_variants.id"], name=op.f("fk_cart_items_variant_id_product_variants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart_items")),
        sa.UniqueConstraint("cart_id", "variant_id", name=op.f("uq_cart_items_cart_id_variant_id")),
        schema="store",
    )
    op.create_index(op.f("ix_cart_items_variant_id"), "cart_items", ["variant_id"], unique=False, schema="store")
    op.create_table(
        "coupon_usage",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("discount_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("free_shipping", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'claimed'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('claimed', 'used', 'released')", name=op.f("ck_coupon_usage_status_known")),
        sa.CheckConstraint("discount_amount >= 0", name=op.f("ck_coupon_usage_discount_not_negative")),
        sa.ForeignKeyConstraint(["coupon_id"], ["store.coupons.id"], name=op.f("fk_coupon_usage_coupon_id_coupons")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_coupon_usage_order_id_orders")),
        sa.ForeignKeyConstraint(["user_id"], ["store.users.id"], name=op.f("fk_coupon_usage_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_usage")),
        schema="store",
    )
    op.create_index(
        "ix_coupon_usage_coupon_user", "coupon_usage", ["coupon_id", "user_id"], unique=False, schema="store"
    )
    op.create_index(op.f("ix_coupon_usage_order_id"), "coupon_usage", ["order_id"], unique=False, schema="store")
    op.create_index(op.f("ix_coupon_usage_user_id"), "coupon_usage", ["user_id"], unique=False, schema="store")
    op.create_index(
        "uq_coupon_usage_live",
        "coupon_usage",
        ["coupon_id", "order_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status <> 'released'"),
    )
    op.create_table(
        "inventory",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("on_hand", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("bucket >= 0", name=op.f("ck_inventory_bucket_not_negative")),
        sa.CheckConstraint("on_hand >= 0", name=op.f("ck_inventory_on_hand_not_negative")),
        sa.CheckConstraint("reserved BETWEEN 0 AND on_hand", name=op.f("ck_inventory_reserved_within_on_hand")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["store.product_variants.id"], name=op.f("fk_inventory_variant_id_product_variants")
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"], ["store.warehouses.id"], name=op.f("fk_inventory_warehouse_id_warehouses")
        ),
        sa.PrimaryKeyConstraint("variant_id", "warehouse_id", "bucket", name=op.f("pk_inventory")),
        schema="store",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(op.f("ix_inventory_warehouse_id"), "inventory", ["warehouse_id"], unique=False, schema="store")
    op.create_table(
        "order_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=True),
        sa.Column("to_status", sa.Text(), nullable=True),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "actor_kind IN ('customer', 'staff', 'system', 'gateway')", name=op.f("ck_order_events_actor_kind_known")
        ),
        sa.CheckConstraint(
            "from_status IN ('pending_payment', 'confirmed', 'processing', 'packed', 'shipped', 'out_for_delivery', 'delivered', 'returned_to_origin', 'returned', 'cancelled', 'expired')",
            name=op.f("ck_order_events_from_status_known"),
        ),
        sa.CheckConstraint(
            "to_status IN ('pending_payment', 'confirmed', 'processing', 'packed', 'shipped', 'out_for_delivery', 'delivered', 'returned_to_origin', 'returned', 'cancelled', 'expired')",
            name=op.f("ck_order_events_to_status_known"),
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["store.users.id"], name=op.f("fk_order_events_actor_id_users")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_order_events_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_events")),
        schema="store",
    )
    op.create_index(op.f("ix_order_events_actor_id"), "order_events", ["actor_id"], unique=False, schema="store")
    op.create_index(op.f("ix_order_events_order_id"), "order_events", ["order_id"], unique=False, schema="store")
    op.create_table(
        "order_items",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("hsn_code", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("mrp", sa.BigInteger(), nullable=False),
        sa.Column("gross_amount", sa.BigInteger(), nullable=False),
        sa.Column("discount_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("net_amount", sa.BigInteger(), nullable=False),
        sa.Column("tax_rate_bp", sa.Integer(), nullable=False),
        sa.Column("taxable_amount", sa.BigInteger(), nullable=False),
        sa.Column("tax_amount", sa.BigInteger(), nullable=False),
        sa.Column("cgst_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("sgst_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("igst_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("restocked_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "cgst_amount + sgst_amount + igst_amount = tax_amount", name=op.f("ck_order_items_tax_split_adds_up")
        ),
        sa.CheckConstraint("cgst_amount >= 0", name=op.f("ck_order_items_cgst_amount_not_negative")),
        sa.CheckConstraint(
            "discount_amount BETWEEN 0 AND gross_amount", name=op.f("ck_order_items_discount_within_gross")
        ),
        sa.CheckConstraint("gross_amount = unit_price * quantity", name=op.f("ck_order_items_gross_adds_up")),
        sa.CheckConstraint("igst_amount >= 0", name=op.f("ck_order_items_igst_amount_not_negative")),
        sa.CheckConstraint("net_amount = gross_amount - discount_amount", name=op.f("ck_order_items_net_adds_up")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_items_quantity_positive")),
        sa.CheckConstraint("refunded_amount BETWEEN 0 AND net_amount", name=op.f("ck_order_items_refunded_within_net")),
        sa.CheckConstraint(
            "refunded_quantity BETWEEN 0 AND quantity", name=op.f("ck_order_items_refunded_within_quantity")
        ),
        sa.CheckConstraint(
            "restocked_quantity BETWEEN 0 AND quantity", name=op.f("ck_order_items_restocked_within_quantity")
        ),
        sa.CheckConstraint("sgst_amount >= 0", name=op.f("ck_order_items_sgst_amount_not_negative")),
        sa.CheckConstraint("tax_amount >= 0", name=op.f("ck_order_items_tax_amount_not_negative")),
        sa.CheckConstraint("tax_rate_bp BETWEEN 0 AND 10000", name=op.f("ck_order_items_rate_in_range")),
        sa.CheckConstraint("taxable_amount + tax_amount = net_amount", name=op.f("ck_order_items_tax_adds_up")),
        sa.CheckConstraint("taxable_amount >= 0", name=op.f("ck_order_items_taxable_amount_not_negative")),
        sa.CheckConstraint("unit_price > 0 AND mrp >= unit_price", name=op.f("ck_order_items_prices_in_range")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_order_items_order_id_orders")),
        sa.ForeignKeyConstraint(["product_id"], ["store.products.id"], name=op.f("fk_order_items_product_id_products")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["store.product_variants.id"], name=op.f("fk_order_items_variant_id_product_variants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_items")),
        sa.UniqueConstraint("order_id", "line_no", name=op.f("uq_order_items_order_id_line_no")),
        sa.UniqueConstraint("order_id", "variant_id", name=op.f("uq_order_items_order_id_variant_id")),
        schema="store",
    )
    op.create_index(op.f("ix_order_items_product_id"), "order_items", ["product_id"], unique=False, schema="store")
    op.create_index(op.f("ix_order_items_variant_id"), "order_items", ["variant_id"], unique=False, schema="store")
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_no", sa.Integer(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_payment_id", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("captured_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'INR'"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'created'"), nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failed_verifications", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(method = 'cod') = (provider = 'cod')", name=op.f("ck_payments_cod_has_no_gateway")),
        sa.CheckConstraint(
            "method IN ('upi', 'card', 'netbanking', 'wallet', 'cod')", name=op.f("ck_payments_method_known")
        ),
        sa.CheckConstraint(
            "status <> 'captured' OR captured_amount = amount", name=op.f("ck_payments_captured_in_full")
        ),
        sa.CheckConstraint(
            "status IN ('created', 'pending_collection', 'captured', 'mismatched', 'failed', 'cancelled')",
            name=op.f("ck_payments_status_known"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payments_amount_positive")),
        sa.CheckConstraint("attempt_no > 0 AND failed_verifications >= 0", name=op.f("ck_payments_counts_in_range")),
        sa.CheckConstraint("captured_amount >= 0", name=op.f("ck_payments_captured_not_negative")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_payments_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("order_id", "attempt_no", name=op.f("uq_payments_order_id_attempt_no")),
        sa.UniqueConstraint("provider", "provider_payment_id", name=op.f("uq_payments_provider_provider_payment_id")),
        schema="store",
    )
    op.create_index(
        "uq_payments_open",
        "payments",
        ["order_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status IN ('created', 'pending_collection')"),
    )
    op.create_table(
        "price_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("mrp", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('scheduled', 'applied', 'cancelled')", name=op.f("ck_price_changes_status_known")
        ),
        sa.CheckConstraint("price > 0 AND mrp >= price", name=op.f("ck_price_changes_amounts_in_range")),
        sa.ForeignKeyConstraint(["changed_by"], ["store.users.id"], name=op.f("fk_price_changes_changed_by_users")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["store.product_variants.id"], name=op.f("fk_price_changes_variant_id_product_variants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_changes")),
        schema="store",
    )
    op.create_index(op.f("ix_price_changes_changed_by"), "price_changes", ["changed_by"], unique=False, schema="store")
    op.create_index(
        "ix_price_changes_due",
        "price_changes",
        ["effective_from"],
        unique=False,
        schema="store",
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.create_index(op.f("ix_price_changes_variant_id"), "price_changes", ["variant_id"], unique=False, schema="store")
    op.create_table(
        "product_images",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("alt_text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("url ~ '^https?://'", name=op.f("ck_product_images_url_http")),
        sa.CheckConstraint("position > 0", name=op.f("ck_product_images_position_positive")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["store.products.id"], name=op.f("fk_product_images_product_id_products")
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["store.product_variants.id"], name=op.f("fk_product_images_variant_id_product_variants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_images")),
        sa.UniqueConstraint("product_id", "position", name=op.f("uq_product_images_product_id_position")),
        schema="store",
    )
    op.create_index(
        op.f("ix_product_images_variant_id"), "product_images", ["variant_id"], unique=False, schema="store"
    )
    op.create_table(
        "inventory_reservations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("restored_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'held'"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'held') = (closed_at IS NULL)", name=op.f("ck_inventory_reservations_closed_when_not_held")
        ),
        sa.CheckConstraint(
            "status = 'consumed' OR restored_quantity = 0",
            name=op.f("ck_inventory_reservations_only_consumed_is_restored"),
        ),
        sa.CheckConstraint(
            "status IN ('held', 'consumed', 'released')", name=op.f("ck_inventory_reservations_status_known")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_inventory_reservations_quantity_positive")),
        sa.CheckConstraint(
            "restored_quantity BETWEEN 0 AND quantity", name=op.f("ck_inventory_reservations_restored_within_quantity")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["store.orders.id"], name=op.f("fk_inventory_reservations_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["order_item_id"],
            ["store.order_items.id"],
            name=op.f("fk_inventory_reservations_order_item_id_order_items"),
        ),
        sa.ForeignKeyConstraint(
            ["variant_id", "warehouse_id", "bucket"],
            ["store.inventory.variant_id", "store.inventory.warehouse_id", "store.inventory.bucket"],
            name=op.f("fk_inventory_reservations_variant_id_warehouse_id_bucket_inventory"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_reservations")),
        schema="store",
    )
    op.create_index(
        "ix_inventory_reservations_due",
        "inventory_reservations",
        ["expires_at"],
        unique=False,
        schema="store",
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_index(
        op.f("ix_inventory_reservations_order_id"), "inventory_reservations", ["order_id"], unique=False, schema="store"
    )
    op.create_index(
        op.f("ix_inventory_reservations_order_item_id"),
        "inventory_reservations",
        ["order_item_id"],
        unique=False,
        schema="store",
    )
    op.create_index(
        "ix_inventory_reservations_row",
        "inventory_reservations",
        ["variant_id", "warehouse_id", "bucket"],
        unique=False,
        schema="store",
    )
    op.create_index(
        "uq_inventory_reservations_held",
        "inventory_reservations",
        ["order_item_id", "warehouse_id", "bucket"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'initiated'"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("shipping_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'INR'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("provider_refund_id", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("submit_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_submit_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('cancellation', 'return', 'goodwill', 'late_payment', 'amount_mismatch')",
            name=op.f("ck_refunds_kind_known"),
        ),
        sa.CheckConstraint(
            "status IN ('initiated', 'submitted', 'succeeded', 'failed')", name=op.f("ck_refunds_status_known")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount_positive")),
        sa.CheckConstraint("shipping_amount BETWEEN 0 AND amount", name=op.f("ck_refunds_shipping_within_amount")),
        sa.CheckConstraint("submit_attempts >= 0", name=op.f("ck_refunds_submit_attempts_not_negative")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_refunds_order_id_orders")),
        sa.ForeignKeyConstraint(["payment_id"], ["store.payments.id"], name=op.f("fk_refunds_payment_id_payments")),
        sa.ForeignKeyConstraint(["requested_by"], ["store.users.id"], name=op.f("fk_refunds_requested_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        schema="store",
    )
    op.create_index(op.f("ix_refunds_order_id"), "refunds", ["order_id"], unique=False, schema="store")
    op.create_index(op.f("ix_refunds_payment_id"), "refunds", ["payment_id"], unique=False, schema="store")
    op.create_index(op.f("ix_refunds_requested_by"), "refunds", ["requested_by"], unique=False, schema="store")
    op.create_index(
        "ix_refunds_to_submit",
        "refunds",
        ["next_submit_at"],
        unique=False,
        schema="store",
        postgresql_where=sa.text("status = 'initiated'"),
    )
    op.create_table(
        "money_movements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'INR'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'refund') = (refund_id IS NOT NULL)", name=op.f("ck_money_movements_refund_names_itself")
        ),
        sa.CheckConstraint(
            "CASE kind WHEN 'capture' THEN amount > 0 ELSE amount < 0 END",
            name=op.f("ck_money_movements_sign_fits_kind"),
        ),
        sa.CheckConstraint("kind IN ('capture', 'refund')", name=op.f("ck_money_movements_kind_known")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_money_movements_order_id_orders")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["store.payments.id"], name=op.f("fk_money_movements_payment_id_payments")
        ),
        sa.ForeignKeyConstraint(["refund_id"], ["store.refunds.id"], name=op.f("fk_money_movements_refund_id_refunds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_money_movements")),
        sa.UniqueConstraint(
            "provider", "provider_ref", "kind", name=op.f("uq_money_movements_provider_provider_ref_kind")
        ),
        schema="store",
    )
    op.create_index(op.f("ix_money_movements_order_id"), "money_movements", ["order_id"], unique=False, schema="store")
    op.create_index(
        op.f("ix_money_movements_payment_id"), "money_movements", ["payment_id"], unique=False, schema="store"
    )
    op.create_index(
        op.f("ix_money_movements_refund_id"), "money_movements", ["refund_id"], unique=False, schema="store"
    )
    op.create_index(
        "uq_money_movements_refund",
        "money_movements",
        ["refund_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("refund_id IS NOT NULL"),
    )
    op.create_table(
        "payment_events",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('captured', 'already_captured', 'mismatched', 'failed', 'refunded', 'refund_failed', 'ignored', 'unmatched')",
            name=op.f("ck_payment_events_outcome_known"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["store.payments.id"], name=op.f("fk_payment_events_payment_id_payments")
        ),
        sa.ForeignKeyConstraint(["refund_id"], ["store.refunds.id"], name=op.f("fk_payment_events_refund_id_refunds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_events")),
        sa.UniqueConstraint("provider", "event_id", name=op.f("uq_payment_events_provider_event_id")),
        schema="store",
    )
    op.create_index(
        op.f("ix_payment_events_payment_id"), "payment_events", ["payment_id"], unique=False, schema="store"
    )
    op.create_index(op.f("ix_payment_events_refund_id"), "payment_events", ["refund_id"], unique=False, schema="store")
    op.create_table(
        "refund_items",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("restock", sa.Boolean(), nullable=False),
        sa.Column("restocked_quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_refund_items_amount_not_negative")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_refund_items_quantity_positive")),
        sa.CheckConstraint("restock OR restocked_quantity = 0", name=op.f("ck_refund_items_restock_was_chosen")),
        sa.CheckConstraint(
            "restocked_quantity BETWEEN 0 AND quantity", name=op.f("ck_refund_items_restocked_within_quantity")
        ),
        sa.ForeignKeyConstraint(
            ["order_item_id"], ["store.order_items.id"], name=op.f("fk_refund_items_order_item_id_order_items")
        ),
        sa.ForeignKeyConstraint(["refund_id"], ["store.refunds.id"], name=op.f("fk_refund_items_refund_id_refunds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_items")),
        sa.UniqueConstraint("refund_id", "order_item_id", name=op.f("uq_refund_items_refund_id_order_item_id")),
        schema="store",
    )
    op.create_index(
        op.f("ix_refund_items_order_item_id"), "refund_items", ["order_item_id"], unique=False, schema="store"
    )
    op.create_table(
        "stock_movements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "CASE WHEN kind IN ('receipt', 'restock', 'transfer_in', 'rebucket_in') THEN quantity > 0 WHEN kind IN ('sale', 'damage', 'transfer_out', 'rebucket_out') THEN quantity < 0 ELSE true END",
            name=op.f("ck_stock_movements_sign_fits_kind"),
        ),
        sa.CheckConstraint("kind <> 'sale' OR order_id IS NOT NULL", name=op.f("ck_stock_movements_sale_has_order")),
        sa.CheckConstraint(
            "kind IN ('receipt', 'sale', 'restock', 'adjustment', 'count', 'damage', 'transfer_out', 'transfer_in', 'rebucket_out', 'rebucket_in')",
            name=op.f("ck_stock_movements_kind_known"),
        ),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_stock_movements_quantity_not_zero")),
        sa.ForeignKeyConstraint(["actor_id"], ["store.users.id"], name=op.f("fk_stock_movements_actor_id_users")),
        sa.ForeignKeyConstraint(["order_id"], ["store.orders.id"], name=op.f("fk_stock_movements_order_id_orders")),
        sa.ForeignKeyConstraint(["refund_id"], ["store.refunds.id"], name=op.f("fk_stock_movements_refund_id_refunds")),
        sa.ForeignKeyConstraint(
            ["variant_id", "warehouse_id", "bucket"],
            ["store.inventory.variant_id", "store.inventory.warehouse_id", "store.inventory.bucket"],
            name=op.f("fk_stock_movements_variant_id_warehouse_id_bucket_inventory"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_movements")),
        schema="store",
    )
    op.create_index(op.f("ix_stock_movements_actor_id"), "stock_movements", ["actor_id"], unique=False, schema="store")
    op.create_index(op.f("ix_stock_movements_order_id"), "stock_movements", ["order_id"], unique=False, schema="store")
    op.create_index(
        op.f("ix_stock_movements_refund_id"), "stock_movements", ["refund_id"], unique=False, schema="store"
    )
    op.create_index(
        "ix_stock_movements_row",
        "stock_movements",
        ["variant_id", "warehouse_id", "bucket"],
        unique=False,
        schema="store",
    )
    op.create_foreign_key(
        "fk_users_default_address_id_addresses",
        "users",
        "addresses",
        ["default_address_id"],
        ["id"],
        source_schema="store",
        referent_schema="store",
        ondelete="SET NULL",
    )


def downgrade() -> None:
    op.drop_constraint("fk_users_default_address_id_addresses", "users", schema="store", type_="foreignkey")
    op.drop_index("ix_stock_movements_row", table_name="stock_movements", schema="store")
    op.drop_index(op.f("ix_stock_movements_refund_id"), table_name="stock_movements", schema="store")
    op.drop_index(op.f("ix_stock_movements_order_id"), table_name="stock_movements", schema="store")
    op.drop_index(op.f("ix_stock_movements_actor_id"), table_name="stock_movements", schema="store")
    op.drop_table("stock_movements", schema="store")
    op.drop_index(op.f("ix_refund_items_order_item_id"), table_name="refund_items", schema="store")
    op.drop_table("refund_items", schema="store")
    op.drop_index(op.f("ix_payment_events_refund_id"), table_name="payment_events", schema="store")
    op.drop_index(op.f("ix_payment_events_payment_id"), table_name="payment_events", schema="store")
    op.drop_table("payment_events", schema="store")
    op.drop_index(
        "uq_money_movements_refund",
        table_name="money_movements",
        schema="store",
        postgresql_where=sa.text("refund_id IS NOT NULL"),
    )
    op.drop_index(op.f("ix_money_movements_refund_id"), table_name="money_movements", schema="store")
    op.drop_index(op.f("ix_money_movements_payment_id"), table_name="money_movements", schema="store")
    op.drop_index(op.f("ix_money_movements_order_id"), table_name="money_movements", schema="store")
    op.drop_table("money_movements", schema="store")
    op.drop_index(
        "ix_refunds_to_submit", table_name="refunds", schema="store", postgresql_where=sa.text("status = 'initiated'")
    )
    op.drop_index(op.f("ix_refunds_requested_by"), table_name="refunds", schema="store")
    op.drop_index(op.f("ix_refunds_payment_id"), table_name="refunds", schema="store")
    op.drop_index(op.f("ix_refunds_order_id"), table_name="refunds", schema="store")
    op.drop_table("refunds", schema="store")
    op.drop_index(
        "uq_inventory_reservations_held",
        table_name="inventory_reservations",
        schema="store",
        postgresql_where=sa.text("status = 'held'"),
    )
    op.drop_index("ix_inventory_reservations_row", table_name="inventory_reservations", schema="store")
    op.drop_index(op.f("ix_inventory_reservations_order_item_id"), table_name="inventory_reservations", schema="store")
    op.drop_index(op.f("ix_inventory_reservations_order_id"), table_name="inventory_reservations", schema="store")
    op.drop_index(
        "ix_inventory_reservations_due",
        table_name="inventory_reservations",
        schema="store",
        postgresql_where=sa.text("status = 'held'"),
    )
    op.drop_table("inventory_reservations", schema="store")
    op.drop_index(op.f("ix_product_images_variant_id"), table_name="product_images", schema="store")
    op.drop_table("product_images", schema="store")
    op.drop_index(op.f("ix_price_changes_variant_id"), table_name="price_changes", schema="store")
    op.drop_index(
        "ix_price_changes_due",
        table_name="price_changes",
        schema="store",
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.drop_index(op.f("ix_price_changes_changed_by"), table_name="price_changes", schema="store")
    op.drop_table("price_changes", schema="store")
    op.drop_index(
        "uq_payments_open",
        table_name="payments",
        schema="store",
        postgresql_where=sa.text("status IN ('created', 'pending_collection')"),
    )
    op.drop_table("payments", schema="store")
    op.drop_index(op.f("ix_order_items_variant_id"), table_name="order_items", schema="store")
    op.drop_index(op.f("ix_order_items_product_id"), table_name="order_items", schema="store")
    op.drop_table("order_items", schema="store")
    op.drop_index(op.f("ix_order_events_order_id"), table_name="order_events", schema="store")
    op.drop_index(op.f("ix_order_events_actor_id"), table_name="order_events", schema="store")
    op.drop_table("order_events", schema="store")
    op.drop_index(op.f("ix_inventory_warehouse_id"), table_name="inventory", schema="store")
    op.drop_table("inventory", schema="store")
    op.drop_index(
        "uq_coupon_usage_live",
        table_name="coupon_usage",
        schema="store",
        postgresql_where=sa.text("status <> 'released'"),
    )
    op.drop_index(op.f("ix_coupon_usage_user_id"), table_name="coupon_usage", schema="store")
    op.drop_index(op.f("ix_coupon_usage_order_id"), table_name="coupon_usage", schema="store")
    op.drop_index("ix_coupon_usage_coupon_user", table_name="coupon_usage", schema="store")
    op.drop_table("coupon_usage", schema="store")
    op.drop_index(op.f("ix_cart_items_variant_id"), table_name="cart_items", schema="store")
    op.drop_table("cart_items", schema="store")
    op.drop_index(op.f("ix_wishlists_product_id"), table_name="wishlists", schema="store")
    op.drop_table("wishlists", schema="store")
    op.drop_index("ix_refresh_tokens_session_expires", table_name="refresh_tokens", schema="store")
    op.drop_table("refresh_tokens", schema="store")
    op.drop_index(op.f("ix_product_variants_tax_class_code"), table_name="product_variants", schema="store")
    op.drop_index(op.f("ix_product_variants_product_id"), table_name="product_variants", schema="store")
    op.drop_table("product_variants", schema="store")
    op.drop_index(op.f("ix_product_reviews_user_id"), table_name="product_reviews", schema="store")
    op.drop_table("product_reviews", schema="store")
    op.drop_index(
        "uq_orders_pending_user",
        table_name="orders",
        schema="store",
        postgresql_where=sa.text("status = 'pending_payment'"),
    )
    op.drop_index(
        "uq_orders_live_cart",
        table_name="orders",
        schema="store",
        postgresql_where=sa.text("status NOT IN ('cancelled', 'expired')"),
    )
    op.drop_index("ix_orders_user_created", table_name="orders", schema="store")
    op.drop_index(
        "ix_orders_due", table_name="orders", schema="store", postgresql_where=sa.text("status = 'pending_payment'")
    )
    op.drop_index(op.f("ix_orders_cart_id"), table_name="orders", schema="store")
    op.drop_table("orders", schema="store")
    op.drop_index(
        "uq_coupon_targets_target", table_name="coupon_targets", schema="store", postgresql_nulls_not_distinct=True
    )
    op.drop_index(op.f("ix_coupon_targets_product_id"), table_name="coupon_targets", schema="store")
    op.drop_index(op.f("ix_coupon_targets_category_id"), table_name="coupon_targets", schema="store")
    op.drop_table("coupon_targets", schema="store")
    op.drop_index(op.f("ix_cart_coupons_coupon_id"), table_name="cart_coupons", schema="store")
    op.drop_table("cart_coupons", schema="store")
    op.drop_index(op.f("ix_staff_members_added_by"), table_name="staff_members", schema="store")
    op.drop_table("staff_members", schema="store")
    op.drop_index("ix_staff_actions_subject", table_name="staff_actions", schema="store")
    op.drop_index(op.f("ix_staff_actions_staff_id"), table_name="staff_actions", schema="store")
    op.drop_table("staff_actions", schema="store")
    op.drop_index(op.f("ix_sessions_user_id"), table_name="sessions", schema="store")
    op.drop_index("ix_sessions_expires", table_name="sessions", schema="store")
    op.drop_table("sessions", schema="store")
    op.drop_index(op.f("ix_products_category_id"), table_name="products", schema="store")
    op.drop_index(op.f("ix_products_brand_id"), table_name="products", schema="store")
    op.drop_table("products", schema="store")
    op.drop_index("uq_carts_open_user", table_name="carts", schema="store", postgresql_where=sa.text("status = 'open'"))
    op.drop_index(
        "uq_carts_open_guest", table_name="carts", schema="store", postgresql_where=sa.text("status = 'open'")
    )
    op.drop_index(op.f("ix_carts_user_id"), table_name="carts", schema="store")
    op.drop_index(op.f("ix_carts_merged_into_id"), table_name="carts", schema="store")
    op.drop_table("carts", schema="store")
    op.drop_index(op.f("ix_addresses_user_id"), table_name="addresses", schema="store")
    op.drop_table("addresses", schema="store")
    op.drop_table("warehouses", schema="store")
    op.drop_index(op.f("ix_users_default_address_id"), table_name="users", schema="store")
    op.drop_table("users", schema="store")
    op.drop_table("tax_classes", schema="store")
    op.drop_table("store_settings", schema="store")
    op.drop_table("staff_role_permissions", schema="store")
    op.drop_table("shipping_rules", schema="store")
    op.drop_table("procedure_checksums", schema="store")
    op.drop_table("outbox", schema="store")
    op.drop_index(
        "uq_otp_verifications_pending",
        table_name="otp_verifications",
        schema="store",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.drop_index("ix_otp_verifications_phone_created", table_name="otp_verifications", schema="store")
    op.drop_index("ix_otp_verifications_ip_created", table_name="otp_verifications", schema="store")
    op.drop_index("ix_otp_verifications_created", table_name="otp_verifications", schema="store")
    op.drop_table("otp_verifications", schema="store")
    op.drop_table("order_status_transitions", schema="store")
    op.drop_index("ix_idempotency_keys_expires", table_name="idempotency_keys", schema="store")
    op.drop_table("idempotency_keys", schema="store")
    op.drop_table("coupons", schema="store")
    op.drop_index(op.f("ix_categories_parent_id"), table_name="categories", schema="store")
    op.drop_index("ix_categories_ancestor_ids", table_name="categories", schema="store", postgresql_using="gin")
    op.drop_table("categories", schema="store")
    op.drop_table("brands", schema="store")
    op.execute("DROP SEQUENCE store.order_number_seq")
    op.execute("DROP SCHEMA store CASCADE")  # the procedures, if somebody installed them
