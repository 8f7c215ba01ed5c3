"""Writing the catalog to a file, all of it or none: a file that has its name is whole."""

import csv
import gzip
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg

from app.catalog_export.shopify import rows_of, surroundings
from app.catalog_import.columns import EXPORTED
from app.catalog_import.stored import Connection, every_product

STDOUT = Path("-")


@contextmanager
def snapshot(dsn: str) -> Iterator[Connection]:
    """One moment of the store, for as long as it takes to write it down; the role's time-outs are for requests."""
    with psycopg.connect(dsn) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SET LOCAL transaction_timeout = 0")
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield connection


def count(connection: Connection) -> int:
    """How many products there are to write."""
    row = connection.execute("SELECT count(*) FROM store.products").fetchone()
    return 0 if row is None else int(row[0])


def export(connection: Connection, path: Path, advance: Callable[[int], None]) -> int:
    """Write every product to ``path`` (``.gz`` is packed, ``-`` is stdout); how many rows that took."""
    around = surroundings(connection)
    written = 0
    with _opened(path) as stream:
        writer = csv.writer(stream)
        writer.writerow(EXPORTED)
        for product in every_product(connection):
            for row in rows_of(product, around):
                writer.writerow(row)
                written += 1
            advance(1)
    return written


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    if path == STDOUT:
        stream = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
        yield stream
        stream.flush()
        stream.detach()  # stdout is the process's, and stays open
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as raw:
            if path.suffix == ".gz":
                # no time and no name in it: the same catalog is the same file
                with (
                    gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
                    io.TextIOWrapper(packed, encoding="utf-8", newline="") as stream,
                ):
                    yield stream
            else:
                with io.TextIOWrapper(raw, encoding="utf-8", newline="") as stream:
                    yield stream
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
