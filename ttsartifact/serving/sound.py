"""What an exchange delivered becomes a bare file with its chunk log, whatever the server sent it as (clause 7.8).

WAV, FLAC, MP3 and Ogg stay the bytes that came. Raw PCM gets a header. WAV files behind one another, as servers send
that make one of each sentence, become the samples of all of them.
"""

from __future__ import annotations

import os
from array import array
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO

from ttsartifact.container import riff
from ttsartifact.container.bare import flac_length
from ttsartifact.container.codecs import codec_opening
from ttsartifact.container.magic import first_line, kind_of
from ttsartifact.container.source import FileSource, copy_pieces
from ttsartifact.errors import Refused
from ttsartifact.recording.ordering import StatedPcmFormat
from ttsartifact.recording.pcm_stream import Waves, refuse_text_behind, require_samples
from ttsartifact.recording.repairing import rebuilt, repaired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.serving.exchange import Exchange

_LOOKED_AT = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A bare file and when its frames arrived."""

    path: str
    chunks: list[tuple[int, int, int]]
    """Time, first frame, frames; empty of lossy audio."""
    sample_rate_hz: int | None
    is_raw: bool
    """Whether it came without a container."""
    note: str | None


def delivered(exchange: Exchange, pcm: str | None) -> Delivered:
    """Return what came as a bare file; `pcm` is the format of raw samples, where the server does not state it.

    Where it is not used, a note says so. Raises Refused for bytes that are not audio, and for raw samples of an
    unstated format. The file at the exchange's path is then as it came.
    """
    found = _recognised(exchange, pcm)
    used = pcm_of(exchange, pcm) if found.is_raw else None
    if pcm in {None, used}:
        return found
    sent = f"states {used}" if found.is_raw else "sent a file with a header"
    notes = [found.note, f"--pcm {pcm} was not used, for the server {sent}"]
    return replace(found, note="\n".join(filter(None, notes)))


def pcm_of(exchange: Exchange, pcm: str | None) -> str | None:
    """Return the format of raw samples: what the server states, the rest as `pcm` does; None where no rate is known.

    Raises Refused where the server states two formats, or one that is not read.
    """
    for what in ("encoding", "rate", "channels"):
        if len(values := exchange.said.get(what, ())) > 1:
            raise Refused(
                f"the server states more than one {what} of its samples",
                where="body",
                found=", then ".join(values),
                expected="one format",
            )
    found = {"channels": "1"} if exchange.said.get("coded") else {"encoding": "s16le", "channels": "1"}
    found |= dict(zip(("encoding", "rate", "channels"), (pcm or "").split(":"), strict=True)) if pcm else {}
    found |= {what: values[0] for what, values in exchange.said.items()}
    if not found.keys() >= {"encoding", "rate"}:
        return None
    encoding = "s16le" if found["encoding"] == "s16be" else found["encoding"]  # the reader swapped their bytes
    words = f"{encoding}:{found['rate']}:{found['channels']}"
    try:
        StatedPcmFormat.parse(words)
    except Refused as error:
        raise Refused("raw samples of this format are not read", where="body", found=words) from error
    return words


def _recognised(exchange: Exchange, pcm: str | None) -> Delivered:
    with FileSource(exchange.path) as source:
        head = source.read_at(0, min(64 << 10, source.size))
    if riff.recognise(head[:12]):
        return _wave(exchange)
    if codec_opening(head) is not None:
        with FileSource(exchange.path) as source:
            _refuse_text(source)
            rate, frames = flac_length(source)
        chunks = [(exchange.reads[-1][0], 0, frames)] if frames else []
        return Delivered(path=exchange.path, chunks=chunks, sample_rate_hz=rate, is_raw=False, note=None)
    return _raw(exchange, head, pcm_of(exchange, pcm))


def _wave(exchange: Exchange) -> Delivered:
    with FileSource(exchange.path) as source:
        if (found := rebuilt(source, "body", may_be_cut=False)) is not None:
            waves, _ = found
            if waves.sample_bytes and waves.spans[-1][1] + waves.left_over >= source.size:
                _refuse_text(source, waves.format)
            return _as_one(exchange, source, *found)
    mended = repaired(exchange.path)
    with FileSource(exchange.path) as source:
        wave = riff.walk(source)
        if wave.data.body + (wave.frames + 1) * wave.format.frame_bytes > source.size:
            _refuse_text(source, wave.format)
    note = None if mended is None else mended.words
    start, rate = wave.data.body, wave.format.sample_rate_hz
    samples = Waves(wave.format, ((start, start + wave.frames * wave.format.frame_bytes),))
    chunks = samples.chunks(exchange.reads)
    return Delivered(path=exchange.path, chunks=chunks, sample_rate_hz=rate, is_raw=False, note=note)


def _raw(exchange: Exchange, head: bytes, words: str | None) -> Delivered:
    if words is None:
        kind = kind_of(head)
        if kind is not None:
            sent = f"the server sent {kind.name}" + (", which is not read" if kind.is_audio else "")
            readable = "WAV, raw PCM, FLAC, MP3 or Ogg" if kind.is_audio else "audio"
            found = first_line(head) if kind.is_text else kind.name
            raise Refused(sent, where="body", found=found, expected=readable)
        raise Refused(
            "the server sent raw samples, and their format is not stated",
            where="body",
            found=exchange.content_type or "no content type",
            expected="--pcm s16le:RATE:CHANNELS (OpenAI's own is s16le:24000:1)",
        )
    wave = StatedPcmFormat.parse(words)
    with FileSource(exchange.path) as source:
        require_samples(source, 0, "body", sample_bytes=wave.bit_depth // 8)
        note = None
        if exchange.said.get("encoding") == ["s16be"]:
            _require_order(source)
            note = "the samples were big-endian, as audio/L16 is by RFC 2586: the bytes of each were swapped"
        left = exchange.audio_bytes % wave.frame_bytes
        samples = Waves(wave, ((0, exchange.audio_bytes - left),), left)
        return _as_one(exchange, source, samples, "; ".join(filter(None, (note, samples.dropped))) or None, is_raw=True)


def _as_one(
    exchange: Exchange, answer: FileSource, waves: Waves, note: str | None, *, is_raw: bool = False
) -> Delivered:
    """Return the samples of an answer as one WAV, each frame at the read that completed it."""
    if not waves.sample_bytes:
        raise Refused("the answer holds no whole frame", where="body", found=f"{exchange.audio_bytes} bytes")
    path = f"{exchange.path}.wav"
    with _created(path) as out:
        copy_pieces(waves.as_one(answer), out)
    chunks, rate = waves.chunks(exchange.reads), waves.format.sample_rate_hz
    return Delivered(path=path, chunks=chunks, sample_rate_hz=rate, is_raw=is_raw, note=note)


def _refuse_text(source: FileSource, wave: riff.WaveFormat | None = None) -> None:
    """Raise Refused for a text behind the sound, as of a server that fails in the middle of its answer."""
    is_wide = wave is not None and wave.bit_depth == 16  # 16 printable bytes are no sound of this width alone
    refuse_text_behind(source, source.size, "body", sample_bytes=2 if is_wide else 1)


def _require_order(source: FileSource) -> None:
    """Raise Refused for samples that were little-endian before their bytes were swapped, against their media type."""
    samples = array("h", source.read_at(0, min(_LOOKED_AT, source.size) & ~1))
    stated = sum(abs(one - other) for one, other in pairwise(samples))
    samples.byteswap()
    if 2 * sum(abs(one - other) for one, other in pairwise(samples)) < stated:
        raise Refused(
            "the server states audio/L16, whose samples are big-endian, and sent little-endian ones", where="body"
        )


@contextmanager
def _created(path: str) -> Iterator[BinaryIO]:
    """Yield a new file, which is not left behind half written."""
    with open(path, "xb") as out:
        try:
            yield out
        except BaseException:
            os.unlink(path)
            raise
