"""Settlement files against the ledger."""
