"""The bare file of a run out of a copy of its audio: the same file, the same samples stored otherwise, or added tags.

A copy that lost its capsule has been through some software. What the run keeps (`/audio/framing`, and its digests)
is enough to make the recorded WAV of any lossless copy, and the recorded MP3 of one that was only tagged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import tempfile
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.container import riff
from ttsartifact.container.bare import judge
from ttsartifact.container.carrier import carrier_named, carries_capsule
from ttsartifact.container.codecs import CODECS
from ttsartifact.container.hashing import digest_pieces
from ttsartifact.container.samples import FORMATS
from ttsartifact.container.schemas import require_valid_at
from ttsartifact.container.source import FileSource, JoinedSource, Span, length_of
from ttsartifact.errors import NotAnArtifact, Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.digest import spelled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor

    Whole = FileSource | JoinedSource

_BLOCK_SAMPLES = 1 << 18


class _Copy(NamedTuple):
    """The samples of a copy, as they lie in a source; None of lossy audio."""

    pcm: Span | None
    subtype: str
    channels: int
    rate_hz: int
    codec: str
    audio: tuple[int, int]
    """Where the sound is in the copy."""


@contextmanager
def recorded_file(file: FileSource, descriptor: Descriptor, where: str) -> Iterator[Whole]:
    """Yield the bare file that a run recorded, made of a copy of its audio.

    Raises Refused where the copy cannot give it, InvalidDescriptor where what the run states of its audio is malformed.
    """
    with _restored(_unwrapped(file, where), descriptor, where) as whole:
        yield whole


@contextmanager
def _restored(audio: Whole, descriptor: Descriptor, where: str) -> Iterator[Whole]:
    """Yield the recorded bare file out of one that is it, or to which tags or chunks were added; raises as above."""
    found, stated = digest_pieces([Span(audio, 0, audio.size)]), descriptor.known("/audio/digest")
    if found == stated:
        yield audio
        return
    require_valid_at("/audio", descriptor.value.get("audio"))
    with ExitStack() as files:
        folder = files.enter_context(tempfile.TemporaryDirectory(prefix="ttsa-"))
        copy = _copy_of(audio, folder, files)
        if copy.pcm is None or descriptor.known("/audio/pcm") is None:
            yield _untagged(audio, copy, descriptor, where)
            return
        pcm, digest = _as_recorded(copy, descriptor, folder, files)
        if digest != descriptor.known("/audio/pcm"):
            raise Refused(
                "the audio is not the recorded audio",
                where=where,
                found=digest,
                expected=descriptor.known("/audio/pcm"),
            )
        yield _framed(pcm, descriptor, where)


def restored_audio(artifact: Artifact) -> AbstractContextManager[Whole]:
    """Yield the recorded bare file of an artifact, without what was added to it; raises Refused for other audio."""
    return _restored(JoinedSource(artifact.audio), artifact.descriptor, artifact.where)


def require_recorded(artifact: Artifact) -> str:
    """Return the digest of an artifact's bare file; raises Refused where it is not the recorded one, and why."""
    found, stated = digest_pieces(artifact.audio), artifact.descriptor.known("/audio/digest")
    if found == stated:
        return found
    with restored_audio(artifact):
        what = "something was added to the recorded file; `ttsa convert` makes the artifact whole again"
        raise Refused(what, where=artifact.where, found=found, expected=stated)


def _unwrapped(audio: FileSource, where: str) -> Whole:
    """Return a file without capsule as it is, and the bare file of an artifact that was changed around its capsule."""
    if not carries_capsule(audio):
        return audio
    held = open_artifact(audio.path)
    is_misframed = carrier_named(held.carrier).misframed(held.source, held.walked, held.artifact_id)
    if not is_misframed and digest_pieces(held.audio) == held.descriptor.known("/audio/digest"):
        raise NotAnArtifact("carries a capsule already", where=where, expected="a bare file", rule="CON04")
    return JoinedSource(held.audio)


def _copy_of(audio: Whole, folder: str, files: ExitStack) -> _Copy:
    if riff.recognise(audio.read_at(0, min(12, audio.size))):
        wave = riff.walk(audio)
        pcm, form = Span(audio, wave.data.body, wave.data.size), wave.format
        start = wave.data.body, wave.data.body + wave.data.size
        return _Copy(pcm, form.subtype, form.channels, form.sample_rate_hz, "wav", start)
    from ttsartifact.container.sound import facts_of

    bare = judge([Span(audio, 0, audio.size)])
    if CODECS[bare.codec].is_lossy:
        return _Copy(None, bare.subtype, bare.channels, bare.sample_rate_hz, bare.codec, bare.audio)
    decoded = os.path.join(folder, "decoded")
    facts_of([Span(audio, 0, audio.size)], bare, pcm_to=decoded)
    source = files.enter_context(FileSource(decoded))
    pcm = Span(source, 0, source.size)
    return _Copy(pcm, bare.subtype, bare.channels, bare.sample_rate_hz, bare.codec, bare.audio)


def _as_recorded(copy: _Copy, descriptor: Descriptor, folder: str, files: ExitStack) -> tuple[Span, str]:
    """Return the samples of a copy in the recorded format, and their digest; in their own where that loses some."""
    assert copy.pcm is not None
    own, wanted = copy.subtype, descriptor.known("/audio/subtype")
    layout = descriptor.known("/audio/channels"), descriptor.known("/audio/sample_rate_hz")
    if own == wanted or wanted not in FORMATS or layout != (copy.channels, copy.rate_hz):
        return copy.pcm, digest_pieces([copy.pcm])
    from ttsartifact.container.samples import as_floats, as_stored

    state = hashlib.sha256()
    path, block = os.path.join(folder, "recorded"), _BLOCK_SAMPLES * FORMATS[own].width
    with open(path, "wb") as kept:
        for at in range(0, copy.pcm.size, block):
            raw = copy.pcm.source.read_at(copy.pcm.offset + at, min(block, copy.pcm.size - at))
            stored = as_stored(as_floats(raw, own, 1), wanted)
            if stored is None:
                return copy.pcm, digest_pieces([copy.pcm])
            state.update(stored)
            kept.write(stored)
    source = files.enter_context(FileSource(path))
    return Span(source, 0, source.size), spelled(state.hexdigest())


def _framed(pcm: Span, descriptor: Descriptor, where: str) -> JoinedSource:
    """Return recorded samples within the recorded bytes around them."""
    codec, stated = CODECS[descriptor.known("/audio/codec")], descriptor.known("/audio/digest")
    if codec.name != "wav":
        raise Refused(
            f"the samples are the recorded ones, but the recorded file is a {codec.title} that they do not make again",
            where=where,
            expected=f"a copy of the {codec.title} file itself",
        )
    framing: Any = descriptor.known("/audio/framing")
    if framing is None:
        raise Refused(
            "the samples are the recorded ones, but the descriptor does not keep the bytes around them", where=where
        )
    try:
        head, tail = (base64.b64decode(framing[side], validate=True) for side in ("head", "tail"))
    except (binascii.Error, KeyError, TypeError) as error:
        raise Refused("the descriptor's framing is malformed", where="/audio/framing") from error
    whole = JoinedSource([head, pcm, tail])
    again = digest_pieces([Span(whole, 0, whole.size)])
    if again != stated or length_of([head, tail]) + pcm.size != descriptor.known("/audio/size"):
        raise Refused("the recorded framing does not make the recorded file", where=where, found=again, expected=stated)
    return whole


def _untagged(audio: Whole, copy: _Copy, descriptor: Descriptor, where: str) -> JoinedSource:
    """Return a recorded MP3 out of a copy with more tags before or behind it."""
    size, stated = descriptor.known("/audio/size"), descriptor.known("/audio/digest")
    start, end = copy.audio
    if copy.codec == descriptor.known("/audio/codec") and type(size) is int:
        # The recorded file ends with the copy, where tags were put before it, or begins with it; or it is the sound.
        for first in {audio.size - size, 0, start}:
            if 0 <= first <= start and end <= first + size <= audio.size:
                whole = JoinedSource([Span(audio, first, size)])
                if digest_pieces([Span(whole, 0, whole.size)]) == stated:
                    return whole
    coded = descriptor.known("/audio/coded")
    found = digest_pieces([Span(audio, start, end - start)])
    if coded is not None and found == coded:
        raise Refused("the frames are the recorded ones, but the tags around them are others", where=where)
    recorded = CODECS[descriptor.known("/audio/codec")]
    if recorded.name == copy.codec:
        raise Refused("the audio is not the recorded audio", where=where, found=found, expected=coded or stated)
    title = CODECS[copy.codec].title
    raise Refused(
        f"a copy as {title} does not hold the recorded {recorded.title}: one of the two encodes with loss",
        where=where,
        found=title,
        expected=recorded.title,
    )
