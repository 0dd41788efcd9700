"""The other runs of the same file, grouped by what should have made them equal (rule ENV04)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ttsartifact.container.canonical import canonical_bytes
from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.terms import digest

if TYPE_CHECKING:
    import os

    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["Siblings", "conditions_of"]

# What a bitwise repeat follows from: the words, the pins, what generation was told, the roles that were rendered.
_CONDITIONS = (
    "/input/text/digest",
    "/input/refs",
    "/pins",
    "/generation/device",
    "/generation/command/argv",
    "/generation/runner",
    "/generation/seeds",
    "/generation/precision",
    "/generation/numerics",
    "/generation/determinism/flags",
    "/generation/params",
    "/imperfection",
    "/audio/sample_rate_hz",
    "/audio/subtype",
    "/audio/roles",
)


def conditions_of(descriptor: Descriptor) -> str:
    """Return a digest that two runs share when nothing that a bitwise repeat follows from differs between them."""
    return digest.of(canonical_bytes({pointer: descriptor.at(pointer) for pointer in _CONDITIONS}))


class Siblings:
    """Every run of one data set. The file is read once more, and only when a rule asks."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def alike(self, descriptor: Descriptor) -> list[tuple[str, Any]]:
        """Return run id and PCM digest of the other bitwise runs with the conditions of this one, in file order."""
        this = descriptor.known("/run/run_id")
        return [run for run in self._by_conditions.get(conditions_of(descriptor), []) if run[0] != this]

    @cached_property
    def _by_conditions(self) -> dict[str, list[tuple[str, Any]]]:
        found: dict[str, list[tuple[str, Any]]] = {}
        try:
            for artifact in open_artifacts(self._path):
                known = artifact.descriptor.known
                if known("/generation/determinism/class") == "bitwise" and known("/audio/pcm") is not None:
                    run = (str(known("/run/run_id")), known("/audio/pcm"))
                    found.setdefault(conditions_of(artifact.descriptor), []).append(run)
        except TtsArtifactError:
            # A row that cannot be read has its own finding; the rows before it are compared.
            return found
        return found
