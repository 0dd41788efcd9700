"""Privacy (clause 11.1): what a descriptor tells of people and machines, and cannot take back once it is published."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_HOME = re.compile(
    r"(?<![\w.])/(?:home|Users)/[^/\s\"\\{}]+|(?<![\w/.])/root/[^\s\"]|\b[A-Za-z]:[\\/]Users[\\/]\w"
    r"|file://|\b[\w.-]+@[\w-]+\.(?:local|lan|internal|localdomain)\b"
)
_HARDWARE = re.compile(
    r"\b(?:GPU|MIG)-[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b"
)
_SECRET = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}"
    r"|xox[abprs]-[0-9A-Za-z-]{10,})|-----BEGIN [A-Z ]*PRIVATE KEY|\w://[^/\s:@\"]+:[^/\s:@\"{}]+@"
)
# One look at the bytes for what every hit holds answers for almost every run; a pattern costs fifty times as much.
_HOME_MARKS = (b"/home/", b"Users", b"/root/", b"file://", b".local", b".lan", b".internal")
_HARDWARE_MARKS = (b"GPU-", b"MIG-")
_MAC_MARK = re.compile(rb":[0-9a-fA-F]{2}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}:")
_SECRET_MARKS = (b"hf_", b"gh", b"sk-", b"AKIA", b"xox", b"PRIVATE KEY", b"@")
_SPOKEN = "/input/text/value"  # what was spoken is published on purpose


@rule("PRV01")
def no_home_paths(evidence: Evidence) -> Answer:
    if not _marked(evidence, _HOME_MARKS):
        return []
    return _told(evidence, _HOME, "a path or account that names its owner")


@rule("PRV02")
def no_hardware_ids(evidence: Evidence) -> Answer:
    if not (_marked(evidence, _HARDWARE_MARKS) or _MAC_MARK.search(evidence.descriptor.raw)):
        return []
    return _told(evidence, _HARDWARE, "an identifier of one piece of hardware")


@rule("PRV03")
def withheld_text(evidence: Evidence) -> Answer:
    value = evidence.at(_SPOKEN)
    if not is_absent(value):
        return NotApplicable("the text is told")
    size, stated = evidence.known("/input/text/size"), evidence.known("/input/text/digest")
    return [
        Mismatch(
            where=where,
            found=f"the text of {size} bytes",
            expected="{text}, or an absence",
            message="the text is withheld in one place and told in another",
        )
        for where, text in _strings(evidence.descriptor.value)
        if len(text) <= size and len(raw := text.encode("utf-8", "surrogatepass")) == size and digest.of(raw) == stated
    ]


@rule("PRV04")
def no_secrets(evidence: Evidence) -> Answer:
    if not _marked(evidence, _SECRET_MARKS):
        return []
    return _told(evidence, _SECRET, "what looks like a secret", shown=False)


def _marked(evidence: Evidence, marks: tuple[bytes, ...]) -> bool:
    return any(mark in evidence.descriptor.raw for mark in marks)


def _told(evidence: Evidence, pattern: re.Pattern[str], message: str, *, shown: bool = True) -> list[Mismatch]:
    return [
        Mismatch(where=where, found=found[0][:80] if shown else f"{len(found[0])} characters", message=message)
        for where, text in _strings(evidence.descriptor.value)
        if where != _SPOKEN and (found := pattern.search(text))
    ]


def _strings(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every string of the descriptor with its pointer, free parameters and extensions among them."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        where, held = waiting.pop()
        if isinstance(held, str):
            yield where, held
        elif isinstance(held, dict):
            waiting += [(f"{where}/{key}", entry) for key, entry in reversed(held.items())]
        elif isinstance(held, list):
            waiting += [(f"{where}/{place}", entry) for place, entry in reversed(list(enumerate(held)))]
