"""Backups that are known to restore: taken by PostgreSQL's own programs, with figures to hold the restored store to."""
