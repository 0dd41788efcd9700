"""Parts of runs: those that the failures of a verification lie in, and the packages by which two locks differ."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttsartifact.comparing.changes import Change
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.terms.finding import Finding

__all__ = ["FaultyPart", "faulty_parts", "with_packages"]

_TRACE = re.compile(r"(?:part )?trace/([^/]+(?:/[^/]+)?)(?=/columns|$)|/traces/([0-9]+)")
_CLIP = re.compile(r"/input/refs/([0-9]+)|(?:part )?ref/([0-9]+)")


_LOCK = "dependency_lock"
_MOST_PACKAGES = 12


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


def with_packages(changes: Iterable[Change], a: Artifact, b: Artifact) -> tuple[Change, ...]:
    """Return the changes; a lock that differs is shown by its packages instead of its digest (clause 5.8).

    Where both runs keep the list.
    """
    return tuple(
        _with_changes(change, a, b) if change.subject == _LOCK and change.known else change for change in changes
    )


def _with_changes(change: Change, a: Artifact, b: Artifact) -> Change:
    mine, theirs = _packages(a), _packages(b)
    if mine is None or theirs is None:
        return change
    names = [name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)]
    return replace(change, a=_words(names, mine, theirs), b=_words(names, theirs, mine))


def _packages(artifact: Artifact) -> dict[str, tuple[str, str]] | None:
    """Return version and rest of each line by name; None if the artifact lacks the list that its lock digests."""
    if "lock" not in artifact.parts.names():
        return None
    listing = artifact.parts.part("lock")
    if digest.of(listing) != artifact.descriptor.known("/pins/lock/digest"):
        return None
    return dict(map(_entry, listing.decode("utf-8", "replace").splitlines()))


def _entry(line: str) -> tuple[str, tuple[str, str]]:
    """Return name and version of `name==version sha256:...` or of `name=version:architecture`, and what follows."""
    name, _, rest = line.partition("=")
    ends = rest.removeprefix("=").rpartition(" " if rest.startswith("=") else ":")
    return name, (ends[0], ends[2])


def _words(names: list[str], mine: dict[str, tuple[str, str]], theirs: dict[str, tuple[str, str]]) -> str:
    """Return what one side has of the packages that differ; for equal versions the content's digest."""
    changed = []
    for name in names[:_MOST_PACKAGES]:
        version, rest = mine.get(name, ("", ""))
        same_version = name in theirs and theirs[name][0] == version
        changed.append(
            f"{name} {version} ({rest[:19]})" if same_version else f"{name} {version}" if version else f"no {name}"
        )
    return ", ".join(changed + ([f"and {len(names) - _MOST_PACKAGES} more"] if len(names) > _MOST_PACKAGES else []))
