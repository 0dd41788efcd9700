"""One line for a forum post that names a run so exactly that another file cannot take its place.

    ttsa1 id=sha256:... audio=sha256:... pcm=sha256:... run=01a1fd8c-... level=L1

`pcm` is `-` where the audio is lossy. The line is what a sceptic gives to `ttsa verify --receipt`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import NotAnArtifact

if TYPE_CHECKING:
    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["Difference", "Receipt", "differences", "of", "parse"]

_DIGEST = r"sha256:[0-9a-f]{64}"
# What a forum makes of a line: a quotation's mark before it, curly quotes or a code span around it.
_NOISE = "> \t\u00a0\"'`\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb"
_ALONE = re.compile(rf"(?:ttsa1 )?(?:id=)?(?P<id>{_DIGEST})")
_LINE = re.compile(
    rf"ttsa1 id=(?P<id>{_DIGEST}) audio=(?P<audio>{_DIGEST}) pcm=(?P<pcm>{_DIGEST}|-) "
    r"run=(?P<run>[0-9A-Za-z-]{1,36}) level=(?P<level>L[0-3])"
)


class Receipt(NamedTuple):
    """The parts of a receipt; a line that gives the id alone states no other."""

    id: str
    audio: str | None = None
    pcm: str | None = None
    run: str | None = None
    level: str | None = None

    def __str__(self) -> str:
        """Return the line."""
        return " ".join(["ttsa1", *(f"{part}={value}" for part, value in self.stated().items())])

    def stated(self) -> dict[str, str]:
        """Return the parts that the line gave, by name."""
        return {part: value for part, value in self._asdict().items() if value is not None}


class Difference(NamedTuple):
    """One part in which a file is not the one of the receipt."""

    part: str
    found: Any
    expected: str


def of(descriptor: Descriptor) -> Receipt:
    """Return the receipt of a run; raises NotAnArtifact when the descriptor states none of its parts."""
    parts = _parts(descriptor)
    line = " ".join(["ttsa1", *(f"{part}={value}" for part, value in parts.items())])
    if not _LINE.fullmatch(line):
        raise NotAnArtifact("the descriptor states too little for a receipt", where="descriptor", rule="SCH02")
    return Receipt(**parts)


def parse(line: str) -> Receipt:
    """Return the receipt that `line` spells; raises ValueError with what a receipt looks like for another line.

    A quotation's mark, quotes around it, its id alone or a bare `sha256:...` are taken too.
    """
    plain = " ".join(line.replace("\u00a0", " ").strip(f"{_NOISE}\n\r").split())
    found = _LINE.fullmatch(plain) or _ALONE.fullmatch(plain)
    if found is None:
        raise ValueError(
            "not a receipt: expected `ttsa1 id=sha256:... audio=sha256:... pcm=sha256:... run=... level=L1`"
        )
    return Receipt(**found.groupdict())


def differences(receipt: Receipt, descriptor: Descriptor) -> tuple[Difference, ...]:
    """Return the parts in which a run differs from a receipt, all of them."""
    here = _parts(descriptor)
    return tuple(
        Difference(part=part, found=here[part], expected=stated)
        for part, stated in receipt.stated().items()
        if here[part] != stated
    )


def _parts(descriptor: Descriptor) -> dict[str, Any]:
    pcm = descriptor.known("/audio/pcm")
    return {
        "id": descriptor.artifact_id,
        "audio": descriptor.known("/audio/digest"),
        "pcm": "-" if pcm is None else pcm,
        "run": descriptor.known("/run/run_id"),
        "level": descriptor.known("/level"),
    }
