"""Alembic environment: migrations run as the owner, with a lock time-out, and never install a procedure."""

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.schema import SchemaItem

from app.models.read import ReadBase
from app.models.tables import Base

LOCK_TIMEOUT = "5s"
OWNED_SCHEMAS = {"store", "read"}


def include_name(name: str | None, type_: str, parent_names: object) -> bool:
    """Compare our schemas only: what an operator keeps in others is not ours to judge."""
    return type_ != "schema" or name in OWNED_SCHEMAS


def include_object(item: SchemaItem, name: str | None, type_: str, reflected: bool, compare_to: object) -> bool:
    """Leave out what is made at run time: partitions of the outbox, and the versioned view tables of `read`."""
    if type_ == "table" and reflected and compare_to is None:
        schema = getattr(item, "schema", None)
        return not (schema == "read" or (name or "").startswith("outbox_p"))
    return True


def migrate(connection: Connection) -> None:
    """Run the migrations in one transaction on ``connection``."""
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=[Base.metadata, ReadBase.metadata],
        include_schemas=True,
        include_name=include_name,
        include_object=include_object,
        compare_type=True,
        compare_server_default=False,
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    """Use the connection a caller handed over (CLI, tests), else the owner's URL from the settings."""
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    from app.core.config import get_settings

    engine = create_engine(get_settings().sqlalchemy_url("owner"), poolclass=pool.NullPool)
    with engine.connect() as connection:
        migrate(connection)


main()
