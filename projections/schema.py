"""DDL that the migration runs once: each projection's first version, empty, so that a fresh store can be read."""

from collections.abc import Iterator

from projections.definition import Projection
from projections.navigation import NAVIGATION_TABLE
from projections.registry import PROJECTIONS

FIRST_VERSION = 1


def first_versions() -> Iterator[str]:
    """Tables, indexes, views and their grants, in order; to be run as kirana_projector, who then owns them."""
    for projection in PROJECTIONS.values():
        yield from version_ddl(projection, FIRST_VERSION)
        yield from projection.create_view(FIRST_VERSION)
    yield NAVIGATION_TABLE
    yield "GRANT SELECT ON read.navigation TO kirana_query"


def version_ddl(projection: Projection, version: int) -> Iterator[str]:
    """One version's table and its indexes."""
    yield projection.create_table(version)
    yield from projection.create_indexes(version)


def registry_rows() -> Iterator[tuple[str, str]]:
    """(name, shape) of each projection, for the registry's first rows."""
    for projection in PROJECTIONS.values():
        yield projection.name, projection.shape
