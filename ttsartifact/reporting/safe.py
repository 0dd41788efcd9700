"""A stranger's words on our terminal, in our table, in our log: one way out for every string of an artifact.

Terminals obey ESC, OSC and C1 bytes, right-to-left marks reorder a line, a spreadsheet runs `=cmd`. What a reader sees
is therefore spelled: control, format, surrogate, private, unassigned and line-breaking characters, and the backslash
that spells them, become escapes (security design S8, S9; clause 11).
"""

from __future__ import annotations

__all__ = ["LONGEST", "safe", "safe_tsv"]

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
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
