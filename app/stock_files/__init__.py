"""Deliveries and counts that come as files."""
