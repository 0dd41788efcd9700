"""What a sound looks like: its envelope and its spectrogram, and pictures as PNG (ISO/IEC 15948)."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from ttsartifact.container.samples import HIGHEST_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ttsartifact.comparing.sound import Sound
    from ttsartifact.reporting.page.axis import Axis, Stretch

Colour = tuple[int, int, int]


def _palette(*stops: Colour) -> bytes:
    """Return 255 colours evenly between the stops, behind colour 0, which is transparent."""
    colours = [(0, 0, 0)]
    for step in range(255):
        place = step * (len(stops) - 1) / 254
        low = min(int(place), len(stops) - 2)
        share = place - low
        colours.append(tuple(round(a + (b - a) * share) for a, b in zip(stops[low], stops[low + 1], strict=True)))  # type: ignore[arg-type]
    return bytes(value for colour in colours for value in colour)


SEQUENTIAL = _palette((8, 9, 30), (60, 25, 110), (150, 45, 120), (230, 90, 80), (252, 190, 110), (255, 250, 210))
"""From quiet to loud."""
DIVERGING = _palette((20, 90, 200), (130, 180, 240), (245, 245, 245), (245, 170, 120), (190, 50, 20))
"""From louder in a, by equal, to louder in b."""


def png(pixels: NDArray[np.uint8], palette: bytes) -> bytes:
    """Return a picture of (height, width) palette indexes, the top row first; index 0 is transparent."""
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", palette),
        (b"tRNS", b"\0"),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def data_uri(kind: str, data: bytes) -> str:
    """Return bytes as a URI that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


COLUMNS = 800
ROWS = 128
FLOOR_DB = -90.0
_WINDOW_S = 0.032
_BLOCK_FRAMES = 1 << 18
LOWEST_F0_HZ = 60.0
HIGHEST_F0_HZ = 500.0
_F0_PERIODS = 2.5  # of the lowest pitch within one window
_VOICED = 0.6  # of a perfect repetition
_QUIETEST_VOICE = 0.003  # of full scale, as a root mean square: -50 dB
_FIRST_PEAK = 0.9  # of the highest peak: the shortest period that repeats about as well is the period
_LARGEST_DB = 40.0  # of a difference


def media_of(axis: Axis, stretches: list[Stretch], columns: int = COLUMNS) -> NDArray[np.float64]:
    """Return for each column the second of the audio that is played in its middle; NaN where nothing is."""
    middles = axis.start_s + (np.arange(columns) + 0.5) * axis.length_s / columns
    media = np.full(columns, np.nan)
    for each in stretches:
        inside = (middles >= each.start_s) & (middles < each.start_s + each.length_s)
        media[inside] = middles[inside] - each.start_s + each.media_s
    return media


def envelope(sound: Sound, columns: int) -> NDArray[np.float64]:
    """Return the lowest and the highest sample of each of `columns` equal parts of the audio, as (columns, 2)."""
    edges = np.linspace(0, sound.frames, columns + 1).astype(np.int64)
    found = np.zeros((columns, 2))
    for column in range(columns):
        start, stop = int(edges[column]), int(max(edges[column + 1], edges[column] + 1))
        for at in range(start, min(stop, sound.frames), _BLOCK_FRAMES):
            block = sound.mono(at, min(_BLOCK_FRAMES, min(stop, sound.frames) - at))
            found[column] = min(found[column, 0], block.min()), max(found[column, 1], block.max())
    return found


def spectrogram(sound: Sound, media_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return levels in dB of full scale as (ROWS, columns), the highest frequency first; NaN where nothing is played.

    A column is one Hann window of 32 ms around its second, so that an hour costs as much as a minute. A row holds the
    loudest bin of its equal share of 0 Hz to half the sample rate.
    """
    size = max(2 * ROWS, 1 << (int(min(sound.rate_hz, HIGHEST_RATE_HZ) * _WINDOW_S) | 1).bit_length() - 1)
    window = np.hanning(size)
    levels = np.full((ROWS, len(media_s)), np.nan)
    for column in np.flatnonzero(~np.isnan(media_s)):
        start = int(media_s[column] * sound.rate_hz) - size // 2
        first, stop = max(start, 0), min(start + size, sound.frames)
        if first >= stop:
            continue
        samples = np.zeros(size)
        samples[first - start : stop - start] = sound.mono(first, stop - first)
        power = np.abs(np.fft.rfft(samples * window)[: size // 2] * 2 / window.sum())
        loudest = power.reshape(ROWS, -1).max(axis=1)[::-1]
        levels[:, column] = np.maximum(20 * np.log10(np.maximum(loudest, 1e-9)), FLOOR_DB)
    return levels


def fundamental(sound: Sound, media_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F0 in Hz for each column's second, NaN where nothing voiced is played; for the eye, not a measurement.

    The period is the shortest lag between 2 and 16.7 ms at which a window of 42 ms repeats itself (normalised
    cross-correlation) nearly as well as at the best one.
    """
    size = int(sound.rate_hz * _F0_PERIODS / LOWEST_F0_HZ)
    shortest, longest = int(sound.rate_hz / HIGHEST_F0_HZ), int(sound.rate_hz / LOWEST_F0_HZ)
    found = np.full(len(media_s), np.nan)
    if shortest < 2 or sound.rate_hz > HIGHEST_RATE_HZ:
        return found  # a rate at which no voice was sampled
    for column in np.flatnonzero(~np.isnan(media_s)):
        start = int(media_s[column] * sound.rate_hz) - size // 2
        if start >= 0 and start + size <= sound.frames:
            found[column] = _pitch_hz(sound.mono(start, size), shortest, longest, sound.rate_hz)
    return found


def _pitch_hz(samples: NDArray[np.float64], shortest: int, longest: int, rate_hz: int) -> float:
    """Return the pitch of one window; NaN where it does not repeat itself."""
    samples = samples - samples.mean()
    if np.sqrt(np.mean(samples**2)) < _QUIETEST_VOICE:
        return float("nan")
    size, lags = len(samples), np.arange(shortest, longest + 1)
    spectrum = np.fft.rfft(samples, 2 * size)
    products = np.fft.irfft(np.abs(spectrum) ** 2)[lags]
    energy = np.concatenate(([0.0], np.cumsum(samples**2)))
    scale = np.sqrt(energy[size - lags] * (energy[size] - energy[lags]))
    likeness = products / np.maximum(scale, 1e-12)
    if likeness.max() < _VOICED:
        return float("nan")
    near = likeness >= _FIRST_PEAK * likeness.max()
    first = int(np.argmax(near))
    last = first + int(np.argmin(near[first:])) if not near[first:].all() else len(near)
    return rate_hz / float(lags[first + int(np.argmax(likeness[first:last]))])


def shades(levels: NDArray[np.float64], low: float = FLOOR_DB, high: float = 0.0) -> NDArray[np.uint8]:
    """Return palette indexes of levels between `low` and `high`; 0 where there is none."""
    scaled = 1 + np.clip((levels - low) / (high - low), 0, 1) * 254
    return np.where(np.isnan(levels), 0, np.nan_to_num(scaled)).round().astype(np.uint8)


def difference(a: Sound, b: Sound) -> tuple[NDArray[np.uint8], float]:
    """Return b's levels less a's over the time of the audio, from -40 dB to 40 dB, and how many seconds it shows.

    Rows are shares of the lower of both sample rates' halves only where the rates are equal; otherwise it has no
    meaning, and the caller does not ask.
    """
    length_s = max(a.frames / a.rate_hz, b.frames / b.rate_hz)
    media = (np.arange(COLUMNS) + 0.5) * length_s / COLUMNS
    both = [np.nan_to_num(spectrogram(sound, media), nan=FLOOR_DB) for sound in (a, b)]
    return shades(both[1] - both[0], -_LARGEST_DB, _LARGEST_DB), length_s
