"""Signatures, time and the run log: who vouches for a run, since when it exists, and what was logged before what."""
