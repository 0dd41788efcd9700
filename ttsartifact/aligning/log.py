"""The readings of a sensor log as values, and the table of dialects by which the logs that people have are recognised.

A row states what the file alone shows. Whether a time without zone is local or UTC is not: PTDaemon wrote
local time before its version 1.1 and UTC since, and its log says neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class TimeBase(StrEnum):
    """What the times of a log count from."""

    UTC = "utc"
    """Nanoseconds since 1970 in UTC."""
    LOCAL = "local"
    """Civil time of a zone that the log does not name, counted as if it were UTC."""
    START = "start"
    """Time since the instrument was started."""


class ReadingKind(StrEnum):
    """What a reading is."""

    POWER = "power"
    """Milliwatts."""
    COUNTER = "counter"
    """Millijoules since some moment."""


class Marker(NamedTuple):
    """A moment marked in the log."""

    t_ns: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorLog:
    """A log as read: times in the log's own count, readings in mW or mJ.

    `window_ns` is the time that one reading averages, None where it is the time between readings. `resolution_ns` is
    the last digit of a time stamp; `skew_ns` how far the instruments behind one reading lie apart.
    """

    dialect: str
    base: TimeBase
    kind: ReadingKind
    t_ns: tuple[int, ...]
    values: tuple[int, ...]
    column: str
    scope: str
    resolution_ns: int
    digest: str
    size: int
    window_ns: int | None = None
    skew_ns: int = 0
    markers: tuple[Marker, ...] = ()
    left_out: tuple[str, ...] = ()
    """Rows that were not read, and why."""

    @property
    def period_ns(self) -> int:
        """The median time between two readings."""
        return middle_step(self.t_ns)

    @property
    def averaged_ns(self) -> int:
        """The time that one reading averages: what the dialect says, else the time between readings."""
        return self.period_ns if self.window_ns is None else self.window_ns


def middle_step(t_ns: Sequence[int]) -> int:
    """Return the median distance of neighbours; there are at least two."""
    steps = sorted(b - a for a, b in pairwise(t_ns))
    return steps[len(steps) // 2]


_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One kind of column that holds readings: how its name looks, its unit where neither name nor cell says one."""

    name: str
    """A regular expression for the whole name, letters of any case."""
    unit: str | None = None
    kind: ReadingKind = ReadingKind.POWER
    window_ns: int | None = None
    """The time that a reading averages; None where it is the time between readings, or is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One form of log. `values` are in order of preference: rails overlap, so the first that is there is read."""

    name: str
    first: str
    """A regular expression for the start of the first line, letters of any case."""
    family: str
    """How the file is laid out: `table`, `bare`, `keyed`, `marked` or `blocks` (see `parsing`)."""
    time: str = ""
    """A regular expression for the name of the time column."""
    form: str = ""
    """Key of `cells.FORMATS`; of a table the usual one, as a log of another origin may have the same header."""
    values: tuple[Value, ...] = ()
    scope: str = "unknown"
    dead_below_mw: int | None = None
    """A sensor whose readings are all below this reads nothing."""


_NVIDIA = (
    Value(name=r"power\.draw\.instant( \[W\])?", window_ns=0),
    Value(name=r"power\.draw\.average( \[W\])?", window_ns=_S),
    Value(name=r"power\.draw( \[W\])?", window_ns=_S),  # a mean of 1 s on most chips since Ampere
)
_ROCM = r"(?:average|current socket) (?:graphics package )?power \(W\)"

DIALECTS: tuple[Dialect, ...] = (
    Dialect(name="ptdaemon", first=r"Time,\d\d-\d\d-\d{4} ", family="keyed", form="ptdaemon", scope="wall"),
    Dialect(name="powersensor3", first=r"#?\s*marker\s+time\s+dt_micro", family="marked", form="seconds", scope="rail"),
    Dialect(
        name="nvidia-smi",
        first=r"(?=.*\btimestamp\b)(?=.*\bpower\.draw\b)",
        family="table",
        time=r"timestamp",
        form="nvidia-smi",
        values=_NVIDIA,
        scope="gpu",
    ),
    Dialect(
        name="rocm-smi",
        first=rf"(?=.*\btimestamp\b)(?=.*{_ROCM})",
        family="table",
        time=r"timestamp",
        form="epoch-s",
        values=(Value(name=_ROCM, unit="W"),),
        scope="gpu",
        dead_below_mw=3000,
    ),
    Dialect(
        name="amd-smi",
        first=r"(?=.*\btimestamp\b)(?=.*\bsocket_power\b)",
        family="table",
        time=r"timestamp",
        form="epoch-s",
        values=(Value(name=r"socket_power", unit="W"),),
        scope="gpu",
        dead_below_mw=3000,
    ),
    Dialect(
        name="shelly",
        first=r"timestamp\s*,\s*power\s*$",
        family="table",
        time="timestamp",
        form="compact",
        values=(Value(name="power", unit="W"),),
        scope="wall",
    ),
    Dialect(
        name="shelly-energy",
        first=r"date\s+epoch\s+W\s+Wh\s+J\s*$",
        family="table",
        time="epoch",
        form="epoch-s",
        values=(Value(name="W", unit="W"), Value(name="Wh", unit="Wh", kind=ReadingKind.COUNTER)),
        scope="wall",
    ),
    Dialect(
        name="gpu-z",
        first=r"\s*Date\s*,.*\[W\]",
        family="table",
        time="Date",
        form="date-time",
        values=(
            Value(name=r"board power draw \[W\]"),
            Value(name=r"16-pin power \[W\]"),
            Value(name=r"gpu chip power draw \[W\]"),
        ),
        scope="gpu",
    ),
    Dialect(
        name="frameview",
        first=r"(?=.*\bTimeInSeconds\b)(?=.*power)",
        family="table",
        time="TimeInSeconds",
        form="seconds",
        values=(Value(name=r"PCAT Power.*", unit="W"), Value(name=r"GPU\d* ?(?:Only)? ?P(?:o)?w(?:e)?r.*", unit="W")),
        scope="gpu",
    ),
    Dialect(
        name="joulescope",
        first=r"#?\s*time\s*,\s*i\s*,\s*v\s*,\s*p\b",
        family="table",
        time=r"#?\s*time",
        form="seconds",
        values=(Value(name="p", unit="W"),),
        scope="rail",
    ),
    Dialect(
        name="epoch-ns",
        first=r"Timestamp \(ns\)\s*,\s*Power Draw \(W\)",
        family="table",
        time=r"Timestamp \(ns\)",
        form="epoch-ns",
        values=(Value(name=r"Power Draw \(W\)"),),
        scope="gpu",
    ),
    Dialect(
        name="epoch-ms",
        first=r"(?=.*timestamp_system_epoch_ms)(?=.*nvml_power_watts)",
        family="table",
        time="timestamp_system_epoch_ms",
        form="epoch-ms",
        values=(Value(name="nvml_power_watts", unit="W"),),
        scope="gpu",
    ),
    # A BMC averages over minutes, whatever its output calls instantaneous.
    Dialect(
        name="ipmi",
        first=r"\s*Instantaneous power reading:",
        family="blocks",
        form="ctime",
        values=(Value(name="", window_ns=60 * _S),),
        scope="psu",
    ),
    # What `--format=csv,noheader` and a shell's own clock leave: the time first, and the power is the cell in watts.
    Dialect(name="nvidia-smi-bare", first=r"\d{4}/\d\d/\d\d \d\d:", family="bare", form="nvidia-smi", scope="gpu"),
    Dialect(name="shell-epoch-ns", first=r"\d{19}\s*,", family="bare", form="epoch-ns", scope="gpu"),
    Dialect(name="shell-epoch-s", first=r"\d{10}(\.\d+)?\s*,", family="bare", form="epoch-s", scope="gpu"),
    Dialect(name="shell-iso", first=r"\d{4}-\d\d-\d\dT\d\d:", family="bare", form="iso", scope="gpu"),
)  # fmt: skip


def dialect_of(first_line: str) -> Dialect | None:
    """Return the dialect of a log by its first line, or None for a form that the table does not know."""
    return next((row for row in DIALECTS if re.match(row.first, first_line, re.IGNORECASE)), None)
