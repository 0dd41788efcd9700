"""A claim that was written before its runs, and what those runs say of it."""
