"""A recording becomes one file."""
