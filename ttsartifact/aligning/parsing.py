"""A log file becomes a `SensorLog`, or is refused in words. Truncated rows are skipped and reported."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.aligning.cells import FORMATS, UNITS, Reading, gathered, milli, rows_of, stamp_of, to_utc_ns, unit_in
from ttsartifact.aligning.instruments import LAYOUTS, reader_of
from ttsartifact.aligning.log import Dialect, Marker, ReadingKind, SensorLog, TimeBase, Value, dialect_of
from ttsartifact.container.source import FileSource
from ttsartifact.errors import Refused, TooLarge
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Columns", "read_log"]

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
    """Return the readings of a log, text or one of the binary forms of `binary`.

    Raises Refused for a form that is not known, a sensor that reads nothing, a reversed clamp, several devices in one
    file; TooLarge for more than 512 MiB.
    """
    stated = columns or Columns()
    with FileSource(path) as file:
        if file.size > MAX_LOG_BYTES:
            raise TooLarge("the log is too long", where=file.path, found=file.size, expected=MAX_LOG_BYTES)
        raw = file.read_at(0, file.size)
        where = file.path
    binary = reader_of(raw[:16])
    try:
        if binary is not None:
            return replace(binary(where, stated.value, stated.unit), digest=digest.of(raw), size=len(raw))
        return _read(_text(raw), stated, raw)
    except Refused as error:
        raise (error if error.where.startswith("--") else error.at(where)) from error.__cause__


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # GPU-Z writes its degree sign in the code page of the machine


def _read(text: str, stated: Columns, raw: bytes) -> SensorLog:
    lines = text.splitlines()
    while lines and not lines[0].strip():
        del lines[0]
    if not lines:
        raise Refused("the log is empty", expected="readings")
    dialect = dialect_of(lines[0])
    whole = text.endswith(("\n", "\r"))
    if stated.time is not None or dialect is None:
        dialect = _stated(stated, lines[0])
    if dialect.family == "table":
        made = _table(dialect, lines, stated, whole=whole)
    else:
        made = LAYOUTS[dialect.family](dialect, lines if whole else lines[:-1], stated.unit)
    made = replace(made, digest=digest.of(raw), size=len(raw))
    _require_alive(made, dialect)
    return _zoned(made, stated.zone)


def _stated(stated: Columns, first: str) -> Dialect:
    if stated.time is None or stated.value is None or stated.unit is None:
        raise Refused(
            "the form of the log is not known",
            where="line 1",
            found=first[:80],
            expected="a known form (docs/align.md), or --time, --value and --unit",
        )
    if stated.unit not in UNITS:
        raise Refused("not a unit of power or energy", where="--unit", found=stated.unit, expected=", ".join(UNITS))
    form = stated.form or "date-time"
    if form not in FORMATS:
        raise Refused("unknown form of time", where="--time-form", found=form, expected=", ".join(FORMATS))
    value = Value(name=re.escape(stated.value), unit=stated.unit, kind=UNITS[stated.unit][0])
    return Dialect(name="stated", first="", family="table", time=re.escape(stated.time), form=form, values=(value,))


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


def _chosen(dialect: Dialect, header: list[str], stated: Columns) -> _Chosen:
    time = _place(header, dialect.time)
    if time is None:
        raise Refused("the log has no such column", where="line 1", found=", ".join(header), expected=dialect.time)
    values = dialect.values if stated.value is None else (_wanted(dialect, stated.value),)
    for value in values:
        place = _place(header, value.name)
        if place is not None:
            break
    else:
        raise Refused(
            "the log has no column of power",
            where="line 1",
            found=", ".join(header),
            expected="one; name it by --value",
        )
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
    if log.base is not TimeBase.LOCAL or zone is None:
        return log
    return replace(
        log,
        base=TimeBase.UTC,
        t_ns=tuple(to_utc_ns(t, zone) for t in log.t_ns),
        markers=tuple(Marker(to_utc_ns(marker.t_ns, zone), marker.name) for marker in log.markers),
    )
