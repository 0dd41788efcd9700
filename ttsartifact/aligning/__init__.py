"""A run and the log of a third party's instrument on one axis, with a bound on how far they may lie apart."""
