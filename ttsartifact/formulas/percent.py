"""Text as it reads once its percent and JSON escapes are resolved, with the place that each letter had."""

from __future__ import annotations

from ttsartifact._starting import late_pattern

__all__ = ["decoded"]

# %5F, encoded again as %255F, and \u005f; ASCII alone, for no name or mark that matters here has other letters.
_ESCAPED = late_pattern(r"%(?:25)*([0-7][0-9A-Fa-f])|\\u00([0-7][0-9A-Fa-f])")


def decoded(text: str) -> tuple[str, list[int]] | None:
    """Return `text` without its escapes and where each letter, and the end, stood; None if it has none.

    Example: ``decoded("a%5Fb") == ("a_b", [0, 1, 4, 5])``.
    """
    if "%" not in text and "\\u00" not in text:
        return None
    pieces, places, end = [], [], 0
    for match in _ESCAPED.finditer(text):
        pieces += [text[end : match.start()], chr(int(match[1] or match[2], 16))]
        places += [*range(end, match.start()), match.start()]
        end = match.end()
    if not pieces:
        return None
    return "".join((*pieces, text[end:])), [*places, *range(end, len(text) + 1)]
