"""What is generated for `docs/` from the code itself, so that it can't be out of date: see `kirana docs`."""
