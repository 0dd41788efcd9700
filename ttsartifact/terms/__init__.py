"""Frozen values: no files, no clocks."""
