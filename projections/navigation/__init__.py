"""What is one document for everybody: the category tree with its counts, the home page, each collection's page.

They are computed from the catalog view and from what staff arranged, so they follow the catalog's checkpoint and never
run ahead of it. A document is a few hundred rows' worth of work however many events there were: it is made again when
the catalog changed, never more often than it takes.
"""

from app.utils.view_keys import COLLECTION_DOCUMENT

NAVIGATION = "navigation"
COLLECTION = COLLECTION_DOCUMENT

NAVIGATION_TABLE = (
    "CREATE TABLE read.navigation (name text PRIMARY KEY, body bytea NOT NULL, etag text NOT NULL,"
    " position bigint NOT NULL, due_at timestamptz, updated_at timestamptz NOT NULL)"
)
