"""The digests of audio without a capsule: enough to show whether it has the samples of a run that a receipt names."""

from __future__ import annotations

import hashlib
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.container import riff
from ttsartifact.container.bare import judge
from ttsartifact.container.carrier import recognised
from ttsartifact.container.hashing import digest_audio
from ttsartifact.container.limits import READ_BLOCK_BYTES
from ttsartifact.container.sound import facts_of
from ttsartifact.container.source import FileSource, JoinedSource, Span, blocks_of
from ttsartifact.errors import TtsArtifactError
from ttsartifact.terms.digest import spelled

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

__all__ = ["BareAudio", "bare_audio"]

_WIDTHS = {"pcm_s16": 2, "pcm_s24": 3, "pcm_s32": 4}


class BareAudio(NamedTuple):
    """What plain audio was found to be."""

    encoded: str
    """The digest of the whole file."""
    pcms: tuple[str, ...]
    """Digests of its canonical PCM: at its own depth, and at each lower one that holds the same samples."""


def bare_audio(path: str | os.PathLike[str]) -> BareAudio | None:
    """Digest the plain audio file `path`; None for other files. Lossy audio has no PCM digest."""
    try:
        with FileSource(path) as source:
            whole = Span(source, 0, source.size)
            carrier = recognised(source)
            wave = riff.walk(source) if carrier is not None and carrier[0] == "wav" else None
            encoded = digest_audio([whole]).encoded
            if wave is not None:
                pcm = Span(source, wave.data.body, wave.data.size)
                return BareAudio(encoded, _at_each_depth(blocks_of([pcm], _BLOCK_BYTES), wave.format.subtype))
            with tempfile.NamedTemporaryFile() as decoded:
                facts = facts_of([whole], judge([whole], None), pcm_to=decoded.name)
                if facts.pcm is None:
                    return BareAudio(encoded, ())
                with FileSource(decoded.name) as samples:
                    pcm = Span(JoinedSource([Span(samples, 0, samples.size)]), 0, samples.size)
                    return BareAudio(encoded, _at_each_depth(blocks_of([pcm], _BLOCK_BYTES), facts.subtype))
    except TtsArtifactError:
        return None


_BLOCK_BYTES = READ_BLOCK_BYTES // 12 * 12  # whole samples of every width


def _at_each_depth(blocks: Iterable[bytes | memoryview], subtype: str) -> tuple[str, ...]:
    """Return the digests of packed samples and of what they are without low bytes that are all zero.

    Converters widen 16 bits to 24 by appending zeros; the samples stay what they were.
    """
    width = _WIDTHS.get(subtype, 0)
    states = {kept: hashlib.sha256() for kept in range(2, width + 1)} or {0: hashlib.sha256()}
    for block in blocks:
        for kept in tuple(states):
            if kept in {0, width}:
                states[kept].update(block)
            elif any(any(block[low::width]) for low in range(width - kept)):
                del states[kept]
            else:
                narrow = bytearray(len(block) // width * kept)
                for place in range(kept):
                    narrow[place::kept] = bytes(block[width - kept + place :: width])
                states[kept].update(narrow)
    return tuple(spelled(states[kept].hexdigest()) for kept in sorted(states, reverse=True))
