"""How far apart two sounds are when their samples are not comparable: a log-mel distance in decibels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    Mono = Callable[[int, int], NDArray[np.float64]]

__all__ = ["mel_distance_db"]

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
