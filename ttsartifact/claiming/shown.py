"""A run as it is shown for a claim: what it states, whether its file holds, and which claims it states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.comparing.conditions import is_exact
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.reading.artifact import shaped
from ttsartifact.terms.finding import Verdict
from ttsartifact.verifying.engine import judge
from ttsartifact.verifying.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["ClaimedRun", "in_order", "shown_of"]

_AS_RECORDED = frozenset({Verdict.INTACT, Verdict.REWRAPPED, Verdict.RETAGGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRun:
    """One run of a claim's or a session's set."""

    descriptor: Descriptor
    verdict: str
    as_recorded: bool = True
    """Whether the samples are those that the run recorded."""
    proven: bool = False
    """Whether a run log proves that what it states as preregistered was there before it (LOG01)."""

    @property
    def artifact_id(self) -> str:
        """The identity of the run."""
        return self.descriptor.artifact_id

    @property
    def submitted_ns(self) -> int | None:
        """When it was submitted, in nanoseconds since 1970; None where the run does not say."""
        origin = self.descriptor.known("/timebase/origin/utc")
        submit = self.descriptor.known("/run/times/t_submit_ns")
        if not isinstance(origin, str) or type(submit) is not int:
            return None
        try:
            return from_utc(origin) + submit
        except InvalidDescriptor:
            return None

    @property
    def text(self) -> str:
        """The digest of its text."""
        return str(self.descriptor.known("/input/text/digest"))

    @property
    def sound(self) -> str:
        """What two runs of one sound share."""
        return str(self.descriptor.known("/audio/pcm") or self.descriptor.known("/audio/digest"))

    @property
    def exact(self) -> bool:
        """Whether it claims exact numerics whose known answers held."""
        return is_exact(self.descriptor)

    def states(self, claim: str) -> bool:
        """Return whether the run names a claim among what was written before it."""
        stated = self.descriptor.known("/run/preregistered")
        return isinstance(stated, list) and claim in stated

    def known(self, pointer: str) -> Any:
        """Return what stands at a JSON pointer, or None."""
        return self.descriptor.known(pointer)


def shown_of(artifact: Artifact) -> ClaimedRun:
    """Verify a run and return the parts that count; raises Refused for a descriptor that breaks its schema."""
    report = judge(Evidence(shaped(artifact)))
    return ClaimedRun(
        descriptor=artifact.descriptor,
        verdict=str(report.verdict),
        as_recorded=report.verdict in _AS_RECORDED,
        proven="LOG01" in report.passed,
    )


def in_order(runs: Iterable[ClaimedRun]) -> tuple[ClaimedRun, ...]:
    """Return runs in the order of t_submit, whatever the order of their files; equal times by their identity."""
    return tuple(sorted(runs, key=lambda run: (run.submitted_ns or 0, run.artifact_id)))
