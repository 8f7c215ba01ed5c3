"""A payment gateway for development and tests: it takes no money, and signs and sends like one that does."""
