"""A first run, or an adaptation, by an installed engine, chosen by name."""
