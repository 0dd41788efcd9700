"""For eyes and machines: the only place where numbers are rounded and strangers' words are made safe."""
