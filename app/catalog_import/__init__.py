"""Catalogs of other systems, read as they are and written by save_product."""
