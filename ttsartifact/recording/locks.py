"""What is installed around an engine, line by line: the lines that /pins/lock digests and part `lock` keeps (5.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Lock"]


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
