"""Names of the views' keys in Redis: the projector writes them, the query API reads them.

A *generation* is one whole copy of a view. Its rows are one key each, hash-tagged by the row so that a Redis Cluster
spreads them; what tells which generation is live, and how far it is, are keys tagged by the view.
"""

from dataclasses import dataclass

EVERYTHING = b"*"
BODY, TAG, FROM, OWNER, VERSION, REVISION = "b", "e", "f", "o", "n", "v"


@dataclass(frozen=True, slots=True)
class ViewKeys:
    """The keys of one view (``catalog`` or ``orders``)."""

    view: str

    @property
    def live(self) -> str:
        """A string: the generation readers use. Its absence is how an emptied Redis is noticed."""
        return f"kirana:{{{self.view}}}:live"

    def progress(self, generation: str) -> str:
        """A hash: ``p:<shard>`` the outbox position, ``r:<shard>`` the revision the generation is filled up to."""
        return f"kirana:{{{self.view}}}:{generation}:progress"

    def row(self, generation: str, key: str) -> str:
        """A hash: the bytes to send and what must be known before they are sent."""
        return f"kirana:{self.view}:{generation}:{{{key}}}"

    @property
    def changes(self) -> str:
        """A channel: the keys of rows just written, as a JSON list, or ``EVERYTHING``; said before progress moves."""
        return f"kirana:{{{self.view}}}:changes"

    def rows_pattern(self) -> str:
        """A pattern for SCAN that all rows of all generations match."""
        return f"kirana:{self.view}:*"


CATALOG_KEYS = ViewKeys("catalog")
ORDERS_KEYS = ViewKeys("orders")
COLLECTION_DOCUMENT = "collection/"  # and its slug: the name of a collection's page among the navigation documents
