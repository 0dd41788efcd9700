"""Answers of rules, and findings of a verifier. An exception stops the verification; these do not."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from ttsartifact._starting import NamedTuple


class Outcome(StrEnum):
    """How a rule ended (clause 10.1)."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    NOT_EVALUATED = "not_evaluated"
    UNVERIFIABLE = "unverifiable"
    SUPPRESSED = "suppressed"


class Severity(StrEnum):
    """How much a failure weighs; only fatal and error make a file non-conformant."""

    FATAL = "fatal"
    ERROR = "error"
    WARN = "warn"
    INFO = "info"


class Verdict(StrEnum):
    """What became of the bytes, from best to worst (clause 10.2)."""

    INTACT = "INTACT"
    REWRAPPED = "REWRAPPED"
    RETAGGED = "RETAGGED"
    AUDIO_CHANGED = "AUDIO_CHANGED"
    BROKEN = "BROKEN"
    CAPSULE_LOST = "CAPSULE_LOST"
    NOT_AN_ARTIFACT = "NOT_AN_ARTIFACT"
    UNREADABLE = "UNREADABLE"
    NOT_FOUND = "NOT_FOUND"
    NOT_VERIFIED = "NOT_VERIFIED"
    NOT_HASHED = "NOT_HASHED"
    """`validate` hashes nothing, so it grades nothing."""


class Mismatch(NamedTuple):
    """One place where a rule does not hold, or that is odd to a heuristic, and both sides.

    `where` is a JSON pointer, a byte offset or a frame.
    """

    where: str
    found: Any = None
    expected: Any = None
    message: str = ""
    severity: Severity | None = None
    """Less than the rule's own, where this place weighs less; a rule with nothing but information passes."""


class NotApplicable(NamedTuple):
    """The question does not arise, and why."""

    why: str


class Unverifiable(NamedTuple):
    """The question arises but cannot be answered here, and what is missing."""

    needs: str


def compared(where: str, found: Any, stated: Any, message: str = "") -> list[Mismatch]:
    """Return the mismatch of two values, or none where they are equal."""
    return [] if found == stated else [Mismatch(where=where, found=found, expected=stated, message=message)]


Answer = list[Mismatch] | NotApplicable | Unverifiable


class Finding(NamedTuple):
    """A verifier's result for one rule at one place."""

    rule: str
    outcome: Outcome
    severity: Severity
    where: str = ""
    found: Any = None
    expected: Any = None
    message: str = ""
    blocked_by: str | None = None


class Hint(NamedTuple):
    """What a heuristic says at one place (clause 10.6); it never decides anything."""

    id: str
    where: str
    message: str
    found: Any = None


class Recomputed(NamedTuple):
    """The digests of the audio as it was found, whatever the descriptor states."""

    audio: str
    pcm: str | None
    """None for lossy audio, and for lossless audio that does not decode."""
    lossy: bool
