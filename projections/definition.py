"""What a projection is: which topics it follows, the table its rows live in, and the one SELECT that computes them.

The same SELECT serves a batch (some keys), a rebuild (all of them), `verify` and `repair`: a row can only ever be
what that SELECT says over ``store``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

# Of a row's columns these are the projector's own, not computed from the store.
BOOKKEEPING = ("digest", "position", "revision")


@dataclass(frozen=True, slots=True)
class Projection:
    """One projection: a table, versioned as ``read.<name>_v<n>``, behind the view ``read.<name>``.

    ``columns`` is the table's body; ``select`` computes them for the keys that ``{wanted}`` (a condition on
    ``wanted_column``) lets through. ``expansions`` maps an aggregate type to the SELECT of the keys that a change of
    such aggregates (``%(ids)s``) touches; every other event touches its own ``view_key``. ``beside`` are the aggregate
    types that documents beside the rows are made of: their events count as a change. ``forgotten`` selects those
    of ``%(keys)s`` whose person was erased: versions that are kept for a rollback must not remember them.
    ``carried`` columns are sent, never searched or sorted by, so that a rebuild gathers no statistics of them.
    ``hashed`` maps a column to the one that the SELECT makes its MD5, which need not be computed again for the digest.
    ``storage`` are the table's storage parameters.
    """

    name: str
    topics: tuple[str, ...]
    key: str
    columns: Mapping[str, str]
    select: str
    keys_table: str
    wanted_column: str
    indexes: Mapping[str, str]
    expansions: Mapping[str, str]
    beside: frozenset[str] = frozenset()
    forgotten: str | None = None
    carried: frozenset[str] = frozenset()
    hashed: Mapping[str, str] = field(default_factory=dict)
    storage: str = "fillfactor = 85"

    def table(self, version: int) -> str:
        """The qualified name of one version's table."""
        return f"read.{self.name}_v{version}"

    @property
    def view(self) -> str:
        """The qualified name readers use."""
        return f"read.{self.name}"

    @property
    def shape(self) -> str:
        """A fingerprint of all that decides what a row is: a version of another shape must be rebuilt."""
        parts = (self.key, *self.columns.items(), self.select, *self.indexes.items(), self.digest_of("row"))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def create_table(self, version: int) -> str:
        """DDL of a version's table, without its secondary indexes (a rebuild makes them when it is filled)."""
        body = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return (
            f"CREATE TABLE {self.table(version)} ({self.key} uuid PRIMARY KEY, {body}, digest uuid NOT NULL,"
            f" position bigint NOT NULL, revision bigint NOT NULL) WITH ({self.storage})"
        )

    def create_indexes(self, version: int) -> list[str]:
        """DDL of a version's secondary indexes."""
        name = f"{self.name}_v{version}"
        listed = dict(self.indexes) | {"revision": "(revision)"}
        return [
            f"CREATE {'UNIQUE ' if suffix.startswith('uq_') else ''}INDEX {name}_{suffix} ON read.{name} {body}"
            for suffix, body in listed.items()
        ]

    def analyze(self, version: int) -> str:
        """ANALYZE of what plans are made by."""
        listed = ", ".join(name for name, _ in self._all if name not in self.carried)
        return f"ANALYZE {self.table(version)} ({listed}, revision)"

    def create_view(self, version: int, *, other_columns: bool = False) -> list[str]:
        """DDL that makes a version the one readers see. A view can't be replaced by one of ``other_columns``."""
        return [
            *([f"DROP VIEW {self.view}"] if other_columns else []),
            f"CREATE OR REPLACE VIEW {self.view} AS SELECT * FROM {self.table(version)}",
            f"GRANT SELECT ON {self.view} TO kirana_query",
        ]

    def rows(self, wanted: str) -> str:
        """The SELECT of whole rows (key, columns, digest) for the keys that the condition ``wanted`` lets through."""
        return (
            f"SELECT computed.*, {self.digest_of('computed', self.hashed)} AS digest"
            f" FROM ({self.select.replace('{wanted}', wanted)}) AS computed"
        )

    def upsert(self, version: int, wanted: str, *, restamp: bool = False) -> str:
        """INSERT … SELECT of the wanted rows as of ``%(position)s``; a newer row, or the same one, is left alone.

        ``restamp`` moves the position of one that is the same, too.
        """
        names = (self.key, *self.columns, "digest")
        listed = ", ".join(names)
        changed = ", ".join(f"{name} = EXCLUDED.{name}" for name in (*names[1:], "position", "revision"))
        return (
            f"INSERT INTO {self.table(version)} AS kept ({listed}, position, revision)"
            f" SELECT {listed}, %(position)s, nextval('read.revision_seq') FROM ({self.rows(wanted)}) AS fresh"
            f" ORDER BY {self.key}"
            f" ON CONFLICT ({self.key}) DO UPDATE SET {changed}"
            " WHERE kept.position <= EXCLUDED.position" + ("" if restamp else " AND kept.digest <> EXCLUDED.digest")
        )

    def fill(self, version: int, wanted: str) -> str:
        """INSERT … SELECT into an empty version, as of ``%(position)s``."""
        listed = ", ".join((self.key, *self.columns, "digest"))
        return (
            f"INSERT INTO {self.table(version)} ({listed}, position, revision)"
            f" SELECT {listed}, %(position)s, nextval('read.revision_seq') FROM ({self.rows(wanted)}) AS fresh"
        )

    def delete_gone(self, version: int) -> str:
        """DELETE of those of ``%(keys)s`` that the store no longer has."""
        return (
            f"DELETE FROM {self.table(version)} AS kept WHERE kept.{self.key} = ANY(%(keys)s)"
            f" AND NOT EXISTS (SELECT FROM {self.keys_table} AS source WHERE source.id = kept.{self.key})"
        )

    def digest_of(self, alias: str, hashed: Mapping[str, str] | None = None) -> str:
        """The digest of a row's columns, computed or stored (whatever the row's own ``digest`` says).

        ``hashed`` names columns to take a column's MD5 from: of a row just computed, never of one that was stored.
        """

        def said(name: str, kind: str) -> str:
            if not kind.startswith("bytea"):
                return f"{alias}.{name}"
            return f"{alias}.{hashed[name]}" if hashed and name in hashed else f"md5({alias}.{name})"

        return f"md5(ROW({', '.join(said(name, kind) for name, kind in self._all)})::text)::uuid"

    @property
    def _all(self) -> list[tuple[str, str]]:
        return [(self.key, "uuid"), *self.columns.items()]

    def wanted_next(self) -> str:
        """The condition that lets the ``%(rows)s`` keys after ``%(low)s`` through, and tells the planner how many.

        With a bound above it would take a range within one bucket of its histogram for a single row, of which anything
        may be computed again and again.
        """
        return f"{self.wanted_column} > %(low)s ORDER BY {self.wanted_column} LIMIT %(rows)s"

    def wanted_keys(self) -> str:
        """The condition that lets ``%(keys)s`` through."""
        return f"{self.wanted_column} = ANY(%(keys)s)"
