"""What is asked before a search for secrets: whether hardly any descriptor holds it, and how escaped text reads.

Descriptors of one machine share most of their words, and one look at all that are new costs less than a look at each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact._starting import late_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Screen", "decoded"]

_DIGEST = late_pattern(rb"sha256:[0-9a-f]{64}")
_MOST_KEPT, _LONGEST_KEPT = 4096, 64  # a stranger's words must not fill the memory


class Screen:
    """Remembers the words in which a test found nothing."""

    def __init__(self, test: Callable[[bytes], bool]) -> None:
        """Take a test of text with words in quotes. It finds nothing in digests, and nothing that two words make up."""
        self._test = test
        self._harmless: set[bytes] = set()

    def finds(self, raw: bytes) -> bool:
        """Return whether the test finds anything in the words of a JSON text: what stands between two quotes.

        Where something is escaped, what stands outside of quotes is looked at too.
        """
        pieces = raw.split(b'"')
        known = self._harmless
        new = {word for word in (pieces if b"\\" in raw else pieces[1::2]) if word not in known}
        text = b'"'.join([word for word in new if not _DIGEST.fullmatch(word)])
        if text and self._test(b'"%b"' % text):
            return True
        if len(known) < _MOST_KEPT:
            known.update(word for word in new if len(word) <= _LONGEST_KEPT)
        return False


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
