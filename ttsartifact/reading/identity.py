"""What names the descriptor of a run besides its own bytes: a pointer, a column, or the capsule's seal (8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact._starting import late_pattern
from ttsartifact.container import capsule
from ttsartifact.container.riff import POINTER_PREFIX
from ttsartifact.errors import Refused
from ttsartifact.terms.finding import Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["misnamings", "require_named", "require_sealed"]


_DIGEST = late_pattern(r"sha256:[0-9a-f]{64}")


def misnamings(artifact: Artifact, found: str | None = None, *, is_sealed: bool = False) -> Iterator[Mismatch]:
    """Yield each place that names another descriptor.

    Where nothing names it, as in FLAC and MP3, the seal does: its digits follow from the capsule and the digest of the
    bare file, as `found` or as the descriptor states it; `is_sealed` says that it was seen to.
    """
    wave, held = artifact.wave, artifact.capsule
    if artifact.carrier == "wav" and wave is not None and wave.pointer is not None:
        start = wave.pointer.body + 12 + len(POINTER_PREFIX)
        named = artifact.source.read_at(start, 71).decode("ascii", "backslashreplace")
        if named != artifact.artifact_id:
            yield Mismatch(f"offset {start}", named, artifact.artifact_id)
    elif held is not None and not is_sealed:
        yield from _seal_of_another(held, artifact.descriptor, found)
    if artifact.columns is not None and "artifact_id" in artifact.columns:
        named = artifact.columns["artifact_id"]
        if named != artifact.artifact_id:
            yield Mismatch("column artifact_id", named, artifact.artifact_id)


def _seal_of_another(held: capsule.Capsule, descriptor: Descriptor, found: str | None) -> Iterator[Mismatch]:
    stated = descriptor.known("/audio/digest")
    sound = [each for each in (found, stated) if isinstance(each, str) and _DIGEST.fullmatch(each)]
    expected = [f"sha256:{capsule.seal_of(held.raw, each)}" for each in dict.fromkeys(sound)]
    if expected and held.seal not in expected:
        what = "the seal is of another capsule: nothing shows that the descriptor is the one that was sealed"
        yield Mismatch("seal", held.seal, expected[0], what)


def require_named(artifact: Artifact) -> Artifact:
    """Return a run whose descriptor is the one that was sealed; raises Refused, for a new seal would hide another."""
    for each in misnamings(artifact):
        raise _changed(f"{artifact.where}: {each.where}", each)
    return artifact


def require_sealed(held: capsule.Capsule, descriptor: Descriptor, where: str) -> None:
    """Raise Refused for a capsule alone whose seal does not follow from it and the audio that it states."""
    for each in _seal_of_another(held, descriptor, None):
        raise _changed(where, each)


def _changed(where: str, each: Mismatch) -> Refused:
    what = "the descriptor or a part is not as it was sealed"
    return Refused(what, where=where, found=each.found, expected=each.expected)
