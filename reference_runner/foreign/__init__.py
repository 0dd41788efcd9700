"""Engines of other people, each spoken to by an adapter of our own: their published tensors, none of their code."""
