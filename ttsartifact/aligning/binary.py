"""Logs that are not text: Joulescope's JLS by pyjls, and XDF of the Lab Streaming Layer by pyxdf (extra `meters`)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.aligning.cells import UNITS
from ttsartifact.aligning.dialects import Dialect
from ttsartifact.aligning.log import Marker, TimeBase
from ttsartifact.aligning.readings import Reading, gathered
from ttsartifact.aligning.stamps import NS_PER_S, WrittenTime
from ttsartifact.errors import Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ttsartifact.aligning.log import SensorLog

__all__ = ["reader_of"]

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
