"""What staff arrange for shoppers to find: banners and collections of the home page, words that mean others."""

from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Integer, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, MaybeInstant, UuidPk, Version, one_of
from app.models.catalog import SLUG
from app.models.words import BANNER_LINKS, COLLECTION_SORTS, MOST_PICKED

_HTTP = "'^https?://'"


class Collection(Base):
    """Products under one name: picked by hand (``collection_items``), or what a category or brand has, by ``sort``.

    It is shown from ``starts_at`` to ``ends_at`` by itself, lower ``position`` first.
    """

    __tablename__ = "collections"

    id: Mapped[UuidPk]
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    image_url: Mapped[str | None] = mapped_column(Text)
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id"), index=True)
    brand_id: Mapped[UUID | None] = mapped_column(ForeignKey("brands.id"), index=True)
    sort: Mapped[str | None] = mapped_column(Text)
    position: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    starts_at: Mapped[MaybeInstant]
    ends_at: Mapped[MaybeInstant]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"slug ~ {SLUG}", name="slug_shape"),
        CheckConstraint(f"image_url ~ {_HTTP}", name="image_url_http"),
        CheckConstraint("position >= 0", name="position_not_negative"),
        one_of("sort", COLLECTION_SORTS),
        CheckConstraint("(sort IS NULL) = (num_nonnulls(category_id, brand_id) = 0)", name="sorted_if_by_rule"),
        CheckConstraint("ends_at > starts_at", name="window_in_order"),
    )


class CollectionItem(Base):
    """A product that was picked for a collection, and its place."""

    __tablename__ = "collection_items"

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"), primary_key=True, index=True)
    position: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        UniqueConstraint("collection_id", "position"),
        CheckConstraint(f"position BETWEEN 1 AND {MOST_PICKED}", name="position_in_range"),
    )


class Banner(Base):
    """A picture on the home page that leads somewhere, from ``starts_at`` to ``ends_at``, lower ``position`` first."""

    __tablename__ = "banners"

    id: Mapped[UuidPk]
    slug: Mapped[str] = mapped_column(Text, unique=True)
    title: Mapped[str] = mapped_column(Text)
    alt_text: Mapped[str] = mapped_column(Text, server_default=text("''"))
    image_url: Mapped[str] = mapped_column(Text)
    mobile_image_url: Mapped[str | None] = mapped_column(Text)
    link_kind: Mapped[str] = mapped_column(Text)
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id"), index=True)
    brand_id: Mapped[UUID | None] = mapped_column(ForeignKey("brands.id"), index=True)
    product_id: Mapped[UUID | None] = mapped_column(ForeignKey("products.id"), index=True)
    collection_id: Mapped[UUID | None] = mapped_column(ForeignKey("collections.id"), index=True)
    link_url: Mapped[str | None] = mapped_column(Text)
    position: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    starts_at: Mapped[MaybeInstant]
    ends_at: Mapped[MaybeInstant]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"slug ~ {SLUG}", name="slug_shape"),
        CheckConstraint(f"image_url ~ {_HTTP} AND mobile_image_url ~ {_HTTP}", name="pictures_http"),
        CheckConstraint("link_url ~ '^(https?://|/([^/]|$))'", name="link_url_http_or_path"),
        CheckConstraint("position >= 0", name="position_not_negative"),
        one_of("link_kind", BANNER_LINKS),
        CheckConstraint(
            "num_nonnulls(category_id, brand_id, product_id, collection_id, link_url) = 1 AND CASE link_kind"
            " WHEN 'category' THEN category_id IS NOT NULL WHEN 'brand' THEN brand_id IS NOT NULL"
            " WHEN 'product' THEN product_id IS NOT NULL WHEN 'collection' THEN collection_id IS NOT NULL"
            " ELSE link_url IS NOT NULL END",
            name="leads_where_it_says",
        ),
        CheckConstraint("ends_at > starts_at", name="window_in_order"),
    )


class SearchSynonym(Base):
    """A word that shoppers use and the words that the catalog uses for it; ``read.search_synonyms`` follows."""

    __tablename__ = "search_synonyms"

    id: Mapped[UuidPk]
    word: Mapped[str] = mapped_column(Text, unique=True)
    means: Mapped[list[str]] = mapped_column(ARRAY(Text))
    version: Mapped[Version]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("word = lower(word) AND word ~ '^\\S+$'", name="word_one_and_lowercase"),
        CheckConstraint("cardinality(means) BETWEEN 1 AND 8", name="means_in_range"),
    )
