"""The pitch of speech, by SwiftF0 (Nieradzik 2025, MIT licence), whose network is pinned by its digest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from math import gcd
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import Unavailable
from ttsartifact.terms import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FRAME_S", "REFERENCE_HZ", "Contour", "contour_of", "instrument", "resampled"]

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
