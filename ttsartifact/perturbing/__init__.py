"""Controlled imperfection as an instrument: a plan in, the same run with parameterised, replayable faults out."""
