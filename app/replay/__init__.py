"""Replay of a real shop's invoices through the HTTP API: planned from the file, driven by shoppers, staff, gateway."""
