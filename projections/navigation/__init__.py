"""What is one document for everybody: the category tree with its counts, and the home page.

They are computed from the catalog view, so they follow its checkpoint and never run ahead of it. A document is a few
hundred rows' worth of work however many events there were: it is made again when the catalog changed, never more
often than it takes.
"""

NAVIGATION = "navigation"

NAVIGATION_TABLE = (
    "CREATE TABLE read.navigation (name text PRIMARY KEY, body bytea NOT NULL, etag text NOT NULL,"
    " position bigint NOT NULL, due_at timestamptz, updated_at timestamptz NOT NULL)"
)
