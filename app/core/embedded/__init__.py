"""Real servers from PyPI wheels, for a laptop and for the tests: PostgreSQL 18 and Redis, on unix sockets only."""
