"""Which parts of a run the failures of a verification lie in, and at which stage two decode paths part."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.terms.finding import Finding

__all__ = ["FaultyPart", "StageComparison", "compare_stages", "faulty_parts"]

_TRACE = re.compile(r"(?:part )?trace/([^/]+(?:/[^/]+)?)(?=/columns|$)|/traces/([0-9]+)")
_CLIP = re.compile(r"/input/refs/([0-9]+)|(?:part )?ref/([0-9]+)")


class FaultyPart(NamedTuple):
    """A part that does not hold."""

    part: str
    """In words: `trace telemetry`, `reference clip 1`, `text`, `audio`."""
    rules: tuple[str, ...]


def faulty_parts(failures: Iterable[Finding], descriptor: Descriptor) -> tuple[FaultyPart, ...]:
    """Return the parts that `failures` lie in, each once with its rules, both in their order."""
    found: dict[str, dict[str, None]] = {}
    for finding in failures:
        part = _part(finding, descriptor)
        if part is not None:
            found.setdefault(part, {})[finding.rule] = None
    return tuple(FaultyPart(part, tuple(rules)) for part, rules in found.items())


def _part(finding: Finding, descriptor: Descriptor) -> str | None:
    where = finding.where
    if trace := _TRACE.match(where):
        return f"trace {trace[1] or descriptor.known(f'/traces/{trace[2]}/name')}"
    if clip := _CLIP.match(where):
        return f"reference clip {int(clip[1] or clip[2]) + 1}"
    if where.startswith("/input/text"):
        return "text"
    return "audio" if where.startswith(("/audio", "frame ")) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageComparison:
    """The stage digests of two runs, in the order of the first."""

    count_a: int
    count_b: int
    equal: tuple[str, ...]
    """The stages from the beginning on whose digests are equal."""
    first: str | None = None
    """The first stage that differs; None where none of those does that both have, or if one side states none."""
    margin_a_nano: int | None = None
    """In billionths: by how much the nearest choice of that stage was made, where the run says so."""
    margin_b_nano: int | None = None

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "count_a": self.count_a,
            "count_b": self.count_b,
            "equal": list(self.equal),
            "first": self.first,
            "margin_a_nano": self.margin_a_nano,
            "margin_b_nano": self.margin_b_nano,
        }


def compare_stages(a: Descriptor, b: Descriptor) -> StageComparison:
    """Compare `/generation/stages` of two runs from the beginning to where they part."""
    mine, theirs = (side.known("/generation/stages") or [] for side in (a, b))
    equal = 0
    for left, right in zip(mine, theirs, strict=False):
        if (left.get("stage"), left.get("digest")) != (right.get("stage"), right.get("digest")):
            break
        equal += 1
    parted = equal < min(len(mine), len(theirs))
    return StageComparison(
        count_a=len(mine),
        count_b=len(theirs),
        equal=tuple(stage["stage"] for stage in mine[:equal]),
        first=mine[equal]["stage"] if parted else None,
        margin_a_nano=_margin(mine[equal]) if parted else None,
        margin_b_nano=_margin(theirs[equal]) if parted else None,
    )


def _margin(stage: dict[str, Any]) -> int | None:
    margin = stage.get("margin_nano")
    return margin if type(margin) is int else None
