"""One line for a forum post that names a run so exactly that another file cannot take its place.

    ttsa1 id=sha256:... audio=sha256:... pcm=sha256:... run=01a1fd8c-... level=L1

`pcm` is `-` where the audio is lossy. The line is what a sceptic gives to `ttsa verify --receipt`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import NotAnArtifact
from ttsartifact.terms.finding import Outcome, Verdict

if TYPE_CHECKING:
    from ttsartifact.reading.recognising import BareAudio
    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.verifying.report import Report

_DIGEST = r"sha256:[0-9a-f]{64}"
# Characters of no width, which forums put anywhere.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"))
_WITHIN = re.compile(r"[0-9A-Za-z].*[0-9A-Za-z]")
_STRANGE = re.compile(r"[^0-9A-Za-z:= -]")
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


class ReceiptMismatch(NamedTuple):
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

    Quotes, brackets and a sentence's marks around it, its id alone or a bare `sha256:...` are taken too.
    """
    within = _WITHIN.search(" ".join(line.translate(_INVISIBLE).split()))
    plain = within[0] if within else ""
    found = _LINE.fullmatch(plain) or _ALONE.fullmatch(plain)
    if found is None:
        strange = _STRANGE.search(plain)
        what = f"; it holds {strange[0]!a} behind {plain[: strange.start()][-12:]!r}" if strange else ""
        raise ValueError(
            f"not a receipt{what}: expected `ttsa1 id=sha256:... audio=sha256:... pcm=sha256:... run=... level=L1`"
        )
    return Receipt(**found.groupdict())


def differences(receipt: Receipt, report: Report) -> tuple[ReceiptMismatch, ...]:
    """Return the parts in which a run as it was verified differs from a receipt, all of them.

    The digests are those that were computed, never those that the file states; a level counts as far as it was
    reached, and a file whose parts are not the ones that it binds is not a receipt's file.
    """
    here = _as_found(report)
    found = [
        ReceiptMismatch(part=part, found=here[part], expected=stated)
        for part, stated in receipt.stated().items()
        if here[part] != stated
    ]
    if not found:
        unlike = report.verdict if report.verdict not in {Verdict.INTACT, Verdict.REWRAPPED} else _unbound(report)
        if unlike is not None:
            found.append(ReceiptMismatch(part="file", found=unlike, expected="every part as the descriptor binds it"))
    return tuple(found)


def _unbound(report: Report) -> str | None:
    """Return which part is not the one that the descriptor binds: clips, leaves and lists do not decide the verdict."""
    from ttsartifact.verifying.catalogue import catalogue

    for finding in report.findings:
        rule = catalogue()[finding.rule]
        if finding.outcome in {Outcome.FAIL, Outcome.SUPPRESSED} and rule.klass == "B" and "parts" in rule.reads:
            return f"{finding.rule} at {finding.where}" if finding.where else finding.rule
    return None


def bare_differences(receipt: Receipt, audio: BareAudio | None) -> tuple[ReceiptMismatch, ...]:
    """Return how plain audio differs from a receipt: it has no id, and may have the file's bytes or its samples."""
    encoded, pcms = (None, ()) if audio is None else audio
    found = [ReceiptMismatch(part="id", found=None, expected=receipt.id)]
    if receipt.audio is not None and encoded != receipt.audio:
        found.append(ReceiptMismatch(part="audio", found=encoded, expected=receipt.audio))
    if receipt.pcm is None:
        found.append(ReceiptMismatch(part="file", found="no capsule", expected="the run of the id"))
    elif receipt.pcm not in pcms and not (receipt.pcm == "-" and encoded == receipt.audio):
        found.append(ReceiptMismatch(part="pcm", found=pcms[0] if pcms else None, expected=receipt.pcm))
    return tuple(found)


def _as_found(report: Report) -> dict[str, Any]:
    hashed = report.recomputed
    claimed, reached = report.level_claimed, report.level_reached
    # An L1 that would reach L2 is the receipt's L1; an L2 that reaches L1 is not its L2.
    level = claimed if claimed is None or reached is None else min(claimed, reached)
    return {
        "id": report.artifact_id,
        "audio": None if hashed is None else hashed.audio,
        "pcm": None if hashed is None else "-" if hashed.lossy else hashed.pcm,
        "run": report.run_id,
        "level": level,
    }


def _parts(descriptor: Descriptor) -> dict[str, Any]:
    pcm = descriptor.known("/audio/pcm")
    return {
        "id": descriptor.artifact_id,
        "audio": descriptor.known("/audio/digest"),
        "pcm": "-" if pcm is None else pcm,
        "run": descriptor.known("/run/run_id"),
        "level": descriptor.known("/level"),
    }
