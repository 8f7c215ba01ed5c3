"""Schema read: what the projector keeps, and the first, empty version of each view.

The views' tables belong to kirana_projector, which makes their next versions itself (`kirana projections rebuild`).
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from projections.schema import FIRST_VERSION, first_versions, registry_rows

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SYNONYMS = {
    "pram": ["stroller"],
    "buggy": ["stroller"],
    "pushchair": ["stroller"],
    "nappy": ["diaper"],
    "diaper": ["nappy"],
    "tee": ["t-shirt", "tshirt"],
    "tshirt": ["t-shirt", "tee"],
    "trousers": ["pants"],
    "pants": ["trousers"],
    "jumper": ["sweater"],
    "sweater": ["jumper", "pullover"],
    "mobile": ["phone"],
    "phone": ["mobile"],
    "mug": ["cup"],
    "torch": ["flashlight"],
    "jewellery": ["jewelry"],
    "jewelry": ["jewellery"],
    "colour": ["color"],
    "color": ["colour"],
    "kurti": ["kurta"],
    "specs": ["glasses", "spectacles"],
    "xmas": ["christmas"],
}


def upgrade() -> None:
    op.execute("CREATE SCHEMA read")
    # trusted extensions: the database's owner may create them; where an operator keeps them elsewhere they stay there
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public")
    op.execute("CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public")
    text_search()
    fixed_tables()
    op.execute("GRANT USAGE ON SCHEMA read TO kirana_projector, kirana_query")
    op.execute("GRANT CREATE ON SCHEMA read TO kirana_projector")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA read TO kirana_projector")
    op.execute("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA read TO kirana_projector")
    op.execute(
        "GRANT SELECT ON read.projections, read.projection_checkpoints, read.search_words, read.search_synonyms"
        " TO kirana_query"
    )
    op.execute("GRANT kirana_projector TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
    connection = op.get_bind()
    for name, shape in registry_rows():
        values = {"name": name, "version": FIRST_VERSION, "shape": shape}
        connection.execute(
            sa.text("INSERT INTO read.projections (name, live_version) VALUES (:name, :version)"),
            {"name": name, "version": FIRST_VERSION},
        )
        connection.execute(
            sa.text(
                "INSERT INTO read.projection_versions (projection, version, state, phase, shape, finished_at)"
                " VALUES (:name, :version, 'live', 'live', :shape, now())"
            ),
            values,
        )
    connection.execute(
        sa.text("INSERT INTO read.search_synonyms (word, means) VALUES (:word, :means)"),
        [{"word": word, "means": means} for word, means in SYNONYMS.items()],
    )
    op.execute("SET LOCAL ROLE kirana_projector")
    for statement in first_versions():
        connection.exec_driver_sql(statement)
    op.execute("RESET ROLE")


def text_search() -> None:
    """Stemming and plain words, both blind to accents; the extension may live in any schema."""
    schema = op.get_bind().scalar(
        sa.text(
            "SELECT n.nspname FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace"
            " WHERE d.dictname = 'unaccent'"
        )
    )
    words = "hword, hword_part, word, asciiword, asciihword, hword_asciipart"
    op.execute("CREATE TEXT SEARCH CONFIGURATION read.kirana (COPY = pg_catalog.english)")
    op.execute(
        f"ALTER TEXT SEARCH CONFIGURATION read.kirana ALTER MAPPING FOR {words} WITH {schema}.unaccent, english_stem"
    )
    op.execute("CREATE TEXT SEARCH CONFIGURATION read.kirana_plain (COPY = pg_catalog.simple)")
    op.execute(
        f"ALTER TEXT SEARCH CONFIGURATION read.kirana_plain ALTER MAPPING FOR {words} WITH {schema}.unaccent, simple"
    )


def fixed_tables() -> None:
    """The projector's own books, as app/models/read.py has them."""
    op.execute("CREATE SEQUENCE read.revision_seq")
    op.create_table(
        "dead_letters",
        sa.Column("projection", sa.Text(), nullable=False),
        sa.Column("view_key", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("sqlstate", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("projection", "view_key", name=op.f("pk_dead_letters")),
        schema="read",
    )
    op.create_table(
        "pending_keys",
        sa.Column("projection", sa.Text(), nullable=False),
        sa.Column("view_key", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("reason IN ('repair', 'popularity')", name=op.f("ck_pending_keys_reason_known")),
        sa.PrimaryKeyConstraint("projection", "view_key", name=op.f("pk_pending_keys")),
        schema="read",
    )
    op.create_table(
        "popularity",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_popularity")),
        schema="read",
    )
    op.create_table(
        "projection_checkpoints",
        sa.Column("projection", sa.Text(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("projection", "shard", name=op.f("pk_projection_checkpoints")),
        schema="read",
    )
    op.create_table(
        "projection_versions",
        sa.Column("projection", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('building', 'live', 'kept')", name=op.f("ck_projection_versions_state_known")),
        sa.PrimaryKeyConstraint("projection", "version", name=op.f("pk_projection_versions")),
        schema="read",
    )
    op.create_table(
        "projections",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("live_version", sa.Integer(), nullable=False),
        sa.Column("previous_version", sa.Integer(), nullable=True),
        sa.Column("shards", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("switched_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("shards BETWEEN 1 AND 64", name=op.f("ck_projections_shards_in_range")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_projections")),
        schema="read",
    )
    op.create_table(
        "search_synonyms",
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("means", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.CheckConstraint("cardinality(means) BETWEEN 1 AND 8", name=op.f("ck_search_synonyms_means_in_range")),
        sa.CheckConstraint("word = lower(word)", name=op.f("ck_search_synonyms_word_lowercase")),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_search_synonyms")),
        schema="read",
    )
    op.create_table(
        "search_words",
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("products", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_search_words")),
        schema="read",
    )
    op.create_index(
        "ix_search_words_beginning",
        "search_words",
        ["word"],
        unique=False,
        schema="read",
        postgresql_ops={"word": "text_pattern_ops"},
    )
    op.create_index(
        "ix_search_words_trigrams",
        "search_words",
        ["word"],
        unique=False,
        schema="read",
        postgresql_using="gist",
        postgresql_ops={"word": "gist_trgm_ops"},
    )
    # ### end Alembic commands ###


def downgrade() -> None:
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA read FROM kirana_projector, kirana_query")
    op.execute("DROP SCHEMA read CASCADE")
    op.execute("DROP EXTENSION IF EXISTS unaccent")
    op.execute("DROP EXTENSION IF EXISTS pg_trgm")
