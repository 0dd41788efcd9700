"""A digest, spelled one way everywhere: `sha256:9f86...` (clause 8.1)."""

from __future__ import annotations

import hashlib

EMPTY_SHA256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def of(data: bytes) -> str:
    """Return the digest of `data`."""
    return spelled(hashlib.sha256(data).hexdigest())


def spelled(hex_digits: str) -> str:
    """Return the spelling of a SHA-256 given as 64 hex digits."""
    return f"sha256:{hex_digits}"
