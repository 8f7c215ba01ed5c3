"""What every table stands on: one metadata, one naming rule, the column shapes that recur.

Money is ``bigint`` minor units (paise) beside a currency; times are ``timestamptz`` (UTC on the wire);
ids are UUIDv7 made by PostgreSQL 18's ``uuidv7()``, so that they sort by creation.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, MetaData, Text, Uuid, func, text
from sqlalchemy.orm import DeclarativeBase, mapped_column

STORE_SCHEMA = "store"
READ_SCHEMA = "read"

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Parent of every table of schema ``store``."""

    metadata = MetaData(schema=STORE_SCHEMA, naming_convention=NAMING_CONVENTION)


UuidPk = Annotated[UUID, mapped_column(Uuid, primary_key=True, server_default=text("uuidv7()"))]
Paise = Annotated[int, mapped_column(BigInteger)]
ZeroPaise = Annotated[int, mapped_column(BigInteger, server_default=text("0"))]
Version = Annotated[int, mapped_column(BigInteger, server_default=text("1"))]
Currency = Annotated[str, mapped_column(Text, server_default=text("'INR'"))]
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
MaybeInstant = Annotated[datetime | None, mapped_column(DateTime(timezone=True))]
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]


def one_of(column: str, values: Sequence[str]) -> CheckConstraint:
    """A status is a constrained value: ``CHECK (column IN (…))``, named after the column."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def not_negative(*columns: str) -> list[CheckConstraint]:
    """``CHECK (column >= 0)`` for each of the columns."""
    return [CheckConstraint(f"{column} >= 0", name=f"{column}_not_negative") for column in columns]
