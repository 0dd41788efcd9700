"""The one time axis: seconds after submit, with the audio where a player plays it that starts with the first chunk.

The player is that of clause 6.3: it begins when the first chunk of at least one frame is there, plays without pause,
and waits where a chunk comes late. So chunks, stalls and sensors stand beside the sound that was heard at that time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.reading.artifact import Artifact

_NS = 10**9
_MOST_TICKS = 9
_MOST_MARKS = 2000  # a picture of 1,000 columns shows no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of the audio that is played without pause."""

    start_s: float
    """On the axis."""
    media_s: float
    """Within the audio."""
    length_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What the pictures of a page show, in seconds after submit."""

    start_s: float
    stop_s: float

    @property
    def length_s(self) -> float:
        """How long it is; never nothing."""
        return max(self.stop_s - self.start_s, 1e-6)

    def x(self, t_s: float, width: float = 1000) -> float:
        """Return the place of a time on a picture of this width, within its borders."""
        return min(max((t_s - self.start_s) / self.length_s, 0.0), 1.0) * width

    def ticks(self) -> Iterator[float]:
        """Yield round times."""
        rough = self.length_s / _MOST_TICKS
        size = 10 ** math.floor(math.log10(rough))
        step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
        for count in range(math.ceil(self.start_s / step), math.floor(self.stop_s / step) + 1):
            yield round(count * step, 9)


def submit_of(artifact: Artifact) -> int:
    """Return t_submit in ns from the run's origin, or 0 where the run does not state it."""
    found = artifact.descriptor.known("/run/times/t_submit_ns")
    return found if type(found) is int else 0


def columns_of(artifact: Artifact, trace: str, *names: str) -> list[list[Any]]:
    """Return equally long columns of a trace, whose first is whole numbers; none where it is not there or not sound."""
    found = artifact.trace(trace)
    columns = [] if found is None else [found.columns.get(name, []) for name in names]
    if not columns or not columns[0] or len(set(map(len, columns))) != 1:
        return []
    return columns if all(type(value) is int for value in columns[0]) else []


def stretches_of(artifact: Artifact, frames: int, rate_hz: int) -> list[Stretch]:
    """Return the audio as it would have been played, stalls apart."""
    submit = submit_of(artifact)
    log = columns_of(artifact, "chunks", "t_ns", "frame_start", "frame_count")
    rows = [row for row in zip(*log, strict=True) if all(type(v) is int for v in row) and row[2] > 0]
    first = artifact.descriptor.known("/run/times/t_first_token_ns")
    if not rows:
        begin = (first - submit) / _NS if type(first) is int else 0.0
        return [Stretch(start_s=begin, media_s=0.0, length_s=frames / rate_hz)]
    spans: list[tuple[float, int]] = [((rows[0][0] - submit) / _NS, 0)]
    for t_ns, start, _ in rows[1:]:
        begun, media = spans[-1]
        late_s = (t_ns - submit) / _NS - (begun + (start - media) / rate_hz)
        if late_s > 0 and media < start < frames:
            spans.append(((t_ns - submit) / _NS, start))
    ends = [start for _, start in spans[1:]] + [frames]
    return [
        Stretch(start_s=begun, media_s=media / rate_hz, length_s=(end - media) / rate_hz)
        for (begun, media), end in zip(spans, ends, strict=True)
    ]


def axis_of(artifact: Artifact, stretches: list[Stretch]) -> Axis:
    """Return an axis from submit (or the first reading of a trace) to the end of everything."""
    submit = submit_of(artifact)
    times = [artifact.descriptor.known(f"/run/times/t_{name}_ns") for name in ("submit", "last_token")]
    for name in artifact.parts.names():
        if name.startswith("trace/"):
            times += [end for column in columns_of(artifact, name[6:], "t_ns") for end in (column[0], column[-1])]
    seconds = [(t - submit) / _NS for t in times if type(t) is int and abs(t) < 1 << 53]
    seconds += [edge for s in stretches for edge in (s.start_s, s.start_s + s.length_s)]
    return Axis(start_s=min(seconds, default=0.0), stop_s=max(seconds, default=1.0))


def joined_axes(axes: list[Axis]) -> Axis:
    """Return the axis that holds all of them."""
    return Axis(start_s=min(axis.start_s for axis in axes), stop_s=max(axis.stop_s for axis in axes))


def thinned(rows: list[Any]) -> list[Any]:
    """Return no more rows than a picture can show: the first, every so many, and the last."""
    kept = rows[:: max(1, -(-len(rows) // _MOST_MARKS))]
    return kept[:-1] + rows[-1:] if len(kept) < len(rows) else kept
