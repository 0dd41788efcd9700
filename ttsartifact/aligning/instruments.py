"""Logs that are not tables: text of instruments (PTDaemon, PowerSensor3, IPMI), and binary JLS and XDF."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.aligning.cells import NS_PER_S, UNITS, Reading, WrittenTime, gathered, milli, rows_of, stamp_of
from ttsartifact.aligning.log import Dialect, Marker, SensorLog, TimeBase
from ttsartifact.errors import Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ttsartifact.aligning.log import SensorLog


class _Analyser(NamedTuple):
    """What one analyser says in a line of `spl.txt`."""

    name: str
    t_ns: int
    value: int


def _keyed(dialect: Dialect, lines: Sequence[str], _unit: str | None) -> SensorLog:
    """Read PTDaemon's `spl.txt`: `Time,<stamp>,Watts,<w>,...,Mark,<name>`, and one group for each of more analysers.

    The first group of several is their sum, which adds the magnitude of a negative reading: such a log is refused.
    """
    found, left_out, marks, skew = [], [], [], 0
    for number, cells in enumerate(rows_of(lines), 1):
        try:
            pairs = _pairs(cells)
            reading = Reading(stamp_of(pairs["Time"], dialect.form), milli(pairs["Watts"], "W"))
            analysers = list(_analysers(cells, dialect.form))
        except (KeyError, ValueError, IndexError) as error:
            left_out.append(f"line {number}: {error}")
            continue
        for one in analysers or [_Analyser("the analyser", reading.stamp.ns, reading.value)]:
            if one.value < 0:
                raise Refused(
                    "an analyser reads negative power: its clamp is reversed, and the sum in the file "
                    "adds its magnitude",
                    where=f"line {number}",
                    found=f"{one.name}: {one.value / 1000:g} W",
                    expected="no negative reading",
                )
        if analysers:
            times = [one.t_ns for one in analysers]
            skew = max(skew, max(times) - min(times))
            reading = Reading(reading.stamp, sum(one.value for one in analysers))
        found.append(reading)
        marks.append(pairs.get("Mark", ""))
    return gathered(
        dialect, found, left_out, column="Watts", skew_ns=skew, markers=_mark_edges(found, marks)
    )  # fmt: skip


def _pairs(cells: Sequence[str]) -> dict[str, str]:
    first = next((n for n, cell in enumerate(cells) if cell.startswith("Analyzer")), len(cells))
    own = list(cells[:first])
    return dict(zip(own[::2], own[1::2], strict=False))


def _analysers(cells: Sequence[str], form: str) -> Iterator[_Analyser]:
    starts = [n for n, cell in enumerate(cells) if re.fullmatch(r"Analyzer\d+", cell)]
    for start, stop in pairwise([*starts, len(cells)]):
        pairs = dict(zip(cells[start + 1 : stop : 2], cells[start + 2 : stop : 2], strict=False))
        yield _Analyser(cells[start], stamp_of(pairs["Time"], form).ns, milli(pairs["Watts"], "W"))


def _mark_edges(found: Sequence[Reading], marks: Sequence[str]) -> list[Marker]:
    """Return where a mark begins and where it was last seen."""
    edges = []
    for place, name in enumerate(marks):
        if name and (place == 0 or marks[place - 1] != name):
            edges.append(Marker(found[place].stamp.ns, name))
        if name and (place == len(marks) - 1 or marks[place + 1] != name):
            edges.append(Marker(found[place].stamp.ns, name))
    return edges


def _marked(dialect: Dialect, lines: Sequence[str], _unit: str | None) -> SensorLog:
    """Read a PowerSensor3 dump: `S t dt ts i v p ... total`, `M name` between the samples, seconds since the start.

    Power is the last column. A marker is between two samples and takes the time of the one before it.
    """
    found: list[Reading] = []
    left_out: list[str] = []
    markers: list[Marker] = []
    for number, line in enumerate(lines[1:], 2):
        cells = line.split()
        try:
            if not cells or cells[0].startswith("#"):
                continue
            if cells[0] == "M":
                markers.append(_marker(cells, found))
            elif cells[0] == "S":
                found.append(Reading(stamp_of(cells[1], dialect.form), milli(cells[-1], "W")))
            else:
                left_out.append(f"line {number}: neither S nor M")
        except (ValueError, IndexError) as error:
            left_out.append(f"line {number}: {error}")
    return gathered(dialect, found, left_out, column="power_total", markers=markers)


def _marker(cells: Sequence[str], found: Sequence[Reading]) -> Marker:
    """`M x`, or `M t0 t1 tag "name"` with a time of its own."""
    if len(cells) > 3:
        return Marker(stamp_of(cells[1], "seconds").ns, " ".join(cells[4:]).strip('"') or cells[3])
    return Marker(found[-1].stamp.ns, cells[1])


def _blocks(dialect: Dialect, lines: Sequence[str], _unit: str | None) -> SensorLog:
    """Read the text of `ipmitool dcmi power reading`, one block a reading."""
    found, left_out = [], []
    watts: str | None = None
    for number, line in enumerate(lines, 1):
        name, _, value = (part.strip() for part in line.partition(":"))
        try:
            if name == "Instantaneous power reading":
                watts = value
            elif name == "IPMI timestamp" and watts is not None:
                found.append(Reading(stamp_of(value, dialect.form), milli(watts, None)))
                watts = None
        except ValueError as error:
            left_out.append(f"line {number}: {error}")
    window = dialect.values[0].window_ns
    return gathered(dialect, found, left_out, column="Instantaneous power reading", window_ns=window)


def _bare(dialect: Dialect, lines: Sequence[str], unit: str | None) -> SensorLog:
    """Read cells without a header: the time first, and the power in the one cell that says W."""
    rows = list(rows_of(lines))
    watts = [n for n, cell in enumerate(rows[0]) if re.fullmatch(r"[-+]?[0-9.]+ *m?W", cell)]
    if len(watts) > 1 or (not watts and (unit is None or len(rows[0]) != 2)):
        raise Refused(
            "the column and the unit of the power are not stated",
            where="line 1",
            found=", ".join(rows[0]),
            expected="one cell in W, or two cells and --unit",
        )
    place = watts[0] if watts else 1
    found, left_out = [], []
    for number, cells in enumerate(rows, 1):
        try:
            found.append(Reading(stamp_of(cells[0], dialect.form), milli(cells[place], unit)))
        except (ValueError, IndexError) as error:
            left_out.append(f"line {number}: {error if isinstance(error, ValueError) else 'cut'}")
    return gathered(dialect, found, left_out, column=f"cell {place + 1}")


LAYOUTS: dict[str, Callable[[Dialect, Sequence[str], str | None], SensorLog]] = {
    "keyed": _keyed,
    "marked": _marked,
    "blocks": _blocks,
    "bare": _bare,
}
"""How a family is laid out -> what reads it. A last line that was cut is not among the lines."""


JLS = Dialect(name="joulescope-jls", first="", family="binary", scope="rail")
XDF = Dialect(name="xdf", first="", family="binary")
_MOST_READINGS_A_SECOND = 1000
"""A Joulescope samples up to two million times a second; a reading is the mean of a millisecond or more."""
_MOST_READINGS = 10_000_000
_JLS_EPOCH_S = 1_514_764_800  # 2018-01-01 UTC; JLS counts 2^-30 s from there
_JLS_UNSET_S = 86_400
"""A file that maps no sample to UTC counts from JLS's own zero."""
_LSL_RESOLUTION_NS = 1_000


class _Column(NamedTuple):
    """A signal or a channel that may be read."""

    name: str
    unit: str
    place: Any


def reader_of(head: bytes) -> Callable[[str, str | None, str | None], SensorLog] | None:
    """Return what reads a file that begins so (path, column and unit that the user names), or None for text."""
    if head.startswith(b"jlsfmt\r\n"):
        return _read_jls
    return _read_xdf if head.startswith(b"XDF:") else None


def _read_jls(path: str, value: str | None, unit: str | None) -> SensorLog:
    pyjls = _library("pyjls", "JLS")
    try:
        with pyjls.Reader(path) as log:
            signals = [signal for signal in log.signals.values() if signal.sample_rate]
            column = _chosen([_Column(each.name, unit or each.units, each) for each in signals], value)
            return _jls_readings(log, column, pyjls)
    except (RuntimeError, ValueError, OSError) as error:
        raise Refused("the log cannot be read as JLS", found=str(error)[:200]) from error


def _jls_readings(log: Any, column: _Column, pyjls: Any) -> SensorLog:
    signal = column.place
    many = max(1, signal.sample_rate // _MOST_READINGS_A_SECOND)
    count = signal.length // many
    if count > _MOST_READINGS:
        raise Refused("the log is too long", found=f"{count} readings", expected=f"at most {_MOST_READINGS}")
    if count < 1:
        raise Refused("the log is too short", found=f"{signal.length} samples", expected=f"at least {2 * many}")
    means = log.fsr_statistics(signal.signal_id, 0, many, count)[:, pyjls.SummaryFSR.MEAN]
    ends = [(place + 1) * many for place in range(count)]
    stamps = log.sample_id_to_timestamp(signal.signal_id, ends)
    if int(stamps[0]) >> 30 > _JLS_UNSET_S:
        base, times = TimeBase.UTC, [(int(each) * NS_PER_S >> 30) + _JLS_EPOCH_S * NS_PER_S for each in stamps]
    else:
        base, times = TimeBase.START, [end * NS_PER_S // signal.sample_rate for end in ends]
    resolution = max(1, NS_PER_S // signal.sample_rate)
    return _log_of(JLS, column, base, times, means, resolution, window_ns=many * NS_PER_S // signal.sample_rate)


def _read_xdf(path: str, value: str | None, unit: str | None) -> SensorLog:
    pyxdf = _library("pyxdf", "XDF")
    try:
        # Times as they were sent, on one clock: a straight line through them would hide what jitter there was.
        streams, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
        column = _chosen(list(_xdf_columns(streams, unit)), value)
        stream, place = column.place
        times = [round(Decimal(float(t)) * NS_PER_S) for t in stream["time_stamps"]]
        values = [row[place] for row in stream["time_series"]]
        markers = sorted(_xdf_markers(streams))
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError, OSError) as error:
        raise Refused("the log cannot be read as XDF", found=str(error)[:200]) from error
    return _log_of(XDF, column, TimeBase.START, times, values, _LSL_RESOLUTION_NS, markers=markers)


def _xdf_columns(streams: Iterable[Any], unit: str | None) -> Iterable[_Column]:
    """Yield the channels of streams of numbers, as STREAM/LABEL, with the unit that they or the user state."""
    for stream in streams:
        info = stream["info"]
        if info["channel_format"][0] == "string":
            continue
        described = ((info.get("desc") or [None])[0] or {}).get("channels") or [{}]
        channels = (described[0] or {}).get("channel") or [{}] * int(info["channel_count"][0])
        for place, channel in enumerate(channels):
            label = (channel.get("label") or [str(place)])[0]
            stated = (channel.get("unit") or [""])[0]
            yield _Column(f"{info['name'][0]}/{label}", unit or stated, (stream, place))


def _xdf_markers(streams: Iterable[Any]) -> Iterable[Marker]:
    for stream in streams:
        if stream["info"]["channel_format"][0] == "string":
            for t, row in zip(stream["time_stamps"], stream["time_series"], strict=True):
                yield Marker(round(Decimal(float(t)) * NS_PER_S), str(row[0]))


def _chosen(columns: Sequence[_Column], value: str | None) -> _Column:
    """Return the one column of power or energy, or the one that the user names whole or behind its stream."""
    named = [each for each in columns if value is None or value in {each.name, each.name.rpartition("/")[2]}]
    found = [each for each in named if each.unit in UNITS]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{each.name} ({each.unit or 'no unit'})" for each in columns[:8]) or "nothing"
    expected = "one of power or energy; name it by --value, and its unit by --unit where it states none"
    raise Refused("no one column of the log can be chosen", found=listed, expected=expected)


def _log_of(
    dialect: Dialect,
    column: _Column,
    base: TimeBase,
    times: Sequence[int],
    values: Iterable[Any],
    resolution_ns: int,
    *,
    window_ns: int | None = None,
    markers: Sequence[Marker] = (),
) -> SensorLog:
    kind, scale = UNITS[column.unit]
    found, left_out = [], []
    for number, (t, value) in enumerate(zip(times, values, strict=True), 1):
        reading = float(value)
        if math.isfinite(reading):
            milli = round(Decimal(reading) * scale)
            found.append(Reading(WrittenTime(t, base, resolution_ns), milli))
        else:
            left_out.append(f"reading {number}: no number")
    return gathered(dialect, found, left_out, column=column.name, kind=kind, window_ns=window_ns, markers=markers)


def _library(name: str, what: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(f"{what} needs {name}", expected='pip install "ttsartifact[meters]"') from error
