"""A first run, or an adaptation, by an installed engine that is asked by name."""
