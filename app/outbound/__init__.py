"""Carries events out of the store: to webhooks, and to Redis Streams. Runs in `kirana worker`, any number of times."""
