"""Puts a text and paths into a command's argv, and refuses a text that would be more than a text there.

A text may come from a stranger's artifact. As an argument of its own it can be an option (`--phonout=FILE` makes
espeak-ng write a file) or a response file (`@FILE` makes argparse, java and compilers read one); inside the program
text behind `sh -c` it is code.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PLACES", "Filling", "require_inert"]

PLACES = re.compile(r"\{(text|out|ref)\}")
_INTERPRETERS = re.compile(
    r"(?:ba|da|z|k|fi|a|c|tc)?sh|busybox|python[\d.]*|pypy[\d.]*|perl|ruby|node|nodejs|deno|php|lua|tclsh|osascript"
    r"|powershell|pwsh|cmd|awk|gawk|mawk"
)
_PROGRAM_FOLLOWS = re.compile(r"-[a-zA-Z]*[cer]|--(?:eval|command|execute)|/[cCkK]|-(?:Command|EncodedCommand)")
_INSTEAD = "`--text-on-stdin`, `--` before {text} if the command supports it, or --unsafe-text"


class Filling(NamedTuple):
    """What stands for the places of an argv."""

    text: str
    out: str
    references: tuple[str, ...]

    def of(self, argv: Sequence[str]) -> list[str]:
        """Return `argv` with its places filled, each inside its argument; a word with {ref} stands once a clip."""
        words: list[str] = []
        for word in argv:
            clips = self.references if "{ref}" in word else ("",)
            words += [self._in(word, clip) for clip in clips]
        return words

    def _in(self, word: str, clip: str) -> str:
        values = {"text": self.text, "out": self.out, "ref": clip}
        return PLACES.sub(lambda place: values[place[1]], word)


def require_inert(argv: Sequence[str], text: str, references: Sequence[str]) -> None:
    """Raise Refused where `text` or a clip's path would be an option, a response file or code in the filled `argv`."""
    said = {"text": (text,), "ref": tuple(references)}
    for place, word in enumerate(argv):
        for name in sorted({found[1] for found in PLACES.finditer(word)} & said.keys()):
            if _is_program(argv, place):
                raise Refused(
                    f"{{{name}}} is inside the program text that {os.path.basename(argv[0])} is given, so it "
                    f"would run as code",
                    where=f"argv/{place}",
                    expected=f"{{{name}}} as an argument of its own, or {_INSTEAD}",
                )
            for value in said[name]:
                _require_plain(name, value, word, place, guarded="--" in argv[1:place])


def _require_plain(name: str, value: str, word: str, place: int, *, guarded: bool) -> None:
    where = f"argv/{place}"
    if "\0" in value:
        raise Refused("a text with a NUL cannot be an argument", where=where, expected="`--text-on-stdin`")
    if not word.startswith(f"{{{name}}}"):
        return  # the caller's own words begin the argument and say what it is
    if value.startswith("-") and value != "-" and not guarded:
        raise Refused(f"{{{name}}} would be read as an option", where=where, found=value[:80], expected=_INSTEAD)
    if value.startswith("@"):
        raise Refused(f"{{{name}}} would be read as a response file", where=where, found=value[:80], expected=_INSTEAD)


def _is_program(argv: Sequence[str], place: int) -> bool:
    """Return whether the word at `place` is the program text of an interpreter, also behind `env` and the like."""
    if place == 0 or not _PROGRAM_FOLLOWS.fullmatch(argv[place - 1]):
        return False
    names = (os.path.basename(word).lower().removesuffix(".exe") for word in argv[: place - 1])
    return any(_INTERPRETERS.fullmatch(name) for name in names)
