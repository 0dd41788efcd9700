"""A claim that was written before its runs, and its test on those runs."""
