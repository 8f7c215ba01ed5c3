"""Putting answers together from what repositories give: no SQL here, and no HTTP."""
