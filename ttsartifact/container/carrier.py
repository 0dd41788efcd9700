"""Carriers: what a module does to be one, which there are, and which of them a file is.

A carrier of one run is a module with the functions of `Carrier`: riff, flac and mp3. A new one is that module, a row in
`codecs.py`, a line in `carrier_named`, and its tests. Parquet holds many runs and has readers of its own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from ttsartifact.container.codecs import CODECS, OPENING_BYTES, codec_opening
from ttsartifact.errors import Refused, WrongCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.container.capsule import Capsule, Misframing
    from ttsartifact.container.source import Piece, Source

CARRIERS = (*(codec.name for codec in CODECS.values() if codec.has_carrier), "parquet")
SUFFIXES = tuple(f".tts.{carrier}" for carrier in CARRIERS)


class Carrier(Protocol):
    """What a carrier of one run can do. What `walk` returns, the others take; it is the carrier's own type."""

    def recognise(self, head: bytes, /) -> bool:
        """Return whether the first bytes of a file are those of this carrier."""
        ...

    def walk(self, source: Source, /) -> Any:
        """Walk all of a file, and raise at the first byte that breaks its structure."""
        ...

    def carries_capsule(self, source: Source, /) -> bool:
        """Return whether a capsule is in a file whose head can be walked; raises nothing."""
        ...

    def settled(self, walked: Any, bare_bytes: int | None, /) -> Any:
        """Return the walk once /audio/size is read, which decides whose a tag before a FLAC is."""
        ...

    def embed(self, source: Source, walked: Any, artifact_id: str, capsule: bytes, /) -> list[Piece]:
        """Return the pieces of the artifact made of a bare file and a capsule."""
        ...

    def bare(self, source: Source, walked: Any, /) -> list[Piece]:
        """Return the pieces of the bare file in an artifact, byte for byte."""
        ...

    def capsule(self, source: Source, walked: Any, /) -> Capsule:
        """Return the capsule of an artifact; raises NotAnArtifact (CON04) where there is none."""
        ...

    def misframed(self, source: Source, walked: Any, artifact_id: str, /) -> Sequence[Misframing]:
        """Return where the capsule is not framed as specified than `embed` frames it (CON07)."""
        ...


def carrier_named(name: str) -> Carrier:
    """Return the carrier of one run by its name; raises KeyError for another, Parquet among them."""
    # Imported when asked for: a WAV has no use for the others.
    if name == "wav":
        from ttsartifact.container import riff

        return riff
    if name == "flac":
        from ttsartifact.container import flac

        return flac
    if name == "mp3":
        from ttsartifact.container import mp3

        return mp3
    raise KeyError(name)


def recognised(source: Source) -> tuple[str, Carrier] | None:
    """Return name and carrier of a file by its first bytes, or None where no carrier of one run opens like that."""
    head = opening_of(source)
    codec = codec_opening(head)
    if codec is None or not codec.has_carrier:
        return None
    carrier = carrier_named(codec.name)
    return (codec.name, carrier) if carrier.recognise(head) else None


def opening_of(source: Source) -> bytes:
    """Return the first bytes of a file, or those behind its ID3v2 tag where a FLAC begins there (clause 3.9)."""
    head = source.read_at(0, min(OPENING_BYTES, source.size))
    if head[:3] == b"ID3":
        from ttsartifact.container import id3

        tags = id3.leading_tags(source)
        behind = source.read_at(tags[-1].end, min(OPENING_BYTES, source.size - tags[-1].end)) if tags else b""
        return behind if behind[:4] == b"fLaC" else head
    return head


def carrier_of(out: str | os.PathLike[str], carrier: str | None = None) -> str:
    """Return the carrier that is said, or that the suffix of an output path names; raises Refused without one."""
    if carrier is not None:
        return carrier
    suffix = os.path.splitext(os.fspath(out))[1].lower()
    if suffix[1:] not in CARRIERS:
        raise WrongCall(
            "the name of the output does not end in the suffix of a carrier",
            found=suffix or "no suffix",
            expected=f"one of {', '.join(SUFFIXES)}",
        )
    return suffix[1:]


def carries_capsule(audio: Source) -> bool:
    """Return whether `audio` holds a capsule."""
    found = recognised(audio)
    return found is not None and found[1].carries_capsule(audio)


def embed(carrier: str, audio: Source, artifact_id: str, capsule: bytes) -> list[Piece]:
    """Return the pieces of an artifact in a carrier of the audio's own codec.

    Raises Refused for other audio: what would fit is a transcode, and a transcode is another run's audio.
    """
    found = recognised(audio)
    if found is None or found[0] != carrier:
        name = carrier.upper()
        raise Refused(
            f"the {name} carrier holds {name} audio only and other audio is not transcoded; write .tts.parquet"
        )
    return found[1].embed(audio, found[1].walk(audio), artifact_id, capsule)
