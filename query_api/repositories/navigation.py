"""Reads of the documents that are the same for everybody: the category tree, the home page. SELECT only."""

from typing import NamedTuple

from app.core.database import QueryPool


class Document(NamedTuple):
    """A stored document and its ETag."""

    body: bytes
    etag: str


async def document(pool: QueryPool, name: str) -> Document | None:
    """The document of that name; None before the projector made it."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT body, etag FROM read.navigation WHERE name = %s", (name,), binary=True
        )
        row = await cursor.fetchone()
    return None if row is None else Document(*row)
