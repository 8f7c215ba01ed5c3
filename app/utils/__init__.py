"""What two rooms share and no one room owns: pure helpers, with no I/O and no business rule."""
