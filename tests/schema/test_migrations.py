"""The models are the schema: migrating makes it, nothing more, nothing less, and the way back works."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from app.core.paths import ROOT
from app.models.tables import Base
from tests.support.databases import Database

SIXTEEN = (
    "users otp_verifications categories products product_images inventory carts cart_items wishlists orders order_items"
    " payments refunds coupons coupon_usage addresses"
)


def alembic(database: Database, act: Callable[[Config], Any]) -> None:
    engine = create_engine("postgresql+psycopg" + database.dsn().removeprefix("postgresql"))
    config = Config(toml_file=ROOT / "pyproject.toml")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        act(config)
        connection.commit()
    engine.dispose()


def tables(connection: psycopg.Connection[Any], *schemas: str) -> set[str]:
    rows = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = ANY(%s)", [list(schemas)]
    )
    return {name for (name,) in rows}


def test_the_tables_of_the_brief_are_there(bare_database: Database) -> None:
    with bare_database.connect() as connection:
        assert set(SIXTEEN.split()) <= tables(connection, "store")


def test_models_and_schema_agree(bare_database: Database) -> None:
    alembic(bare_database, command.check)


def test_down_to_nothing_and_up_again(bare_database: Database) -> None:
    alembic(bare_database, lambda config: command.downgrade(config, "base"))
    with bare_database.connect() as connection:
        assert tables(connection, "store", "read") == set()
    alembic(bare_database, lambda config: command.upgrade(config, "head"))
    alembic(bare_database, command.check)


def test_down_to_nothing_with_procedures_installed(database: Database) -> None:
    alembic(database, lambda config: command.downgrade(config, "base"))
    with database.connect() as connection:
        assert tables(connection, "store", "read") == set()


def test_every_foreign_key_is_indexed(shared_database: Database) -> None:
    """A row that is deleted or updated looks for its children; without an index that is a scan under a lock."""
    with shared_database.connect() as connection:
        rows = connection.execute("""
            SELECT c.conrelid::regclass::text, c.conname
            FROM pg_constraint AS c
            WHERE c.contype = 'f' AND c.connamespace = 'store'::regnamespace
                AND NOT EXISTS (
                    SELECT 1 FROM pg_index AS i
                    WHERE i.indrelid = c.conrelid AND i.indpred IS NULL
                        AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
                )
        """).fetchall()
    assert rows == [], "add an index that begins with these columns"


def test_every_amount_and_quantity_is_checked(shared_database: Database) -> None:
    """A bigint or integer of a business table that no CHECK names could hold nonsense."""
    free = {
        "position",
        "version",
        "cart_version",
        "validated_version",
        "priority",
        "aggregate_version",
        "id",
        "line_no",
    }
    with shared_database.connect() as connection:
        rows = connection.execute("""
            SELECT a.attrelid::regclass::text, a.attname
            FROM pg_attribute AS a
            JOIN pg_class AS t ON t.oid = a.attrelid AND t.relkind IN ('r', 'p') AND NOT t.relispartition
            WHERE t.relnamespace = 'store'::regnamespace AND a.attnum > 0
                AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                AND NOT EXISTS (
                    SELECT 1 FROM pg_constraint AS c
                    WHERE c.conrelid = a.attrelid AND c.contype IN ('c', 'f') AND a.attnum = ANY(c.conkey)
                )
        """).fetchall()
    assert [(table, column) for table, column in rows if column not in free] == []


def test_every_status_is_a_constrained_value(shared_database: Database) -> None:
    with shared_database.connect() as connection:
        rows = connection.execute("""
            SELECT a.attrelid::regclass::text, a.attname
            FROM pg_attribute AS a
            JOIN pg_class AS t ON t.oid = a.attrelid AND t.relkind = 'r'
            WHERE t.relnamespace = 'store'::regnamespace AND (a.attname ~ 'status$' OR a.attname IN ('kind', 'outcome'))
                AND NOT EXISTS (
                    SELECT 1 FROM pg_constraint AS c
                    WHERE c.conrelid = a.attrelid AND c.contype = 'c' AND a.attnum = ANY(c.conkey)
                )
        """).fetchall()
    assert rows == []


@pytest.mark.parametrize("table", sorted(t.name for t in Base.metadata.tables.values() if t.schema == "store"))
def test_money_is_never_a_float(table: str) -> None:
    kinds = {str(column.type).upper() for column in Base.metadata.tables[f"store.{table}"].columns}
    assert not kinds & {"FLOAT", "NUMERIC", "REAL", "DOUBLE PRECISION", "MONEY"}
