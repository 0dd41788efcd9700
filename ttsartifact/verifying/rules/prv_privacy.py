"""Privacy (clause 11.1): information about people and machines that cannot be withdrawn once it is published.

Every pattern is linear: it begins where a word begins, and what it repeats is bounded or ends at a letter that the
repetition cannot hold. The words are those of registry/privacy.toml.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import late_pattern
from ttsartifact.formulas.secrets import Screen, is_marked, may_be_marked, secrets_of
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_HARDWARE = late_pattern(
    r"(?<![A-Za-z0-9])(?i:gpu|mig)-[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?<![0-9a-fA-F:])(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![0-9a-fA-F:])"
    # With dashes or dots a date of digits alone could be meant.
    r"|(?<![0-9a-fA-F-])(?=[0-9-]{0,16}[a-fA-F])(?:[0-9a-fA-F]{2}-){5}[0-9a-fA-F]{2}(?![0-9a-fA-F-])"
    r"|(?<![0-9a-fA-F.])(?=[0-9.]{0,13}[a-fA-F])(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}(?![0-9a-fA-F.])"
)
# One look at the bytes for what every hit holds answers for almost every run; a pattern costs fifty times as much.
# The mark in a string follows the one in the descriptor's bytes, where JSON spells one backslash as two.
_HOME_MARKS = {
    mark.encode(): mark.replace("\\\\", "\\")
    for mark in ("/home/", "Users", "/root", "file:", "smb:", "cifs:", "afp:", "@", "\\\\", "~")
}
_HARDWARE_MARKS = (b"gpu-", b"mig-")
_MAC_MARK = late_pattern(
    rb":[0-9a-fA-F]{2}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}:|-[0-9a-fA-F]{2}-[0-9a-fA-F]{2}-[0-9a-fA-F]{2}-"
    rb"|\.[0-9a-fA-F]{4}\."
)
_SPOKEN = "/input/text/value"  # what was spoken is published on purpose
_WINDOWS_FROM_BYTES, _ANYWHERE_FROM_BYTES = 4, 8  # a shorter text stands in other words by accident
_MOST_HASHED_BYTES = 64 << 20  # of windows, in all; the whole of an honest descriptor takes less


def _home_marks(raw: bytes) -> list[str]:
    return [of_string for mark, of_string in _HOME_MARKS.items() if mark in raw]


def _has_hardware_mark(raw: bytes) -> bool:
    lower = raw.lower()
    return any(mark in lower for mark in _HARDWARE_MARKS) or _MAC_MARK.search(raw) is not None


_SCREEN = Screen(lambda words: bool(_home_marks(words)) or _has_hardware_mark(words) or may_be_marked(words))


def _is_marked(evidence: Evidence) -> bool:
    """Return whether PRV01, PRV02 or PRV04 may have anything to say; of most runs one look answers for all three."""
    return _SCREEN.finds(evidence.descriptor.raw)


@cache
def _home() -> re.Pattern[str]:
    words = _spec.table("registry/privacy")
    roots, names = ("|".join(map(re.escape, words[key])) for key in ("home_roots", "local_names"))
    private = r"(?:10|127)(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}"
    return re.compile(
        rf"(?<![\w.])/(?:{roots})/[^/\s\"\\{{}}]"
        r"|(?<![\w/.])/root(?![\w.-])"
        r"|(?<!\w)[A-Za-z]:[\\/]{1,2}Users[\\/]{1,2}\w"
        r"|(?<![\w/~])~[a-z_][a-z0-9_-]{0,31}/"  # the home of another account
        r"|(?<![\w\\])\\\\[\w.$-]{1,64}\\[\w$]"  # \\server\share
        r"|(?<!\w)(?:file|smb|cifs|afp)://"
        rf"|(?<![\w.-])[\w.-]{{1,64}}@(?:localhost|{private}|(?:[\w-]{{1,63}}\.){{1,8}}(?:{names}))(?![\w.-]*\w)"
    )


@rule("PRV01")
def no_home_paths(evidence: Evidence) -> Answer:
    held = _home_marks(evidence.descriptor.raw) if evidence.once(_is_marked) else []
    if not held:
        return []
    pattern = _home()
    return [
        Mismatch(where=where, found=text[hit.start() : hit.end() + 40][:80], message=_HOME)
        for where, text in _strings(evidence.descriptor.value)
        if any(mark in text for mark in held) and where != _SPOKEN and (hit := pattern.search(text))
    ]


_HOME = "a path or account that names its owner"


@rule("PRV02")
def no_hardware_ids(evidence: Evidence) -> Answer:
    if not (evidence.once(_is_marked) and _has_hardware_mark(evidence.descriptor.raw)):
        return []
    return [
        Mismatch(where=where, found=hit[0][:80], message="an identifier of one piece of hardware")
        for where, text in _strings(evidence.descriptor.value)
        if where != _SPOKEN and (hit := _HARDWARE.search(text))
    ]


@rule("PRV03")
def withheld_text(evidence: Evidence) -> Answer:
    if not is_absent(evidence.at(_SPOKEN)):
        return NotApplicable("the text is stated")
    form = evidence.known("/input/text/form")
    if form == "salted":
        return NotApplicable("a salted digest cannot be searched for")
    size, stated = evidence.known("/input/text/size"), evidence.known("/input/text/digest")
    search = _Search(size, stated, normalised=form == "nfc")
    found = [
        Mismatch(
            where=where,
            found=f"the text of {size} bytes",
            expected="{text}, or an absence",
            message="the text is withheld, but appears elsewhere in the descriptor",
        )
        for where, text in _strings(evidence.descriptor.value, keys=True)
        if search.holds(text)
    ]
    if not found and search.left < 0:
        return Unverifiable(f"needs more than {_MOST_HASHED_BYTES} bytes to be hashed")
    return found


@rule("PRV04")
def no_secrets(evidence: Evidence) -> Answer:
    if not (evidence.once(_is_marked) and is_marked(evidence.descriptor.raw)):
        return []
    return [
        Mismatch(
            where=secret.where,
            found=f"{secret.name}, {secret.end - secret.start} characters",
            expected="{secret}",
            message="this looks like a secret",
        )
        for secret in secrets_of(evidence.descriptor.value)
    ]


class _Search:
    """Looks for a text of which size and digest are known: a window of that size is hashed at each place."""

    def __init__(self, size: int, stated: str, *, normalised: bool) -> None:
        self.size, self.stated, self.normalised = size, stated, normalised
        self.left = _MOST_HASHED_BYTES

    def holds(self, text: str) -> bool:
        """Return whether the text occurs in `text`; within a word only if it is long enough."""
        if self.normalised:
            text = unicodedata.normalize("NFC", text)
        raw = text.encode("utf-8", "surrogatepass")
        if len(raw) < self.size or self.size < 1:
            return False
        if len(raw) == self.size or self.size < _WINDOWS_FROM_BYTES:
            return len(raw) == self.size and self._is_it(raw)
        places = range(len(raw) - self.size + 1)
        words = [place for place in places if _at_word(raw, place) and _at_word(raw, place + self.size)]
        if any(self._is_it(raw[place : place + self.size]) for place in words):
            return True
        if self.size < _ANYWHERE_FROM_BYTES:
            return False
        return any(self._is_it(raw[place : place + self.size]) for place in places if raw[place] & 0xC0 != 0x80)

    def _is_it(self, window: bytes) -> bool:
        self.left -= len(window)
        return self.left >= 0 and digest.of(window) == self.stated


def _at_word(raw: bytes, place: int) -> bool:
    """Return whether a word begins or ends before the byte at `place`."""
    return place in {0, len(raw)} or not (raw[place - 1 : place].isalnum() and raw[place : place + 1].isalnum())


def _strings(value: Any, *, keys: bool = False) -> Iterator[tuple[str, str]]:
    """Yield every string of the descriptor with its pointer, free parameters and extensions among them."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        where, held = waiting.pop()
        if isinstance(held, str):
            yield where, held
        elif isinstance(held, dict):
            if keys:
                yield from ((where, key) for key in held)
            waiting += [(f"{where}/{key}", entry) for key, entry in reversed(held.items())]
        elif isinstance(held, list):
            waiting += [(f"{where}/{place}", entry) for place, entry in reversed(list(enumerate(held)))]
