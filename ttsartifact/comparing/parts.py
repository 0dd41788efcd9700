"""Which parts of a run the failures of a verification lie in: a trace, a reference clip, the text, the audio."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.terms.finding import Finding

__all__ = ["FaultyPart", "faulty_parts"]

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
