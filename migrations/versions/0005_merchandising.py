"""Reviews that staff read first; banners, collections and synonyms that staff arrange."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PERMISSIONS = {"reviews.moderate": ("owner", "catalog", "support"), "merchandising.write": ("owner", "catalog")}
ARRANGED = ("banners", "collection_items", "collections", "search_synonyms")
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
    arrange()
    op.get_bind().execute(
        sa.text("INSERT INTO store.staff_role_permissions (role, permission) VALUES (:r, :p)"),
        [{"r": role, "p": permission} for permission, roles in PERMISSIONS.items() for role in roles],
    )


def arrange() -> None:
    """What staff arrange for shoppers to find: its tables, who may touch them, and the synonyms there are."""
    op.create_table(
        "collections",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("brand_id", sa.Uuid(), nullable=True),
        sa.Column("sort", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("image_url ~ '^https?://'", name=op.f("ck_collections_image_url_http")),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f("ck_collections_slug_shape")),
        sa.CheckConstraint("sort IN ('bestselling', 'newest', 'discount')", name=op.f("ck_collections_sort_known")),
        sa.CheckConstraint(
            "(sort IS NULL) = (num_nonnulls(category_id, brand_id) = 0)", name=op.f("ck_collections_sorted_if_by_rule")
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_collections_window_in_order")),
        sa.CheckConstraint("position >= 0", name=op.f("ck_collections_position_not_negative")),
        sa.ForeignKeyConstraint(["brand_id"], ["store.brands.id"], name=op.f("fk_collections_brand_id_brands")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["store.categories.id"], name=op.f("fk_collections_category_id_categories")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
        sa.UniqueConstraint("slug", name=op.f("uq_collections_slug")),
        schema="store",
    )
    op.create_index(op.f("ix_collections_brand_id"), "collections", ["brand_id"], unique=False, schema="store")
    op.create_index(op.f("ix_collections_category_id"), "collections", ["category_id"], unique=False, schema="store")
    op.create_table(
        "collection_items",
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("position BETWEEN 1 AND 100", name=op.f("ck_collection_items_position_in_range")),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["store.collections.id"],
            name=op.f("fk_collection_items_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["store.products.id"], name=op.f("fk_collection_items_product_id_products")
        ),
        sa.PrimaryKeyConstraint("collection_id", "product_id", name=op.f("pk_collection_items")),
        sa.UniqueConstraint("collection_id", "position", name=op.f("uq_collection_items_collection_id_position")),
        schema="store",
    )
    op.create_index(
        op.f("ix_collection_items_product_id"), "collection_items", ["product_id"], unique=False, schema="store"
    )
    op.create_table(
        "banners",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("alt_text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("image_url", sa.Text(), nullable=False),
        sa.Column("mobile_image_url", sa.Text(), nullable=True),
        sa.Column("link_kind", sa.Text(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("brand_id", sa.Uuid(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("collection_id", sa.Uuid(), nullable=True),
        sa.Column("link_url", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "image_url ~ '^https?://' AND mobile_image_url ~ '^https?://'", name=op.f("ck_banners_pictures_http")
        ),
        sa.CheckConstraint(
            "link_kind IN ('category', 'brand', 'product', 'collection', 'url')",
            name=op.f("ck_banners_link_kind_known"),
        ),
        sa.CheckConstraint("link_url ~ '^(https?://|/([^/]|$))'", name=op.f("ck_banners_link_url_http_or_path")),
        sa.CheckConstraint(
            "num_nonnulls(category_id, brand_id, product_id, collection_id, link_url) = 1 AND CASE link_kind WHEN 'category' THEN category_id IS NOT NULL WHEN 'brand' THEN brand_id IS NOT NULL WHEN 'product' THEN product_id IS NOT NULL WHEN 'collection' THEN collection_id IS NOT NULL ELSE link_url IS NOT NULL END",
            name=op.f("ck_banners_leads_where_it_says"),
        ),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f("ck_banners_slug_shape")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_banners_window_in_order")),
        sa.CheckConstraint("position >= 0", name=op.f("ck_banners_position_not_negative")),
        sa.ForeignKeyConstraint(["brand_id"], ["store.brands.id"], name=op.f("fk_banners_brand_id_brands")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["store.categories.id"], name=op.f("fk_banners_category_id_categories")
        ),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["store.collections.id"], name=op.f("fk_banners_collection_id_collections")
        ),
        sa.ForeignKeyConstraint(["product_id"], ["store.products.id"], name=op.f("fk_banners_product_id_products")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_banners")),
        sa.UniqueConstraint("slug", name=op.f("uq_banners_slug")),
        schema="store",
    )
    op.create_index(op.f("ix_banners_brand_id"), "banners", ["brand_id"], unique=False, schema="store")
    op.create_index(op.f("ix_banners_category_id"), "banners", ["category_id"], unique=False, schema="store")
    op.create_index(op.f("ix_banners_collection_id"), "banners", ["collection_id"], unique=False, schema="store")
    op.create_index(op.f("ix_banners_product_id"), "banners", ["product_id"], unique=False, schema="store")
    op.create_table(
        "search_synonyms",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("means", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "word = lower(word) AND word ~ '^\\S+$'", name=op.f("ck_search_synonyms_word_one_and_lowercase")
        ),
        sa.CheckConstraint("cardinality(means) BETWEEN 1 AND 8", name=op.f("ck_search_synonyms_means_in_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_synonyms")),
        sa.UniqueConstraint("word", name=op.f("uq_search_synonyms_word")),
        schema="store",
    )
    tables = ", ".join(f"store.{table}" for table in ARRANGED)
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO kirana_writer")
    op.execute(f"GRANT SELECT ON {tables} TO kirana_query, kirana_projector")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON read.search_synonyms TO kirana_projector")
    op.execute("INSERT INTO store.search_synonyms (word, means) SELECT word, means FROM read.search_synonyms")


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
    op.execute("REVOKE INSERT, UPDATE, DELETE ON read.search_synonyms FROM kirana_projector")
    for table in ARRANGED:
        op.drop_table(table, schema="store")
    for name in ("newest", "rated", "status"):
        op.drop_index(f"ix_product_reviews_{name}", "product_reviews", schema="store")
    for name in ("moderated_by_somebody", "reason_of_rejection"):
        op.drop_constraint(op.f(f"ck_product_reviews_{name}"), "product_reviews", schema="store")
    known_statuses("published", "hidden", first="published", pending="hidden", rejected="hidden")
    for column in ("reason", "moderated_by", "moderated_at", "version"):
        op.drop_column("product_reviews", column, schema="store")
    op.drop_column("store_settings", "reviews_need_moderation", schema="store")
