"""What is sold: brands, the category tree, products, their variants, pictures and prices."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, Currency, Instant, MaybeInstant, Paise, UuidPk, Version, one_of
from app.models.words import REVIEW_STATUSES

SLUG = "'^[a-z0-9]+(-[a-z0-9]+)*$'"


class Brand(Base):
    """A maker or vendor."""

    __tablename__ = "brands"

    id: Mapped[UuidPk]
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]

    __table_args__ = (CheckConstraint(f"slug ~ {SLUG}", name="slug_shape"),)


class Category(Base):
    """A node of the category tree. ``ancestor_ids`` is root → self, kept by save_category."""

    __tablename__ = "categories"

    id: Mapped[UuidPk]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id"), index=True)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    image_url: Mapped[str | None] = mapped_column(Text)
    ancestor_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    position: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"slug ~ {SLUG}", name="slug_shape"),
        CheckConstraint("parent_id <> id", name="not_own_parent"),
        CheckConstraint("ancestor_ids[cardinality(ancestor_ids)] = id", name="path_ends_here"),
        Index("ix_categories_ancestor_ids", "ancestor_ids", postgresql_using="gin"),
    )


class TaxClass(Base):
    """A GST rate in basis points (1800 = 18 %). Prices include the tax."""

    __tablename__ = "tax_classes"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    rate_bp: Mapped[int] = mapped_column(Integer)

    __table_args__ = (CheckConstraint("rate_bp BETWEEN 0 AND 10000", name="rate_in_range"),)


class Product(Base):
    """A product page. Only ``active`` ones with ``published_at`` in the past are shown or sold."""

    __tablename__ = "products"

    id: Mapped[UuidPk]
    slug: Mapped[str] = mapped_column(Text, unique=True)
    title: Mapped[str] = mapped_column(Text)
    description_html: Mapped[str] = mapped_column(Text, server_default=text("''"))
    brand_id: Mapped[UUID | None] = mapped_column(ForeignKey("brands.id"), index=True)
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id"), index=True)
    product_type: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    options: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    seo_title: Mapped[str | None] = mapped_column(Text)
    seo_description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=text("'draft'"))
    published_at: Mapped[MaybeInstant]
    rating_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    rating_sum: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("status", ("draft", "active", "archived")),
        CheckConstraint(f"slug ~ {SLUG}", name="slug_shape"),
        CheckConstraint("cardinality(options) <= 3", name="options_at_most_three"),
        CheckConstraint("status <> 'active' OR published_at IS NOT NULL", name="active_is_published"),
        CheckConstraint(
            "rating_count >= 0 AND rating_sum BETWEEN rating_count AND 5 * rating_count", name="rating_adds_up"
        ),
    )


class ProductVariant(Base):
    """What is put in a cart: one SKU with its price (GST-inclusive), MRP, tax class and HSN code."""

    __tablename__ = "product_variants"

    id: Mapped[UuidPk]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"), index=True)
    sku: Mapped[str] = mapped_column(Text, unique=True)
    title: Mapped[str] = mapped_column(Text)
    option_values: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    price: Mapped[Paise]
    mrp: Mapped[Paise]
    currency: Mapped[Currency]
    tax_class_code: Mapped[str] = mapped_column(ForeignKey("tax_classes.code"), index=True)
    hsn_code: Mapped[str | None] = mapped_column(Text)
    barcode: Mapped[str | None] = mapped_column(Text)
    weight_grams: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    position: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    max_per_order: Mapped[int | None] = mapped_column(Integer)
    bucket_count: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("price > 0", name="price_positive"),
        CheckConstraint("mrp >= price", name="mrp_not_below_price"),
        CheckConstraint("currency = 'INR'", name="currency_served"),
        CheckConstraint("weight_grams >= 0", name="weight_not_negative"),
        CheckConstraint("max_per_order > 0", name="max_per_order_positive"),
        CheckConstraint("bucket_count BETWEEN 1 AND 64", name="bucket_count_in_range"),
        CheckConstraint("hsn_code ~ '^[0-9]{4,8}$'", name="hsn_shape"),
    )


class ProductImage(Base):
    """A picture of a product, or of one of its variants."""

    __tablename__ = "product_images"

    id: Mapped[UuidPk]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    variant_id: Mapped[UUID | None] = mapped_column(ForeignKey("product_variants.id"), index=True)
    url: Mapped[str] = mapped_column(Text)
    alt_text: Mapped[str] = mapped_column(Text, server_default=text("''"))
    position: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        UniqueConstraint("product_id", "position"),
        CheckConstraint("position > 0", name="position_positive"),
        CheckConstraint("url ~ '^https?://'", name="url_http"),
    )


class PriceChange(Base):
    """A price a variant had, has, or will have from ``effective_from`` on. Append-only but for status."""

    __tablename__ = "price_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.id"), index=True)
    price: Mapped[Paise]
    mrp: Mapped[Paise]
    status: Mapped[str] = mapped_column(Text)
    effective_from: Mapped[Instant]
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("status", ("scheduled", "applied", "cancelled")),
        CheckConstraint("price > 0 AND mrp >= price", name="amounts_in_range"),
        Index("ix_price_changes_due", "effective_from", postgresql_where=text("status = 'scheduled'")),
    )


class ProductReview(Base):
    """A shopper's rating of a product, one each; ``products.rating_sum`` counts the published ones.

    ``reason`` is what staff wrote who rejected it. A change of any of it is a new ``version``.
    """

    __tablename__ = "product_reviews"

    id: Mapped[UuidPk]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    rating: Mapped[int] = mapped_column(SmallInteger)
    title: Mapped[str] = mapped_column(Text, server_default=text("''"))
    body: Mapped[str] = mapped_column(Text, server_default=text("''"))
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending'"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    reason: Mapped[str | None] = mapped_column(Text)
    moderated_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    moderated_at: Mapped[MaybeInstant]
    version: Mapped[Version]

    __table_args__ = (
        UniqueConstraint("product_id", "user_id"),
        one_of("status", REVIEW_STATUSES),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating_in_range"),
        CheckConstraint("(moderated_by IS NULL) = (moderated_at IS NULL)", name="moderated_by_somebody"),
        CheckConstraint("reason IS NULL OR status = 'rejected'", name="reason_of_rejection"),
        Index("ix_product_reviews_status", "status", "id"),
        Index("ix_product_reviews_newest", "product_id", "id", postgresql_where=text("status = 'published'")),
        Index("ix_product_reviews_rated", "product_id", "rating", "id", postgresql_where=text("status = 'published'")),
    )
