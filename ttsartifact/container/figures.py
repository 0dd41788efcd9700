"""The figures of clause 7.7 from descriptor, chunk log and PCM, and where the voice begins in it.

Providers pad with silence, so a time to first audio without it compares paddings (clause 7.7).
"""

from __future__ import annotations

import math
import sys
from array import array
from itertools import chain
from operator import mul
from typing import TYPE_CHECKING, Any

from ttsartifact.container.samples import FORMATS, g711
from ttsartifact.formulas.latency import DeliveredChunk, Instants, figures
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttsartifact.container.riff import WaveFormat
    from ttsartifact.container.source import Span
    from ttsartifact.terms.descriptor import Descriptor

ENCODED = absent("not_applicable", "the audio is not WAV and is not decoded here")
"""The onset of audio that was not decoded."""
_MOST_NS = 1 << 63


def figures_of(
    descriptor: Descriptor, log: Sequence[DeliveredChunk], onset: int | dict[str, Any], *, frames: int | None = None
) -> dict[str, Any]:
    """Return all figures of a run; `frames` are those of the audio itself, where they are known."""
    known = descriptor.known
    times = {name: _whole(known(f"/run/times/t_{name}_ns")) for name in Instants._fields}
    return figures(
        Instants(**times),
        log,
        frames=frames if frames is not None else _whole(known("/audio/frames")),
        rate_hz=_whole(known("/audio/sample_rate_hz")),
        first_chunk_frames=_whole(known("/run/times/first_chunk_frames")),
        onset=onset,
    )


def chunks_of(columns: Mapping[str, Sequence[Any]] | None) -> list[DeliveredChunk]:
    """Return the chunk log of a trace's columns; empty when there is none of sound shape."""
    held = [] if columns is None else [columns.get(key) for key in DeliveredChunk._fields]
    lists = [column for column in held if column and all(_whole(entry) is not None for entry in column)]
    if len(lists) != len(DeliveredChunk._fields) or len({len(column) for column in lists}) != 1:
        return []
    return [DeliveredChunk(*row) for row in zip(*lists, strict=True)]


def onset_of(descriptor: Descriptor, pcm: Span, wave: WaveFormat) -> int | dict[str, Any]:
    """Return the frame at which the output channels become audible, or the absence that says why there is none."""
    stated = descriptor.known("/audio/roles")
    roles = stated if isinstance(stated, list) else []
    output = [n for n, role in enumerate(roles) if isinstance(role, dict) and role.get("role") == "output"]
    channels = [n for n in output if n < wave.channels] or list(range(wave.channels))
    onset = leading_silence(pcm, wave, channels)
    if onset is None:
        seconds = min(LONGEST_SECONDS, pcm.size // wave.frame_bytes // wave.sample_rate_hz + 1)
        return absent("not_applicable", f"silent below -50 dBFS throughout the first {seconds} s")
    return onset


def _whole(value: Any) -> int | None:
    return value if type(value) is int and -_MOST_NS <= value < _MOST_NS else None


LONGEST_SECONDS = 60  # a card must not read an hour of silence
_HOPS_A_SECOND = 100
_HOPS_IN_A_ROW = 3
_GATE_INVERSE = 100_000  # -50 dBFS as a power: the mean square stands above full scale squared / 10^5


def leading_silence(pcm: Span, wave: WaveFormat, channels: Sequence[int]) -> int | None:
    """Return the frame at which `channels` become audible, or None when they stay silent for as long as we look."""
    frames = min(pcm.size // wave.frame_bytes, wave.sample_rate_hz * LONGEST_SECONDS)
    row = 0
    for hop in range(frames * _HOPS_A_SECOND // wave.sample_rate_hz):
        start = hop * wave.sample_rate_hz // _HOPS_A_SECOND
        stop = (hop + 1) * wave.sample_rate_hz // _HOPS_A_SECOND
        data = pcm.source.read_at(pcm.offset + start * wave.frame_bytes, (stop - start) * wave.frame_bytes)
        row = row + 1 if stop > start and _is_audible(data, wave, channels) else 0
        if row == _HOPS_IN_A_ROW:
            first = hop - _HOPS_IN_A_ROW + 1
            return first * wave.sample_rate_hz // _HOPS_A_SECOND
    return None


def _is_audible(data: bytes, wave: WaveFormat, channels: Sequence[int]) -> bool:
    samples, full_scale = _samples(data, wave.subtype)
    picked = [samples[channel :: wave.channels] for channel in channels]
    count = sum(map(len, picked))
    squares = chain.from_iterable(map(mul, each, each) for each in picked)
    if FORMATS[wave.subtype].is_float:
        # Squares of float32 are exact in float64 and fsum rounds once, so every machine gets the same sum.
        return math.fsum(squares) * _GATE_INVERSE > count
    gate = full_scale * full_scale * count
    ends = [end for each in picked if each for end in (max(each), -min(each))]
    loudest = max(ends, default=0) ** 2 * _GATE_INVERSE
    # One sample alone may be loud enough, and all of them together too quiet: then there is nothing to add up.
    return loudest > gate or (loudest * count > gate and sum(squares) * _GATE_INVERSE > gate)


def _samples(data: bytes, subtype: str) -> tuple[Sequence[int] | Sequence[float], int]:
    """Return the samples, and the integer that stands for full scale."""
    if subtype in {"alaw", "mulaw"}:
        table = g711(subtype)
        return [table[code] for code in data], 1 << 15
    if subtype == "pcm_u8":
        return [code - 128 for code in data], 1 << 7
    if subtype == "pcm_s24":
        return [int.from_bytes(data[i : i + 3], "little", signed=True) for i in range(0, len(data), 3)], 1 << 23
    samples = array({"pcm_s8": "b", "pcm_s16": "h", "pcm_s32": "i", "pcm_f32": "f", "pcm_f64": "d"}[subtype], data)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples, 1 << 8 * samples.itemsize - 1
