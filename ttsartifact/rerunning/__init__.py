"""Repeat a published run, without using anything that the file names."""
