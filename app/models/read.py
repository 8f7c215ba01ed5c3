"""Fixed tables of schema ``read``: what the projector keeps about itself, and the search words of people.

The views' own tables (``read.catalog_v1`` …) are not here: projections make them, version by version.
"""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, MetaData, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.models.base import NAMING_CONVENTION, READ_SCHEMA, CreatedAt, MaybeInstant, one_of


class ReadBase(DeclarativeBase):
    """Parent of the fixed tables of schema ``read``."""

    metadata = MetaData(schema=READ_SCHEMA, naming_convention=NAMING_CONVENTION)


class ProjectionRow(ReadBase):
    """A projection that is registered: which version of its tables is live, and over how many shards it works."""

    __tablename__ = "projections"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    live_version: Mapped[int] = mapped_column(Integer)
    previous_version: Mapped[int | None] = mapped_column(Integer)
    shards: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    switched_at: Mapped[CreatedAt]

    __table_args__ = (CheckConstraint("shards BETWEEN 1 AND 64", name="shards_in_range"),)


class ProjectionVersion(ReadBase):
    """One version of a projection's tables; ``position`` is the outbox position it holds when it is not live."""

    __tablename__ = "projection_versions"

    projection: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    phase: Mapped[str] = mapped_column(Text)
    shape: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    started_at: Mapped[CreatedAt]
    finished_at: Mapped[MaybeInstant]

    __table_args__ = (one_of("state", ("building", "live", "kept")),)


class ProjectionCheckpoint(ReadBase):
    """Up to which outbox position a shard of a projection is applied. Moves by compare-and-set only.

    ``generation`` is the version of the tables it was applied to; ``changes`` counts view rows changed so far.
    """

    __tablename__ = "projection_checkpoints"

    projection: Mapped[str] = mapped_column(Text, primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True)
    generation: Mapped[int] = mapped_column(Integer)
    position: Mapped[int] = mapped_column(BigInteger)
    changes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    updated_at: Mapped[CreatedAt]


class DeadLetter(ReadBase):
    """A view row that could not be computed; parked with its error so that the rest goes on."""

    __tablename__ = "dead_letters"

    projection: Mapped[str] = mapped_column(Text, primary_key=True)
    view_key: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    sqlstate: Mapped[str] = mapped_column(Text)
    error: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    first_at: Mapped[CreatedAt]
    last_at: Mapped[CreatedAt]


class PendingKey(ReadBase):
    """A view row to compute again though no event says so: a repair, or a product that sells differently now."""

    __tablename__ = "pending_keys"

    projection: Mapped[str] = mapped_column(Text, primary_key=True)
    view_key: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]

    __table_args__ = (one_of("reason", ("repair", "popularity")),)


class Popularity(ReadBase):
    """Units of a product sold in the last thirty days, net of what came back; refreshed by the projector."""

    __tablename__ = "popularity"

    product_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    units: Mapped[int] = mapped_column(BigInteger)


class SearchWord(ReadBase):
    """A word of the shown catalog and in how many products it is: what a misspelt word is compared with."""

    __tablename__ = "search_words"

    word: Mapped[str] = mapped_column(Text, primary_key=True)
    products: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        Index("ix_search_words_trigrams", "word", postgresql_using="gist", postgresql_ops={"word": "gist_trgm_ops"}),
        Index("ix_search_words_beginning", "word", postgresql_ops={"word": "text_pattern_ops"}),
    )


class TokenCount(ReadBase):
    """In how many shown products of the whole shop a token of the catalog view is: facets of a list without filters.

    Beside the tokens: ``#``, all shown products, and ``q:<n>``, those of prominence ``n``.
    """

    __tablename__ = "token_counts"

    token: Mapped[str] = mapped_column(Text, primary_key=True)
    products: Mapped[int] = mapped_column(Integer)


class SearchSynonym(ReadBase):
    """A word shoppers use and the words the catalog uses for it: what ``store.search_synonyms`` says."""

    __tablename__ = "search_synonyms"

    word: Mapped[str] = mapped_column(Text, primary_key=True)
    means: Mapped[list[str]] = mapped_column(ARRAY(Text))

    __table_args__ = (
        CheckConstraint("word = lower(word)", name="word_lowercase"),
        CheckConstraint("cardinality(means) BETWEEN 1 AND 8", name="means_in_range"),
    )


__all__ = [
    "DeadLetter",
    "PendingKey",
    "Popularity",
    "ProjectionCheckpoint",
    "ProjectionRow",
    "ProjectionVersion",
    "ReadBase",
    "SearchSynonym",
    "SearchWord",
    "TokenCount",
]
