"""The sensor that is not there, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttsartifact.recording.sensors import Reading

__all__ = ["Absent"]


class Absent:
    """Nothing to read, for a reason that the artifact will carry."""

    def __init__(self, reason: str = "no sensor was requested") -> None:
        self._reason = reason

    def open(self) -> str | None:
        """Return the reason."""
        return self._reason

    def devices(self) -> list[dict[str, Any]]:
        """Return none."""
        return []

    def runtime(self) -> list[dict[str, Any]]:
        """Return none."""
        return []

    def channels(self, period_ns: int) -> list[dict[str, Any]]:  # noqa: ARG002 - the protocol's signature
        """Return none."""
        return []

    def read(self) -> Reading:
        """Read nothing."""
        return {}

    def close(self) -> None:
        """Do nothing."""
