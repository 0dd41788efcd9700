"""What names the descriptor of a run besides its own bytes: a pointer, a column, or else the capsule's seal (clause 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact._starting import NamedTuple
from ttsartifact.container import capsule
from ttsartifact.container.riff import POINTER_PREFIX
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["Misnaming", "misnamings", "require_named", "require_sealed"]


class Misnaming(NamedTuple):
    """A place that names another descriptor than the one in the file."""

    where: str
    found: object
    expected: str


def misnamings(artifact: Artifact, *audio: str) -> Iterator[Misnaming]:
    """Yield each place that names another descriptor.

    Where nothing names it, as in FLAC and MP3, the seal does: its digits follow from the capsule and one of the
    digests `audio`, those of the bare file as found and as stated.
    """
    wave, held = artifact.wave, artifact.capsule
    if artifact.carrier == "wav" and wave is not None and wave.pointer is not None:
        start = wave.pointer.body + 12 + len(POINTER_PREFIX)
        named = artifact.source.read_at(start, 71).decode("ascii", "backslashreplace")
        if named != artifact.artifact_id:
            yield Misnaming(f"offset {start}", named, artifact.artifact_id)
    elif held is not None and audio:
        expected = [f"sha256:{capsule.seal_of(held.raw, each)}" for each in audio]
        if held.seal not in expected:
            yield Misnaming("seal", held.seal, expected[-1])
    if artifact.columns is not None and "artifact_id" in artifact.columns:
        named = artifact.columns["artifact_id"]
        if named != artifact.artifact_id:
            yield Misnaming("column artifact_id", named, artifact.artifact_id)


def require_named(artifact: Artifact) -> Artifact:
    """Return a run whose descriptor is the one that was sealed; a new seal would hide that it is not."""
    stated = artifact.descriptor.known("/audio/digest")
    for each in misnamings(artifact, *([stated] if capsule.is_digest(stated) else [])):
        raise _changed(f"{artifact.where}: {each.where}", each.found, each.expected)
    return artifact


def require_sealed(held: capsule.Capsule, descriptor: Descriptor, where: str) -> None:
    """Raise Refused for a capsule alone whose seal does not follow from it and the audio that it states."""
    stated = descriptor.known("/audio/digest")
    expected = f"sha256:{capsule.seal_of(held.raw, stated)}" if capsule.is_digest(stated) else "a stated /audio/digest"
    if held.seal != expected:
        raise _changed(where, held.seal, expected)


def _changed(where: str, found: object, expected: str) -> Refused:
    return Refused("the descriptor or a part is not as it was sealed", where=where, found=found, expected=expected)
