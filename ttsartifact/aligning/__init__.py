"""A run and the log of somebody else's instrument on one axis, with a bound on how far they may lie apart."""
