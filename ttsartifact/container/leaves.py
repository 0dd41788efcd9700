"""Leaf digests (clause 8.10): the SHA-256 of each MiB of a bare file, as 32 raw bytes each in part `leaves`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.container.limits import LEAF_BYTES, MIB
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PART", "differing", "hex_digests", "span_words"]

PART = "leaves"
_DIGEST_BYTES = 32


def hex_digests(part: bytes, root: str | None) -> tuple[str, ...] | None:
    """Return the leaf digests in a part in hex, or None where they are not the ones that `root` binds."""
    if len(part) % _DIGEST_BYTES or digest.of(part) != root:
        return None
    return tuple(part[at : at + _DIGEST_BYTES].hex() for at in range(0, len(part), _DIGEST_BYTES))


def differing(found: Sequence[str], stated: Sequence[str]) -> list[tuple[int, int]]:
    """Return the half-open runs of leaves whose digests differ, as far as both sides have them."""
    runs: list[tuple[int, int]] = []
    for place, (mine, theirs) in enumerate(zip(found, stated, strict=False)):
        if mine == theirs:
            continue
        if runs and runs[-1][1] == place:
            runs[-1] = runs[-1][0], place + 1
        else:
            runs.append((place, place + 1))
    return runs


def span_words(first: int, end: int, size: int) -> str:
    """Return leaves `first` to before `end` of a file of `size` bytes in words.

    >>> span_words(37, 38, 1 << 30)
    'bytes 37 to 38 MiB'
    """
    scale = LEAF_BYTES // MIB
    if end * LEAF_BYTES >= size:
        return f"bytes {first * scale} MiB to the end"
    return f"bytes {first * scale} to {end * scale} MiB"
