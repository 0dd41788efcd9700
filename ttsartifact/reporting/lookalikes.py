"""Texts that look alike and are not the same: which characters they differ in, by code point."""

from __future__ import annotations

from itertools import takewhile

__all__ = ["lookalikes"]

_FEW = 8
_SHOWN = 4


def lookalikes(a: str, b: str) -> tuple[str, str]:
    r"""Return for each of two texts the code points in which they first differ; empty where eyes see the difference.

    Named are characters beyond ASCII where the texts are otherwise equal, or equal to the eye throughout.

    >>> lookalikes("caf\u00e9", "cafe\u0301")
    (' (U+00E9)', ' (U+0065 U+0301)')
    >>> lookalikes("one", "two")
    ('', '')
    """
    head = _shared(a, b)
    tail = _shared(a[head:][::-1], b[head:][::-1])
    parts = a[head : len(a) - tail], b[head : len(b) - tail]
    if a == b or "".join(parts).isascii() or (max(map(len, parts)) > _FEW and _seen(a) != _seen(b)):
        return "", ""
    first, second = map(_points, parts)
    return first, second


def _shared(a: str, b: str) -> int:
    """Return how many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _points(part: str) -> str:
    more = " ..." if len(part) > _SHOWN else ""
    return f" ({' '.join(f'U+{ord(one):04X}' for one in part[:_SHOWN]) or 'none'}{more})"


def _seen(text: str) -> str:
    """Return a text as eyes see it: composed, every space a space, every hyphen a hyphen, no invisible character."""
    import unicodedata

    kinds = {"Zs": " ", "Pd": "-", "Cf": ""}
    folded = unicodedata.normalize("NFKC", text)
    return "".join(kinds.get(unicodedata.category(one), one) for one in folded)
