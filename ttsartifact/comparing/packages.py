"""Which packages differ between two dependency locks, where both runs keep the list (clause 5.8)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttsartifact.comparing.changes import Change
    from ttsartifact.reading.artifact import Artifact

__all__ = ["with_packages"]

_SUBJECT = "dependency_lock"
_MOST = 12


def with_packages(changes: Iterable[Change], a: Artifact, b: Artifact) -> tuple[Change, ...]:
    """Return the changes; a different lock is shown by the packages that differ instead of by its digest."""
    return tuple(
        _with_changes(change, a, b) if change.subject == _SUBJECT and change.known else change for change in changes
    )


def _with_changes(change: Change, a: Artifact, b: Artifact) -> Change:
    mine, theirs = _packages(a), _packages(b)
    if mine is None or theirs is None:
        return change
    names = [name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)]
    return replace(change, a=_words(names, mine, theirs), b=_words(names, theirs, mine))


def _packages(artifact: Artifact) -> dict[str, tuple[str, str]] | None:
    """Return version and the rest of each line by name; None where there is no list, or not the one that is locked."""
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
    for name in names[:_MOST]:
        version, rest = mine.get(name, ("", ""))
        same_version = name in theirs and theirs[name][0] == version
        changed.append(
            f"{name} {version} ({rest[:19]})" if same_version else f"{name} {version}" if version else f"no {name}"
        )
    return ", ".join(changed + ([f"and {len(names) - _MOST} more"] if len(names) > _MOST else []))
