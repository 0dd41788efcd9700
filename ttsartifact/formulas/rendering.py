"""Traces as channels of sound: which readings are shown, on which scale, and what every frame holds (clause 6.9).

Everything is exact: a reading becomes a sample of 32 bits and a sample a reading again, without rounding.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ttsartifact.terms.trace import Trace

_BITS = 31
_MOST_LOWEST = 9_007_199_254_740  # a thousand times it is an integer of JSON, below 2^53
_TELEMETRY_TIMES = frozenset({"t_ns", "t_before_ns"})
_QUEUE_COLUMNS = ("waiting", "running")


class TraceChannel(NamedTuple):
    """A column of readings as a channel: a reading is `lowest + sample / 2^(31 - exponent)`."""

    name: str
    """Of the column of telemetry, of the channel, or `queue/waiting` and `queue/running`."""
    unit: str
    t_ns: tuple[int, ...]
    values: tuple[int, ...]
    """The readings that arrived."""
    lowest: int
    exponent: int
    """Full scale is 2^exponent units above the lowest reading, the least that holds the highest one."""

    def to_role(self) -> dict[str, Any]:
        """Return the entry of /audio/roles, in thousandths of the unit."""
        scale = 1000 << self.exponent
        return {"role": "sensor", "name": self.name, "unit": self.unit, "scale": scale, "offset": 1000 * self.lowest}

    def sample_of(self, value: int) -> int:
        """Return a reading as a sample of 32 bits."""
        return (value - self.lowest) << (_BITS - self.exponent)


def channels_of_traces(
    traces: Iterable[Trace], described: Sequence[Mapping[str, Any]]
) -> tuple[list[TraceChannel], list[str]]:
    """Return the channels of the traces of a run, and the names of columns that have none.

    `described` is /channels. A column without a reading has no channel, nor has one whose readings lie 2^31 units
    apart or more.
    """
    units = {str(entry.get("name")): str(entry.get("unit")) for entry in described}
    found, left_out = [], []
    for name, t_ns, column in _columns(traces):
        known = [(t, value) for t, value in zip(t_ns, column, strict=True) if value is not None]
        lowest = min((value for _, value in known), default=0)
        exponent = max(0, max((value for _, value in known), default=0) - lowest).bit_length()
        if not known or exponent > _BITS or abs(lowest) > _MOST_LOWEST:
            left_out.append(name)
            continue
        times, values = zip(*known, strict=True)
        unit = "requests" if name.startswith("queue/") else units.get(name.removeprefix("channel/"), "1")
        found.append(TraceChannel(name, unit, times, values, lowest, exponent))
    return found, left_out


def held_ranges(channel: TraceChannel, start_ns: int, rate_hz: int, frames: int) -> Iterator[tuple[int, int, int]]:
    """Yield (first frame, frame behind the last, sample) of each reading that is held.

    Frame n lies at `start_ns` + n / rate and holds the reading at or before it; before the first it holds the first.
    """
    place = max(0, bisect_right(channel.t_ns, start_ns) - 1)
    begin = 0
    while begin < frames:
        after = channel.t_ns[place + 1] if place + 1 < len(channel.t_ns) else None
        # The first frame that lies at or behind the next reading.
        end = frames if after is None else min(frames, -(-(after - start_ns) * rate_hz // 1_000_000_000))
        if end > begin:
            yield begin, end, channel.sample_of(channel.values[place])
            begin = end
        place += 1


def _columns(traces: Iterable[Trace]) -> Iterator[tuple[str, list[int], list[Any]]]:
    for trace in traces:
        columns = trace.columns
        if trace.name == "telemetry":
            yield from (
                (name, columns["t_ns"], column) for name, column in columns.items() if name not in _TELEMETRY_TIMES
            )
        elif trace.name == "queue":
            yield from ((f"queue/{name}", columns["t_ns"], columns[name]) for name in _QUEUE_COLUMNS)
        elif trace.name.startswith("channel/"):
            yield trace.name, columns["t_ns"], columns["value"]
