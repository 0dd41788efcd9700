"""Bytes and words, both directions of each carrier in one file."""
