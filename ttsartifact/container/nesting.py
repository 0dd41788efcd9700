"""How deep the brackets of a JSON text stand, counted before anything is parsed.

How deep a parser goes differs from one Python to the next.
"""

from __future__ import annotations

import re

from ttsartifact._starting import late_pattern
from ttsartifact.container.limits import MAX_JSON_DEPTH
from ttsartifact.errors import TooLarge

__all__ = ["require_shallow"]

# A string is taken whole, so that no bracket is seen within one; the last may lack its end.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_TEXT = late_pattern(_STRING, re.DOTALL)
_BRACKET = late_pattern(_STRING + r"|([\[{])|[\]}]", re.DOTALL)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def require_shallow(text: str, most: int = MAX_JSON_DEPTH) -> None:
    """Raise TooLarge where brackets stand deeper than `most` levels in a text that need not be JSON."""
    if text.count("[") + text.count("{") <= most or _is_shallow(text, most):
        return
    depth = 0
    for found in _BRACKET.finditer(text):
        if found[1]:
            depth += 1
            if depth > most:
                place = len(text[: found.start()].encode())
                raise TooLarge("is nested too deeply", where=f"offset {place}", expected=f"at most {most} levels")
        elif found[0] in {"]", "}"}:
            depth -= 1


def _is_shallow(text: str, most: int) -> bool:
    """Return whether the brackets are those of a text of at most `most` levels; False may be wrong.

    Each pass takes out the pairs with nothing between them, and with them a level: a fifth of the price of a count.
    """
    left = _TEXT.sub("", text).encode().translate(None, _NO_BRACKETS)
    for _ in range(most):
        if not left:
            break
        left = left.replace(b"{}", b"").replace(b"[]", b"")
    return not left
