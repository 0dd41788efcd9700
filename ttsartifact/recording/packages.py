"""What is installed around an engine, line by line, and the installed closure of a Debian package (clause 5.8).

espeak-ng is 28 KB; its voice is in libespeak-ng1 and espeak-ng-data. The lock changes when any of them does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["FIELDS", "Lock", "lock_of"]


class Lock(NamedTuple):
    """An installed set of packages."""

    kind: str
    """How the lines are made: `pip-record` or `dpkg-closure`."""
    listing: bytes
    """The sorted lines."""

    @classmethod
    def of(cls, kind: str, lines: Iterable[str]) -> Lock:
        """Return the lock over `lines`, each without its end."""
        return cls(kind, "".join(f"{line}\n" for line in sorted(lines)).encode())

    def to_value(self) -> dict[str, Any]:
        """Return /pins/lock."""
        return {"kind": self.kind, "digest": digest.of(self.listing), "packages": self.listing.count(b"\n")}


FIELDS = "${Package}\t${Version}\t${Architecture}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
"""What `dpkg-query -W -f` is to print of every package."""

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def lock_of(package: str, listing: str) -> Lock | None:
    """Return the lock over `package` and all it depends on, out of a listing in `FIELDS`; None if it is not there.

    Of alternatives, and of the packages that provide a name, every installed one counts: which of them was used, no
    package manager knows.
    """
    rows = [row for line in listing.splitlines() if len(row := line.split("\t")) == 5]
    by_name: dict[str, list[list[str]]] = {}
    for row in rows:
        for name in (row[0], *_names(row[4])):
            by_name.setdefault(name, []).append(row)
    if package not in by_name:
        return None
    found: dict[str, None] = {}
    waiting = [package]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for row in by_name.get(name, ()):
            found[f"{row[0]}={row[1]}:{row[2]}"] = None
            waiting += _names(row[3])
    return Lock.of("dpkg-closure", found)


def _names(relations: str) -> Iterator[str]:
    """Yield the names in `a (>= 1), b:any | c`."""
    for relation in re.split(r"[,|]", relations):
        if (name := _NAME.match(relation.strip())) is not None:
            yield name[0]
