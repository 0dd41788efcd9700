"""A sound file without a capsule beside a run (clause 10.8): what forums and messengers make of an artifact.

It states no condition, no stage and no time; its sound can be compared, and so can the run that a comment may name.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttsartifact.comparing.sound import sound_of_file
from ttsartifact.container.magic import HEAD_BYTES, kind_of
from ttsartifact.container.source import FileSource
from ttsartifact.errors import CapsuleLost, Damaged, NotAnArtifact
from ttsartifact.terms.finding import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.comparing.sound import Sound

__all__ = ["Copy", "copy_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A bare sound file."""

    where: str
    kind: str
    """What it is, with its article: `an MP3 file`."""
    names: str | None
    """The artifact that a comment of it names."""
    error: NotAnArtifact
    """How a reader of artifacts refuses it."""

    @property
    def verdict(self) -> Verdict:
        """The verdict over the bytes (clause 10.2)."""
        return Verdict.NOT_AN_ARTIFACT if self.names is None else Verdict.CAPSULE_LOST

    @contextmanager
    def sound(self) -> Iterator[Sound]:
        """Yield its samples; raises NotAnArtifact, with a way out, where its codec is not read here."""
        try:
            with sound_of_file(self.where) as sound:
                yield sound
        except (NotAnArtifact, Damaged) as error:
            wave = f"{os.path.splitext(os.path.basename(self.where))[0]}.wav"
            raise NotAnArtifact(
                f"{self.kind} is not decoded here ({error.message})",
                expected=f"a WAV of it: `ffmpeg -i {os.path.basename(self.where)} {wave}`",
            ) from error


def copy_at(path: str | os.PathLike[str], error: NotAnArtifact) -> Copy | None:
    """Return the bare sound file that a reader of artifacts refused with `error`; None where it is anything else."""
    where = os.fspath(path)
    if not os.path.isfile(where):
        return None
    with FileSource(where) as source:
        kind = kind_of(source.read_at(0, min(HEAD_BYTES, source.size)))
    if kind is None or not kind.is_audio:
        return None
    names = error.found if isinstance(error, CapsuleLost) and isinstance(error.found, str) else None
    return Copy(where=where, kind=kind.name, names=names, error=error)
