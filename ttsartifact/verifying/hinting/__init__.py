"""What heuristics look at (hints.toml, clause 10.6), a file a kind; `hints` asks them all."""
