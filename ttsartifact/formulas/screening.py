"""A quick no to what hardly any descriptor holds: words that were harmless once are not looked at again.

Descriptors of one machine share most of their words, and one look at all that are new costs less than a look at each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact._starting import late_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Screen"]

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
