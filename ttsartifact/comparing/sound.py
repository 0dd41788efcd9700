"""Samples of one sound, read where they lie or from a decoded copy on disk, and the log-mel distance of two."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ttsartifact.container import riff
from ttsartifact.container.codecs import OPENING_BYTES
from ttsartifact.container.magic import HEAD_BYTES, kind_of
from ttsartifact.container.riff import WaveFormat
from ttsartifact.container.samples import FORMATS, as_floats
from ttsartifact.container.sound import facts_of
from ttsartifact.container.source import BytesSource, FileSource, Source, Span
from ttsartifact.errors import CapsuleLost, Damaged, NotAnArtifact
from ttsartifact.terms.finding import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.container.source import Piece
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.trace import Trace

    Mono = Callable[[int, int], NDArray[np.float64]]

BLOCK_FRAMES = 4096
_MAX_KEPT_FRAMES = 1 << 28  # an hour and a half at 48 kHz, a gigabyte a channel on disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """PCM in a source, and what its bytes mean."""

    source: Source
    offset: int
    frames: int
    subtype: str
    channels: int
    rate_hz: int
    stored_as: str
    """How the samples are in the source: as their subtype says, or as 32-bit floats when they were decoded."""
    digest: str | None
    chunks: Trace | None = None

    @property
    def lsb_bits(self) -> int:
        """Bits of the unit of differences; audio without a depth is measured in 16-bit units."""
        return {"pcm_s24": 24, "pcm_s32": 32}.get(self.subtype, 16)

    @property
    def format_name(self) -> str:
        """The format in words; two sounds of one name can be compared sample by sample."""
        return format_words(self.subtype, self.rate_hz, self.channels)

    def read(self, start: int, count: int) -> NDArray[np.float64]:
        """Return `count` frames from `start` as (frames, channels) within ±1; integers arrive exactly."""
        import numpy as np

        form = FORMATS[self.stored_as]
        raw = self.source.read_at(self.offset + start * form.width * self.channels, count * form.width * self.channels)
        samples = as_floats(raw, self.stored_as, self.channels)
        # A sample that is not a number is as far from any other as full scale; it must not poison the sums.
        return np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0) if form.is_float else samples

    def as_pcm(self) -> tuple[Span, WaveFormat]:
        """Return where the samples lie and what they are there, which for decoded ones may be floats."""
        depth = 8 * FORMATS[self.stored_as].width
        wave = WaveFormat(self.stored_as, self.rate_hz, self.channels, depth)
        return Span(self.source, self.offset, self.frames * wave.frame_bytes), wave

    def mono(self, start: int, count: int) -> NDArray[np.float64]:
        """Return the mean over the channels of `count` frames from `start`."""
        import numpy as np

        return np.asarray(self.read(start, count).mean(axis=1))


def format_words(kind: str, rate_hz: Any, channels: Any) -> str:
    """Return a format in words; a descriptor that breaks its schema may hold anything."""
    return f"{kind}, {rate_hz} Hz, {channels} channel{'' if channels == 1 else 's'}"


def sound_of_pcm(span: Span, wave: WaveFormat, *, digest: str | None = None, chunks: Trace | None = None) -> Sound:
    """Return the sound of PCM that is in a source."""
    return Sound(
        source=span.source,
        offset=span.offset,
        frames=span.size // wave.frame_bytes,
        subtype=wave.subtype,
        stored_as=wave.subtype,
        channels=wave.channels,
        rate_hz=wave.sample_rate_hz,
        digest=digest,
        chunks=chunks,
    )


@contextmanager
def sound_of(artifact: Artifact) -> Iterator[Sound]:
    """Yield the samples of an artifact. Other codecs than WAV are decoded into a file that goes with the block.

    Raises Damaged for audio that cannot be decoded and TooLarge beyond the limits.
    """
    chunks, pcm, wave = artifact.trace("chunks"), artifact.pcm, artifact.wave
    digest = artifact.descriptor.known("/audio/pcm")
    if pcm is not None and wave is not None:
        yield sound_of_pcm(pcm, wave.format, digest=digest, chunks=chunks)
        return
    with _decoded(artifact.audio) as sound:
        yield replace(sound, digest=digest, chunks=chunks)


@contextmanager
def sound_of_clip(data: bytes) -> Iterator[Sound]:
    """Yield the samples of a sound file that is not an artifact, such as an embedded reference clip.

    Raises NotAnArtifact for bytes that are not a sound file that is read here, and what `sound_of` raises.
    """
    if data[:4] == b"RIFF":
        walked = riff.walk(BytesSource(data))
        yield sound_of_pcm(Span(BytesSource(data), walked.data.body, walked.data.size), walked.format)
        return
    with _decoded((data,)) as sound:
        yield sound


@contextmanager
def sound_of_file(path: str | os.PathLike[str]) -> Iterator[Sound]:
    """Yield the samples of a sound file without a capsule, of any codec that is read here.

    Raises NotAnArtifact for one of a different codec, Damaged where players may play different sound, and TooLarge
    beyond the limits.
    """
    with FileSource(path) as source:
        head = source.read_at(0, min(OPENING_BYTES, source.size))
        wave = riff.walk(source) if riff.recognise(head[:12]) else None
        if wave is not None and wave.format.subtype in FORMATS:
            yield sound_of_pcm(Span(source, wave.data.body, wave.data.size), wave.format)
            return
        with _decoded((Span(source, 0, source.size),)) as sound:
            yield sound


@contextmanager
def _decoded(pieces: Sequence[Piece]) -> Iterator[Sound]:
    """Yield the samples of a coded file, from a copy on disk that goes with the block."""
    with tempfile.TemporaryDirectory(prefix="ttsa-") as folder:
        path = os.path.join(folder, "pcm")
        facts = facts_of(pieces, max_frames=_MAX_KEPT_FRAMES, pcm_to=path)
        stored_as = facts.subtype if facts.bit_depth else "pcm_f32"
        with FileSource(path) as source:
            frames = source.size // ((facts.bit_depth or 32) // 8 * facts.channels)
            yield Sound(
                source=source,
                offset=0,
                frames=frames,
                subtype=facts.subtype,
                channels=facts.channels,
                # Opus counts at 48 kHz whatever rate the decoder chose; the samples are at the decoder's.
                rate_hz=facts.sample_rate_hz * frames // (facts.frames or frames),
                stored_as=stored_as,
                digest=None,
            )


_BANDS = 80
_WINDOW_S, _HOP_S = 0.050, 0.0125
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 8_000.0
_FLOOR = 1e-10  # -100 dB of full scale: below it lies dither, and a logarithm of nothing
_BATCH = 256  # windows at a time; 5 MB at 48 kHz


def mel_distance_db(
    read_a: Mono, read_b: Mono, *, rate_a_hz: int, rate_b_hz: int, starts: tuple[int, int], frames: tuple[int, int]
) -> float | None:
    """Return the mean |difference| of two log-mel spectra over the windows that both sides fill, or None without one.

    `read(start, count)` gives mono samples in ±1. The rates may differ: windows and bands are set in seconds and hertz.
    """
    import numpy as np

    top = min(_HIGHEST_HZ, rate_a_hz / 2, rate_b_hz / 2)
    spectra = [
        _log_mel(read, rate, start, count, top)
        for read, rate, start, count in zip((read_a, read_b), (rate_a_hz, rate_b_hz), starts, frames, strict=True)
    ]
    total, cells = 0.0, 0
    for mine, theirs in zip(*spectra, strict=False):
        rows = min(len(mine), len(theirs))
        total += float(np.abs(mine[:rows] - theirs[:rows]).sum())
        cells += rows * _BANDS
    return total / cells if cells else None


def _log_mel(read: Mono, rate_hz: int, start: int, frames: int, top_hz: float) -> Iterator[NDArray[np.float64]]:
    """Yield log-mel rows in decibels, `_BATCH` windows at a time."""
    import numpy as np

    size = round(_WINDOW_S * rate_hz)
    windows = max(0, (frames - size) / rate_hz)
    count = int(windows / _HOP_S) + 1 if frames >= size else 0
    bank = _filters(size, rate_hz, top_hz)
    taper = np.hanning(size)
    for first in range(0, count, _BATCH):
        places = [round(index * _HOP_S * rate_hz) for index in range(first, min(first + _BATCH, count))]
        block = read(start + places[0], places[-1] - places[0] + size)
        framed = np.stack([block[place - places[0] : place - places[0] + size] for place in places])
        power = np.abs(np.fft.rfft(framed * taper, axis=1)) ** 2 / taper.sum() ** 2
        yield 10.0 * np.log10(np.maximum(power @ bank.T, _FLOOR))


def _filters(size: int, rate_hz: int, top_hz: float) -> NDArray[np.float64]:
    """Return triangular filters, evenly spaced on the mel scale, as (bands, bins)."""
    import numpy as np

    def mel(hertz: float) -> float:
        return float(2595.0 * np.log10(1.0 + hertz / 700.0))

    edges = 700.0 * (10.0 ** (np.linspace(mel(_LOWEST_HZ), mel(top_hz), _BANDS + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(size, 1.0 / rate_hz)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.clip(np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)), 0.0, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A sound file without a capsule (clause 10.8): what forums and messengers make of an artifact.

    It states no condition, no stage and no time; its sound can be compared, and so can the run that a comment may name.
    """

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
