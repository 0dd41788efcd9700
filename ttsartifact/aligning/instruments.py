"""Logs that are not tables: PTDaemon's pairs, PowerSensor3's dump, IPMI's text, cells without a header."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.aligning.cells import milli, rows_of
from ttsartifact.aligning.log import Marker, SensorLog
from ttsartifact.aligning.readings import Reading, gathered
from ttsartifact.aligning.stamps import stamp_of
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttsartifact.aligning.dialects import Dialect

__all__ = ["LAYOUTS"]


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
