"""Lines made to fit a terminal: digests shortened, long lines wrapped under the column where their words began."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["fitted", "fitted_lines", "shortened"]

_DIGEST = re.compile(r"\b(sha256:)?([0-9a-f]{12})[0-9a-f]{52}\b")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LABEL = re.compile(r" *\S+(?: \S+)*? {2,}(?=\S)")
_PREFIX = re.compile(r" *")


def shortened(line: str) -> str:
    """Return a line whose digests are as long as eyes need them: twelve digits of sixty-four."""
    return _DIGEST.sub(r"\1\2…", line)


def fitted(line: str, width: int) -> list[str]:
    """Return a line as lines of at most `width` columns; only a word that is longer stays whole beyond.

    Continuation lines begin under the words behind the label, which two spaces set off, or two columns further in than
    the line itself. Colours take no room.
    """
    if len(_COLOUR.sub("", line)) <= width:
        return [line]
    start = _hanging(_COLOUR.sub("", line), width)
    head = _PREFIX.match(line)
    assert head is not None
    lines, current, room = [], head[0], len(head[0])
    for word in _words(line[head.end() :]):
        long = len(_COLOUR.sub("", word))
        if room + len(_COLOUR.sub("", word.rstrip())) > width and room > start:
            lines.append(current.rstrip())
            current, room = " " * start, start
            if not word.strip():
                continue
        current, room = current + word, room + long
    return [*lines, current.rstrip()]


def fitted_lines(lines: Iterable[str], width: int, *, whole_digests: bool = False) -> Iterator[str]:
    """Yield lines as a terminal of `width` columns shows them."""
    for line in lines:
        yield from fitted(line if whole_digests else shortened(line), width)


def _hanging(visible: str, width: int) -> int:
    label = _LABEL.match(visible)
    indent = label.end() if label else len(visible) - len(visible.lstrip()) + 2
    return indent if indent <= width // 2 else 4


def _words(text: str) -> list[str]:
    """Return the words of a text, each with the spaces behind it."""
    return re.findall(r"\S+ *| +", text)
