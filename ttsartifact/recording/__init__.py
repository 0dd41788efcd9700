"""While it happens: clocks, chunks, sensors, the environment."""
