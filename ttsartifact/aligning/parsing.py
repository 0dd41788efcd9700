"""A log file becomes a `SensorLog`, or is refused in words. Truncated rows are skipped and reported."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.aligning.cells import (
    FORMATS,
    UNITS,
    Reading,
    form_of,
    gathered,
    milli,
    require_plain_time,
    rows_of,
    stamp_of,
    to_utc_ns,
    unit_in,
    zone_shift_ns,
)
from ttsartifact.aligning.instruments import LAYOUTS, reader_of
from ttsartifact.aligning.log import Dialect, Marker, ReadingKind, SensorLog, TimeBase, Value, dialect_of
from ttsartifact.container.source import FileSource
from ttsartifact.errors import Refused, TooLarge
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FIRST_LINES = 9
"""The form of the times is read off the rows among these lines."""
MAX_LOG_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The user's statements about a log: the columns of an unknown form, or a choice among several.

    `only` keeps the rows whose column has a value, written COLUMN=VALUE.
    """

    time: str | None = None
    value: str | None = None
    unit: str | None = None
    zone: str | None = None
    form: str | None = None
    only: str | None = None


def read_log(path: Path | str, columns: Columns | None = None) -> SensorLog:
    """Return the readings of a log, text or one of the binary forms.

    Raises Refused for a form that is not known, a column that the form does not use, a sensor that reads nothing, a
    reversed clamp, several devices in one file; TooLarge for more than 512 MiB.
    """
    stated = columns or Columns()
    _require_sound(stated)
    with FileSource(path) as file:
        if file.size > MAX_LOG_BYTES:
            raise TooLarge("the log is too long", where=file.path, found=file.size, expected=MAX_LOG_BYTES)
        raw = file.read_at(0, file.size)
        where = file.path
    binary = reader_of(raw[:16])
    try:
        if binary is not None:
            _require_used(stated, "binary")
            made = binary(where, stated.value, stated.unit)
        else:
            made = _read(_text(raw), stated)
        return _zoned(replace(made, digest=digest.of(raw), size=len(raw)), stated.zone)
    except Refused as error:
        raise (error if error.where.startswith("--") else error.at(where)) from error.__cause__


def _require_sound(stated: Columns) -> None:
    """Refuse what no log can be read by, before one is read."""
    if stated.zone is not None:
        zone_shift_ns(0, stated.zone)
    if stated.unit not in (None, *UNITS):
        raise Refused("not a unit of power or energy", where="--unit", found=stated.unit, expected=", ".join(UNITS))
    if stated.form not in (None, *FORMATS):
        raise Refused("unknown form of time", where="--time-form", found=stated.form, expected=", ".join(FORMATS))


_UNUSED = {"table": (), "bare": ("value", "only"), "binary": ("time", "only")}
"""The columns that a family does not use; by default those of a log that is no table."""


def _require_used(stated: Columns, family: str, name: str = "a binary log") -> None:
    for unused in _UNUSED.get(family, ("value", "unit", "only")):
        if getattr(stated, unused) is not None:
            raise Refused(
                "a log of this form does not use the option", where=f"--{unused}", found=name, expected="a table"
            )


def _text(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):  # PowerShell 5 redirects output so
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # GPU-Z writes its degree sign in the code page of the machine


def _read(text: str, stated: Columns) -> SensorLog:
    lines = text.splitlines()
    begin = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    if begin == len(lines):
        raise Refused("the log is empty", expected="readings")
    if stated.time and ";" in lines[begin] and "," not in lines[begin]:  # numbers may have a comma
        lines = [line.replace(",", ".").replace(";", ",") for line in lines]
    dialect = dialect_of(lines[begin])
    whole = text.endswith(("\n", "\r"))
    if stated.time is not None or dialect is None:
        dialect = _stated(stated, lines[begin])
    if dialect.family != "blocks":  # of which every one begins with an empty line, which counts
        del lines[:begin]
    _require_used(stated, dialect.family, dialect.name)
    if dialect.family == "table":
        made = _table(dialect, lines, stated, whole=whole)
    else:
        made = LAYOUTS[dialect.family](dialect, lines if whole else lines[:-1], stated.unit)
    _require_alive(made, dialect)
    return made


def _stated(stated: Columns, first: str) -> Dialect:
    if stated.time is None or stated.value is None or stated.unit is None:
        require_plain_time(first, "line 1")
        raise Refused(
            "the form of the log is not known",
            where="line 1",
            found=first[:80],
            expected="a known form (docs/align.md), or --time, --value and --unit",
        )
    value = Value(name=re.escape(stated.value), unit=stated.unit, kind=UNITS[stated.unit][0])
    return Dialect(name="table", first="", family="table", time=re.escape(stated.time), form="iso", values=(value,))


class _Chosen(NamedTuple):
    """The columns of a table that are read."""

    time: int
    value: int
    name: str
    unit: str | None
    kind: ReadingKind
    window_ns: int | None
    only: tuple[int, str] | None


def _table(dialect: Dialect, lines: list[str], stated: Columns, *, whole: bool) -> SensorLog:
    rows = rows_of(lines)
    header = next(rows)
    chosen = _chosen(dialect, header, stated)
    if chosen.only is None:
        _require_one_device(header, lines)
    dialect = _formed(dialect, header, lines, chosen, stated.form)
    found, left_out = [], []
    last = len(lines)
    for number, cells in enumerate(rows, 2):
        if not cells:
            continue
        if (number == last and not whole) or len(cells) < max(chosen.time, chosen.value) + 1:
            left_out.append(f"line {number}: cut")
        elif chosen.only is None or cells[chosen.only[0]] == chosen.only[1]:
            try:
                reading = Reading(stamp_of(cells[chosen.time], dialect.form), milli(cells[chosen.value], chosen.unit))
                found.append(reading)
            except ValueError as error:
                left_out.append(f"line {number}: {error}")
    return gathered(
        dialect, found, left_out, column=chosen.name, kind=chosen.kind, window_ns=chosen.window_ns
    )  # fmt: skip


def _formed(
    dialect: Dialect, header: Sequence[str], lines: Sequence[str], chosen: _Chosen, stated: str | None
) -> Dialect:
    """Return the dialect with the form that the times have: not every table with a known header is of that origin."""
    if stated is not None:
        return replace(dialect, form=stated)
    times = [cells[chosen.time] for cells in rows_of(lines[1:_FIRST_LINES]) if len(cells) > chosen.time]
    form = next(filter(None, (form_of(time, dialect.form) for time in times)), None)
    if times and form is None:
        require_plain_time(times[0], "line 2")
        columns = (
            f"--time {shlex.quote(header[chosen.time])} --time-form FORM --value {shlex.quote(chosen.name)} --unit W"
        )
        by_header = "" if dialect.name == "table" else f"the header is that of {dialect.name}, but "
        raise Refused(
            f"{by_header}the form of the times is not known",
            where="line 2",
            found=times[0],
            expected=f"{dialect.form}, or {columns}, where FORM is one of {', '.join(FORMATS)}",
        )
    if form is None or form == dialect.form:
        return dialect
    return replace(dialect, name="table", form=form, scope="unknown")


def _chosen(dialect: Dialect, header: list[str], stated: Columns) -> _Chosen:
    time = _place(header, dialect.time)
    if time is None:
        where = "line 1" if stated.time is None else "--time"
        raise Refused("the log has no such column", where=where, found=", ".join(header), expected=dialect.time)
    values = dialect.values if stated.value is None else (_wanted(dialect, stated.value),)
    for value in values:
        place = _place(header, value.name)
        if place is not None:
            break
    else:
        found = ", ".join(header)
        if stated.value is not None:
            raise Refused("the log has no such column", where="--value", found=found, expected=stated.value)
        raise Refused("the log has no column of power", where="line 1", found=found, expected="one; name it by --value")
    unit = stated.unit or value.unit or unit_in(header[place])
    kind = UNITS[unit][0] if unit in UNITS else value.kind
    return _Chosen(time, place, header[place], unit, kind, value.window_ns, _only(header, stated.only))


def _wanted(dialect: Dialect, name: str) -> Value:
    known = next((value for value in dialect.values if re.fullmatch(value.name, name, re.IGNORECASE)), Value(name=""))
    return replace(known, name=re.escape(name))


def _place(header: Sequence[str], pattern: str) -> int | None:
    return next((n for n, name in enumerate(header) if re.fullmatch(pattern, name, re.IGNORECASE)), None)


_DEVICES = ("index", "uuid", "gpu", "gpu_id", "device", "pci.bus_id")


def _only(header: list[str], only: str | None) -> tuple[int, str] | None:
    if only is None:
        return None
    name, _, value = only.partition("=")
    place = _place(header, re.escape(name))
    if place is None:
        raise Refused("the log has no such column", where="--only", found=name, expected=", ".join(header))
    return place, value


def _require_one_device(header: list[str], lines: Sequence[str]) -> None:
    """Refuse a table whose rows are of several devices: their readings in one row of times trace none of them."""
    place = next((n for n, name in enumerate(header) if name.lower() in _DEVICES), None)
    if place is None:
        return
    rows = (cells for cells in rows_of(lines[1:-1]))  # the last row may be cut in its name
    named = sorted({cells[place] for cells in rows if len(cells) > place})
    if len(named) > 1:
        raise Refused(
            "the log holds several devices",
            found=", ".join(named[:8]),
            expected=f"one; --only {header[place]}={named[0]} keeps it",
        )


def _require_alive(log: SensorLog, dialect: Dialect) -> None:
    if dialect.dead_below_mw is not None and max(log.values) < dialect.dead_below_mw:
        raise Refused(
            "this sensor reads no power",
            found=f"at most {max(log.values) / 1000:g} W in {len(log.values)} readings",
            expected=f"a reading above {dialect.dead_below_mw / 1000:g} W",
        )


def _zoned(log: SensorLog, zone: str | None) -> SensorLog:
    if zone is None:
        return log
    if log.base is not TimeBase.LOCAL:
        found = "UTC" if log.base is TimeBase.UTC else "the time since the instrument's start"
        raise Refused("the log's times need no zone", where="--zone", found=found, expected="local times")
    return replace(
        log,
        base=TimeBase.UTC,
        t_ns=tuple(to_utc_ns(t, zone) for t in log.t_ns),
        markers=tuple(Marker(to_utc_ns(marker.t_ns, zone), marker.name) for marker in log.markers),
    )
