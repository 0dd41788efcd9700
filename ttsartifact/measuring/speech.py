"""What a stretch of speech sounds like: pauses, syllables and colour from its energy every 10 ms, and its pitch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from itertools import groupby
from math import gcd
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import Unavailable
from ttsartifact.terms import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INSTRUMENT: dict[str, Any] = {"name": "ttsa-speech", "version": "1"}
"""The definitions below; another definition is another version."""

_HOP_S = 0.01
_QUIET_DB = -40.0
"""Below the loudest frame."""
_FLOOR_DB = -60.0
"""Below full scale: what is never speech."""
_NOTHING_DB = -120.0
_PAUSE_S = 0.15
_BAND_HZ = (300.0, 3000.0)
_DIP_DB = 2.0
_APART_S = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """The measures of one stretch of speech."""

    active_s: float
    """From the first to the last sound, without pauses."""
    pause_s: float
    pauses: int
    syllables: int
    centroid_hz: float | None


def speech_of(samples: NDArray[np.float64], rate_hz: int) -> Speech | None:
    """Measure mono samples within ±1; None where nothing is louder than -60 dBFS.

    A frame of 10 ms is quiet below -40 dB of the loudest one. A pause is at least 150 ms of quiet between sounds. A
    syllable is a peak of the energy between 300 and 3,000 Hz over 70 ms that rises 2 dB out of both its valleys and
    lies 80 ms from the next (after de Jong and Wempe 2009).
    """
    import numpy as np

    levels, bands, centroids = _frames(samples, rate_hz)
    loudest = levels.max(initial=-np.inf)
    if loudest < _FLOOR_DB:
        return None
    loud = levels >= max(loudest + _QUIET_DB, _FLOOR_DB)
    places = np.flatnonzero(loud)
    first, last = int(places[0]), int(places[-1]) + 1
    quiet = _runs_of_quiet(loud[first:last])
    paused = sum(quiet) * _HOP_S
    return Speech(
        active_s=(last - first) * _HOP_S - paused,
        pause_s=paused,
        pauses=len(quiet),
        syllables=_peaks(bands, loud),
        centroid_hz=_weighted(centroids[loud], levels[loud]),
    )


def _frames(
    samples: NDArray[np.float64], rate_hz: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return level, level within the band, and spectral centroid of every 10 ms, over a window of 25 ms."""
    import numpy as np

    window, hop = round(0.025 * rate_hz), rate_hz * _HOP_S
    count = max(1, int((len(samples) - window) / hop) + 1)
    padded = np.concatenate([samples, np.zeros(max(0, window - len(samples)))])
    shape = np.hanning(window)
    frequencies = np.fft.rfftfreq(window, 1 / rate_hz)
    band = (frequencies >= _BAND_HZ[0]) & (frequencies <= _BAND_HZ[1])
    full = window * float((shape**2).sum()) / 4  # what a sine at full scale gives, over all of its bins (Parseval)
    found = []
    for number in range(count):
        start = int(number * hop)
        power = np.abs(np.fft.rfft(padded[start : start + window] * shape)) ** 2
        total = float(power.sum())
        centre = float((power * frequencies).sum()) / total if total else 0.0
        found.append((total / full, float(power[band].sum()) / full, centre))
    levels, bands, centroids = np.array(found).T
    least = 10 ** (_NOTHING_DB / 10)
    return 10 * np.log10(levels + least), 10 * np.log10(bands + least), centroids


def _runs_of_quiet(loud: NDArray[np.bool_]) -> list[int]:
    """Return the lengths, in frames, of the stretches of quiet that are pauses."""
    runs = [(one, len(list(same))) for one, same in groupby(loud.tolist())]
    return [length for one, length in runs if not one and length * _HOP_S >= _PAUSE_S - 1e-9]


def _peaks(bands: NDArray[np.float64], loud: NDArray[np.bool_]) -> int:
    """Count the syllables: peaks that stand out of their valleys, the higher of two that are too near."""
    import numpy as np

    # Beyond both ends is nothing: 0 dB there would be a peak at the end of every clip that is cut at its sound.
    smooth = np.convolve(np.pad(bands, 3, constant_values=_NOTHING_DB), np.ones(7) / 7, mode="valid")
    peaks: list[int] = []
    highest, lowest = 0, 0
    rising = True
    for place in range(len(smooth)):
        if rising:
            highest = place if smooth[place] > smooth[highest] else highest
            if smooth[place] < smooth[highest] - _DIP_DB:
                peaks.append(highest)
                rising, lowest = False, place
        else:
            lowest = place if smooth[place] < smooth[lowest] else lowest
            if smooth[place] > smooth[lowest] + _DIP_DB:
                rising, highest = True, place
    if rising and len(smooth) and smooth[highest] > smooth[lowest] + _DIP_DB:
        peaks.append(highest)
    kept: list[int] = []
    for peak in peaks:
        if not loud[peak]:
            continue
        if kept and (peak - kept[-1]) * _HOP_S < _APART_S:
            kept[-1] = max(kept[-1], peak, key=lambda p: smooth[p])
        else:
            kept.append(peak)
    return len(kept)


def _weighted(centroids: NDArray[np.float64], levels: NDArray[np.float64]) -> float | None:
    weights = 10 ** (levels / 10)
    total = float(weights.sum())
    return float((centroids * weights).sum()) / total if total else None


REFERENCE_HZ = 100.0
"""Semitones are counted from here."""
_RATE_HZ = 16_000
FRAME_S = 256 / _RATE_HZ
_LOWEST_HZ, _HIGHEST_HZ = 50.0, 550.0
"""Speech; the tracker itself goes to 2,094 Hz."""
_VOICED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Contour:
    """Pitch in semitones above 100 Hz, a value every 16 ms; nan where there is no voice."""

    semitones: NDArray[np.float64]

    @property
    def voiced(self) -> NDArray[np.float64]:
        """The values of voiced frames."""
        import numpy as np

        return self.semitones[~np.isnan(self.semitones)]

    def between(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Return the voiced values whose frames' middles are in a stretch."""
        import numpy as np

        part = self.semitones[max(0, round(start_s / FRAME_S)) : max(0, round(end_s / FRAME_S))]
        return part[~np.isnan(part)]


def contour_of(samples: NDArray[np.float64], rate_hz: int) -> Contour:
    """Track the pitch of mono samples within ±1; raises Unavailable without the extra `analysis`."""
    import numpy as np

    if not len(samples):
        return Contour(semitones=np.zeros(0))
    found = _detector().detect(resampled(samples, rate_hz), _RATE_HZ, fmin=_LOWEST_HZ, fmax=_HIGHEST_HZ)
    semitones = 12 * np.log2(found.pitch_hz / REFERENCE_HZ)
    return Contour(semitones=np.where(found.confidence >= _VOICED, semitones, np.nan))


def resampled(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float32]:
    """Return samples at 16 kHz, by scipy's polyphase filter."""
    import numpy as np

    if rate_hz != _RATE_HZ:
        try:
            from scipy.signal import resample_poly
        except ImportError as error:
            raise _unavailable("scipy") from error
        common = gcd(rate_hz, _RATE_HZ)
        samples = resample_poly(samples, _RATE_HZ // common, rate_hz // common)
    return np.asarray(samples, np.float32)


@cache
def instrument() -> dict[str, Any]:
    """Return what pins the tracker: versions, and the digest of its network; raises Unavailable."""
    try:
        model = resources.files("swift_f0").joinpath("model.onnx").read_bytes()
        return {
            "name": "swift-f0",
            "version": metadata.version("swift-f0"),
            "digest": digest.of(model),
            "on": f"onnxruntime {metadata.version('onnxruntime')}",
        }
    except ModuleNotFoundError as error:
        raise _unavailable("swift-f0") from error


@cache
def _detector() -> Any:
    try:
        from swift_f0 import SwiftF0
    except ImportError as error:
        raise _unavailable("swift-f0") from error
    return SwiftF0(threads=1, spin=False)  # one thread: sums in one order


def _unavailable(name: str) -> Unavailable:
    return Unavailable(f"measuring pitch needs {name}", expected="pip install 'ttsartifact[analysis]'")
