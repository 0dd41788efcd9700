"""Where two decode paths part: the first stage whose digest differs, and how near the decision was on each side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["StageComparison", "compare_stages"]


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
