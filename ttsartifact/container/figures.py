"""The figures of clause 7.7 from what a run consists of: its descriptor, its chunk log and its PCM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.silence import LONGEST_SECONDS, leading_silence
from ttsartifact.formulas.latency import DeliveredChunk, Instants, figures
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttsartifact.container.riff import WaveFormat
    from ttsartifact.container.source import Span
    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["ENCODED", "chunks_of", "figures_of", "onset_of"]

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
