"""The catalog as a file: what ``kirana catalog import`` takes in again and finds that nothing has changed."""
