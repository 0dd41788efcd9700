"""For eyes and machines: the only place where numbers are rounded and where a stranger's words meet a terminal."""
