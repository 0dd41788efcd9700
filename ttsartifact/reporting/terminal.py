"""What reaches a terminal: a stranger's words made harmless, digests shortened, long lines wrapped.

Terminals obey ESC, OSC and C1 bytes, right-to-left marks reorder a line, a spreadsheet runs `=cmd`. What a reader sees
is therefore spelled: control, format, surrogate, private, unassigned and line-breaking characters, and the backslash
that spells them, become escapes (security design S8, S9; clause 11).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ttsartifact._starting import late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST = 400
_NAMED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_FORMULA = ("=", "+", "-", "@", "\t")


def safe(value: object, *, longest: int = LONGEST) -> str:
    """Return `value` as one line of printable characters, at most about `longest` of them."""
    text = value if isinstance(value, str) else str(value)
    more = len(text) - longest
    if more > 0:
        text = text[:longest]
    if not text.isprintable() or "\\" in text:
        text = "".join(map(_spelled, text))
    return f"{text}... ({more} more)" if more > 0 else text


def unicode_json(document: object) -> object:
    r"""Return what JSON is to hold with each half of a surrogate pair spelled out: `\xff` is a file name's byte 255."""
    text = json.dumps(document, ensure_ascii=False)
    return json.loads(_LONE.sub(lambda found: "\\" + _escape(ord(found[0])), text))


def safe_tsv(value: object) -> str:
    r"""Return one cell: null is \N, tab and newline are escaped, and nothing begins like a spreadsheet's formula."""
    if value is None or value == "":
        return r"\N"
    text = str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else str(value)
    quoted = isinstance(value, str) and text.startswith(_FORMULA)
    if not text.isprintable() or "\\" in text:
        text = "".join(map(_spelled, text))
    return f"'{text}" if quoted else text


def _spelled(character: str) -> str:
    # isprintable() refuses exactly Cc Cf Cs Co Cn Zl Zp and the spaces of Zs; the spaces are harmless.
    if character == "\\" or not (character.isprintable() or _is_space(character)):
        return _NAMED.get(character) or _escape(ord(character))
    return character


def _is_space(character: str) -> bool:
    import unicodedata

    return unicodedata.category(character) == "Zs"


def _escape(code: int) -> str:
    if 0xDC80 <= code < 0xDD00:  # a byte of a file name that is not UTF-8, as Python holds it
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_LONE = late_pattern("[\ud800-\udfff]")
_DIGEST = late_pattern(r"\b(sha256:)?([0-9a-f]{12})[0-9a-f]{52}\b")
_COLOUR = late_pattern(r"\x1b\[[0-9;]*m")
_LABEL = late_pattern(r" *\S+(?: \S+)*? {2,}(?=\S)")
_PREFIX = late_pattern(r" *")
_WORD = late_pattern(r"\S+ *| +")
_WHOLE = late_pattern(r"(?:[^\s`]*`[^`]*`)+[^\s`]* *|\S+ *| +")


def shortened(line: str) -> str:
    """Return a line whose digests are as long as eyes need them: twelve digits of sixty-four."""
    return _DIGEST.sub(r"\1\2…", line)


def fitted(line: str, width: int) -> list[str]:
    """Return a line as lines of at most `width` columns; only a word that is longer stays whole beyond.

    What is in backticks, a command for example, is broken only where it is longer than a line.

    Continuation lines begin under the words behind the label, which two spaces set off, or two columns further in than
    the line itself. Colours take no room.
    """
    if len(_COLOUR.sub("", line)) <= width:
        return [line]
    start = _hanging(_COLOUR.sub("", line), width)
    head = _PREFIX.match(line)
    assert head is not None
    lines, current, room = [], head[0], len(head[0])
    for word in _words(line[head.end() :], width - start):
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


def _words(text: str, room: int) -> Iterator[str]:
    """Yield the words of a text, each with the spaces behind it; one is what is in backticks, where there is room."""
    for word in _WHOLE.findall(text):
        yield from [word] if len(word.rstrip()) <= room else _WORD.findall(word)
