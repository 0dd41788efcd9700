"""Runners that make conformant artifacts and see ttsartifact only through its front door.

`formant` speaks with espeak-ng, as it is installed.
"""
