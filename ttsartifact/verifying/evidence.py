"""What the rules look at: one artifact, and everything that is computed from it once and asked for often."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ttsartifact.container import capsule as capsules
from ttsartifact.container.hashing import AudioDigests, digest_audio
from ttsartifact.container.source import length_of
from ttsartifact.errors import TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttsartifact.container.sound import SoundFacts
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.schema import Violation

__all__ = ["Evidence"]


class Evidence:
    """One artifact and what follows from its bytes. Reading it never changes it."""

    def __init__(
        self,
        artifact: Artifact,
        *,
        text: bytes | None = None,
        references: Mapping[str, bytes] | None = None,
        receipt: str | None = None,
    ) -> None:
        """Take an artifact and what the asker holds in hand: the text, reference clips by digest, a receipt."""
        self.artifact = artifact
        self.text = text
        self.references = dict(references or {})
        self.receipt = receipt

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor; `known(pointer)` is how most rules read it."""
        return self.artifact.descriptor

    def known(self, pointer: str) -> Any:
        """Return the value at a JSON pointer, or None where it is absent or said to be."""
        return self.descriptor.known(pointer)

    @cached_property
    def violations(self) -> tuple[Violation, ...]:
        """Where the descriptor or a trace breaks its schema, each under the rule that the schema names."""
        from ttsartifact.verifying.schema import violations_of

        return violations_of(self.artifact)

    @cached_property
    def digests(self) -> AudioDigests:
        """Every digest of the audio, out of one read."""
        wave = self.artifact.wave
        if wave is None:
            return digest_audio(self.artifact.audio)
        return digest_audio(self.artifact.audio, wave.bare_pcm, self.chunk_ranges)

    @cached_property
    def chunks(self) -> Trace | None:
        """The chunk log, when its shape holds."""
        return self.trace("chunks")

    def trace(self, name: str) -> Trace | None:
        """Return a trace whose shape holds, or None."""
        found = self.artifact.trace(name)
        if found is None or any(violation.where.startswith(f"trace/{name}") for violation in self.violations):
            return None
        return found

    @cached_property
    def chunk_ranges(self) -> tuple[tuple[int, int], ...]:
        """Byte ranges of the logged chunks within the PCM; empty unless all of them lie inside it."""
        wave, log = self.artifact.wave, self.chunks
        if wave is None or log is None:
            return ()
        width = wave.format.frame_bytes
        spans = [
            (start * width, (start + count) * width)
            for start, count in zip(log.columns["frame_start"], log.columns["frame_count"], strict=True)
        ]
        return tuple(spans) if all(0 <= a <= b <= wave.data.size for a, b in spans) else ()

    @cached_property
    def sound(self) -> SoundFacts | TtsArtifactError:
        """What the audio says of itself when it is decoded to its last frame, or why it cannot be."""
        from ttsartifact.container.sound import facts_of

        try:
            return facts_of(self.artifact.audio, self.artifact.wave)
        except TtsArtifactError as error:
            return error

    @cached_property
    def seal_expected(self) -> str | None:
        """The seal that the bytes as found would carry; None for a Parquet row, whose seal is the file's."""
        held = self.artifact.capsule
        if held is None:
            return None
        return "sha256:" + capsules.seal_of(held.raw, self.digests.encoded)

    @cached_property
    def audio_bytes(self) -> int:
        """Length of the bare audio."""
        return length_of(self.artifact.audio)
