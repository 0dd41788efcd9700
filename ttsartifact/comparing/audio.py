"""Two sounds side by side: equal or not, from where on, by how much, and how far apart when they are not comparable.

Samples are read block by block; nothing grows with the length of the audio. numpy loads only when samples are needed:
two equal PCM digests answer without it.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.comparing.sound import BLOCK_FRAMES, Sound, sound_of
from ttsartifact.container.samples import is_of_speech

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.reading.artifact import Artifact

_NS = 1_000_000_000
_ALIGN_S = 1  # how far apart two takes may begin
_ALIGN_OVER_S = 20  # how much of each is looked at to find that out; 32 MB of spectrum at 48 kHz
_ENVELOPE_HZ = 400  # in which two sounds of other rates are aligned: within 2.5 ms
_TELL_EVERY = 256  # blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far two stacks may be apart on one run: float32 across instruction sets stays under half of each bound."""

    max_difference_lsb: float = 2.0
    differing_share: float = 0.02
    snr_db: float = 80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first place where two sounds differ."""

    frame: int
    t_ns: int
    """Of the first run's media time: frame over sample rate."""
    chunk: int
    located_by: str
    """`chunk_log` when `chunk` counts the first run's logged chunks, `blocks` when it counts blocks of 4,096 frames."""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"frame": self.frame, "t_ns": self.t_ns, "chunk": self.chunk, "located_by": self.located_by}


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioComparison:
    """What two sounds have in common. A number that was not needed, or that has no meaning here, is None."""

    pcm_a: str | None
    pcm_b: str | None
    frames_a: int
    frames_b: int
    format_a: str
    format_b: str
    encoded_equal: bool
    pcm_equal: bool
    """Whether every sample is the same, whatever format stores it (clause 10.4)."""
    divergence: Divergence | None = None
    silence_frames: int | None = None
    """By how many frames of silence one is longer, where that is all that differs."""
    max_difference_lsb: float | None = None
    """In least significant bits of the coarser side; of 16 bits for floating point."""
    differing_samples: int | None = None
    compared_samples: int | None = None
    differing_channels: tuple[int, ...] | None = None
    """The channels, counted from 0, in which a common sample differs."""
    worst_16bit_lsb: float | None = None
    """The same maximum in bits of 1/32768, the unit in which tolerances were measured."""
    share_16bit: float | None = None
    """Share of the samples that are half such a bit or more apart; for 16-bit audio, all that differ."""
    snr_db: float | None = None
    lag_frames: int | None = None
    """By how much the second begins later, where the two correlate best; None where their rates differ."""
    lag_ns: int | None = None
    """The same as a time; of two rates, that of their loudness."""
    aligned_snr_db: float | None = None
    mel_distance_db: float | None = None
    at_speech_rates: bool = True
    """Whether lag and spectra are compared at both rates."""

    @property
    def differing_share(self) -> float | None:
        """Share of the compared samples that differ at all."""
        if self.differing_samples is None or not self.compared_samples:
            return None
        return self.differing_samples / self.compared_samples

    def within(self, tolerance: Tolerance | None = None) -> bool:
        """Return whether both are equally long and nowhere further apart than `tolerance` allows (clause 10.4)."""
        bound = tolerance or Tolerance()
        if self.pcm_equal:
            return True
        if self.frames_a != self.frames_b:
            return False
        if self.worst_16bit_lsb is None or self.share_16bit is None or self.snr_db is None:
            return False
        return (
            self.worst_16bit_lsb <= bound.max_difference_lsb
            and self.share_16bit <= bound.differing_share
            and self.snr_db >= bound.snr_db
        )

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "pcm_a": self.pcm_a,
            "pcm_b": self.pcm_b,
            "frames_a": self.frames_a,
            "frames_b": self.frames_b,
            "format_a": self.format_a,
            "format_b": self.format_b,
            "encoded_equal": self.encoded_equal,
            "pcm_equal": self.pcm_equal,
            "silence_frames": self.silence_frames,
            "divergence": self.divergence.to_value() if self.divergence else None,
            "max_difference_lsb": self.max_difference_lsb,
            "differing_samples": self.differing_samples,
            "compared_samples": self.compared_samples,
            "differing_share": self.differing_share,
            "differing_channels": None if self.differing_channels is None else list(self.differing_channels),
            "worst_16bit_lsb": self.worst_16bit_lsb,
            "share_16bit": self.share_16bit,
            "snr_db": self.snr_db,
            "lag_frames": self.lag_frames,
            "lag_ns": self.lag_ns,
            "aligned_snr_db": self.aligned_snr_db,
            "mel_distance_db": self.mel_distance_db,
        }


def compare_audio(a: Artifact, b: Artifact) -> AudioComparison:
    """Compare the sounds of two artifacts, sample by sample.

    Args:
        a: One artifact. Its digests are taken to hold: verify it first.
        b: The other one, likewise.

    Returns:
        Whether they are equal, and if not, the first frame that differs, the signal-to-noise ratio in dB and the lag.

    Example:
        `compare_audio(open("a.tts.wav"), open("b.tts.wav")).max_difference_lsb`
    """
    with sound_of(a) as left, sound_of(b) as right:
        return compare_pcm(left, right, encoded_equal=_same_file(a, b))


def _same_file(a: Artifact, b: Artifact) -> bool:
    stated = a.descriptor.known("/audio/digest")
    return stated is not None and stated == b.descriptor.known("/audio/digest")


def compare_pcm(
    a: Sound, b: Sound, *, encoded_equal: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> AudioComparison:
    """Compare two sounds, dear questions only where the cheap ones leave something open.

    `on_progress` receives the number of compared frames and the total, for long audio.
    """
    facts: dict[str, Any] = {
        "pcm_a": a.digest,
        "pcm_b": b.digest,
        "frames_a": a.frames,
        "frames_b": b.frames,
        "format_a": a.format_name,
        "format_b": b.format_name,
        "encoded_equal": encoded_equal,
        "at_speech_rates": is_of_speech(a.rate_hz) and is_of_speech(b.rate_hz),
    }
    if encoded_equal or (a.format_name == b.format_name and a.digest is not None and a.digest == b.digest):
        return AudioComparison(**facts, pcm_equal=True)
    if a.channels != b.channels or a.rate_hz != b.rate_hz:
        # No sample of one stands for a sample of the other; only what they sound like can be compared.
        if not (facts["at_speech_rates"] and min(a.frames, b.frames)):
            return AudioComparison(**facts, pcm_equal=False)
        lag_ns = _loudness_lag_ns(a, b)
        return AudioComparison(**facts, pcm_equal=False, lag_ns=lag_ns, mel_distance_db=_mel(a, b, lag_ns))
    pass_over = _Pass(a, b)
    pass_over.run(on_progress)
    facts |= pass_over.facts()
    divergence = _located(a, b, pass_over.first_frame)
    if divergence is None:
        return AudioComparison(**facts, pcm_equal=True)
    found = AudioComparison(**facts, pcm_equal=False, divergence=divergence)
    if found.within() or found.silence_frames is not None or not found.at_speech_rates:
        return found
    lag = _best_lag(a, b)
    lag_ns = lag * _NS // a.rate_hz
    facts |= {"lag_frames": lag, "lag_ns": lag_ns, "aligned_snr_db": _snr_at(a, b, lag)}
    return AudioComparison(**facts, mel_distance_db=_mel(a, b, lag_ns), pcm_equal=False, divergence=divergence)


class _Pass:
    """One pass over the frames that both sounds have."""

    def __init__(self, a: Sound, b: Sound) -> None:
        self.a, self.b = a, b
        self.common = min(a.frames, b.frames)
        self.first_frame: int | None = None
        self.worst = 0.0
        self.differing = 0
        self.channels: set[int] = set()
        self.over_half_bit = 0
        self.signal = 0.0
        self.noise = 0.0
        self.silence_frames: int | None = None

    def run(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        import numpy as np

        for number, start in enumerate(range(0, self.common, BLOCK_FRAMES)):
            if on_progress is not None and number % _TELL_EVERY == _TELL_EVERY - 1:
                on_progress(start, self.common)
            count = min(BLOCK_FRAMES, self.common - start)
            mine, theirs = self.a.read(start, count), self.b.read(start, count)
            difference = np.abs(mine - theirs)
            self.signal += float(np.square(mine).sum())
            if not (differs := difference > 0).any():
                continue
            if self.first_frame is None:
                self.first_frame = start + int(differs.any(axis=1).argmax())
            self.worst = max(self.worst, float(difference.max()))
            self.differing += int(differs.sum())
            self.channels.update(np.flatnonzero(differs.any(axis=0)).tolist())
            self.over_half_bit += int((difference * 32768.0 >= 0.5).sum())
            self.noise += float(np.square(difference).sum())
        if self.first_frame is None and self.a.frames != self.b.frames:
            self.first_frame = self.common
            longer = max(self.a, self.b, key=lambda side: side.frames)
            if _is_silent(longer, self.common):
                self.silence_frames = longer.frames - self.common

    def facts(self) -> dict[str, Any]:
        samples = self.common * self.a.channels
        lsb = 2.0 ** (min(self.a.lsb_bits, self.b.lsb_bits) - 1)
        return {
            "silence_frames": self.silence_frames,
            "max_difference_lsb": self.worst * lsb,
            "differing_samples": self.differing,
            "compared_samples": samples,
            "differing_channels": tuple(sorted(self.channels)),
            "worst_16bit_lsb": self.worst * 32768.0,
            "share_16bit": self.over_half_bit / samples if samples else None,
            "snr_db": _ratio_db(self.signal, self.noise),
        }


def _is_silent(side: Sound, start: int) -> bool:
    """Return whether a sound holds nothing but zeros from a frame on."""
    places = range(start, side.frames, BLOCK_FRAMES)
    return not any(side.read(place, min(BLOCK_FRAMES, side.frames - place)).any() for place in places)


def _located(a: Sound, b: Sound, frame: int | None) -> Divergence | None:
    if frame is None:
        return None
    log = a.chunks
    if log is None:
        chunk, by = frame // BLOCK_FRAMES, "blocks"
    else:
        # A second chunked alike says by its digests where it parts; the frame says so for every other.
        chunk, by = max(0, bisect.bisect_right(log.columns["frame_start"], frame) - 1), "chunk_log"
        if b.chunks is not None and b.chunks.columns["frame_count"] == log.columns["frame_count"]:
            pairs = zip(log.columns.get("pcm_sha256", ()), b.chunks.columns.get("pcm_sha256", ()), strict=False)
            chunk = next((index for index, (mine, theirs) in enumerate(pairs) if mine != theirs), chunk)
    return Divergence(frame=frame, t_ns=frame * _NS // a.rate_hz, chunk=chunk, located_by=by)


def _best_lag(a: Sound, b: Sound) -> int:
    """Return by how many frames `b` begins later, within ±1 s, by cross-correlating their beginnings."""
    beginnings = [side.mono(0, min(side.frames, _ALIGN_OVER_S * a.rate_hz)) for side in (a, b)]
    return _lag_between(beginnings[0], beginnings[1], _ALIGN_S * a.rate_hz)


def _loudness_lag_ns(a: Sound, b: Sound) -> int:
    """Return by how much `b` begins later where no sample stands for a sample: by how loud their beginnings are."""
    mine, theirs = (_envelope(side) for side in (a, b))
    return _lag_between(mine - mine.mean(), theirs - theirs.mean(), _ALIGN_S * _ENVELOPE_HZ) * _NS // _ENVELOPE_HZ


def _envelope(side: Sound) -> NDArray[np.float64]:
    """Return the root mean square of each 2.5 ms of a sound's beginning."""
    import numpy as np

    samples = side.mono(0, min(side.frames, _ALIGN_OVER_S * side.rate_hz))
    edges = np.arange(0, max(1, len(samples) * _ENVELOPE_HZ // side.rate_hz)) * side.rate_hz // _ENVELOPE_HZ
    power = np.add.reduceat(np.square(samples), edges)
    return np.asarray(np.sqrt(power / np.diff(np.append(edges, len(samples)))))


def _lag_between(mine: NDArray[np.float64], theirs: NDArray[np.float64], bound: int) -> int:
    """Return by how many entries `theirs` is later where the two correlate best, at most `bound` either way."""
    import numpy as np

    if not (mine.any() and theirs.any()):
        return 0
    size = 1 << (len(mine) + len(theirs) - 1).bit_length()
    spectrum = np.conj(np.fft.rfft(mine, size)) * np.fft.rfft(theirs, size)
    correlation = np.fft.irfft(spectrum, size)
    lags = np.concatenate([np.arange(min(bound, len(theirs) - 1) + 1), np.arange(-min(bound, len(mine) - 1), 0)])
    return int(lags[int(np.argmax(correlation[lags]))])


def _snr_at(a: Sound, b: Sound, lag: int) -> float | None:
    import numpy as np

    signal = noise = 0.0
    start_a, start_b, common = _overlap(a, b, lag)
    for start in range(0, common, BLOCK_FRAMES):
        count = min(BLOCK_FRAMES, common - start)
        mine, theirs = a.read(start_a + start, count), b.read(start_b + start, count)
        signal += float(np.square(mine).sum())
        noise += float(np.square(mine - theirs).sum())
    return _ratio_db(signal, noise)


def _mel(a: Sound, b: Sound, lag_ns: int) -> float | None:
    from ttsartifact.comparing.sound import mel_distance_db

    starts = round(max(0, -lag_ns) * a.rate_hz / _NS), round(max(0, lag_ns) * b.rate_hz / _NS)
    frames = max(0, a.frames - starts[0]), max(0, b.frames - starts[1])
    return mel_distance_db(a.mono, b.mono, rate_a_hz=a.rate_hz, rate_b_hz=b.rate_hz, starts=starts, frames=frames)


def _overlap(a: Sound, b: Sound, lag: int) -> tuple[int, int, int]:
    start_a, start_b = max(0, -lag), max(0, lag)
    return start_a, start_b, max(0, min(a.frames - start_a, b.frames - start_b))


def _ratio_db(signal: float, noise: float) -> float | None:
    """Return signal over noise in decibels; None where either is nothing, and no ratio says it."""
    return 10.0 * math.log10(signal / noise) if signal > 0.0 and noise > 0.0 else None
