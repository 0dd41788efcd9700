"""Cells of foreign tables: what each unit, time and zone is worth, and the words for what is none."""

from __future__ import annotations

from typing import Any

import pytest

from ttsartifact.aligning.cells import Reading, WrittenTime, gathered, milli, rows_of, stamp_of, to_utc_ns, unit_in
from ttsartifact.aligning.log import Dialect, ReadingKind, TimeBase
from ttsartifact.errors import Refused

NOON = 1_767_268_800_000_000_000
"""2026-01-01T12:00:00Z."""
SUMMER = NOON + 181 * 86_400_000_000_000
"""2026-07-01T12:00:00Z."""
HOUR = 3_600_000_000_000


@pytest.mark.parametrize(
    ("cell", "unit", "expected"),
    [
        ("1500 uW", None, 2),  # half a milliwatt goes to the even one
        ("7 mW", None, 7),
        ("7 W", None, 7_000),
        ("7 Watts", None, 7_000),
        ("7kW", None, 7_000_000),
        ("7 mJ", None, 7),
        ("7 J", None, 7_000),
        ("7 mWh", None, 25_200),
        ("7 Wh", None, 25_200_000),
        ("7 kWh", None, 25_200_000_000),
        (" -1.5e2 ", "W", -150_000),
        ("+0.25E-1", "W", 25),
        ("2 mW", "W", 2),
        ("2 Wh", "J", 7_200_000),
    ],
)
def test_a_cell_is_so_many_milliwatts_or_millijoules(cell: str, unit: str | None, expected: int) -> None:
    """The cell's own unit counts before the column's."""
    assert milli(cell, unit) == expected


@pytest.mark.parametrize(
    ("cell", "unit", "words"),
    [
        ("  ", "W", "no reading: an empty cell"),
        (" [N/A] ", "W", "no reading: [N/A]"),
        ("1" * 16, "W", "no reading: 1111111111111111"),
        ("1e100", "W", "no reading: 1e100"),
        ("5", None, "not a unit of power or energy: none"),
        ("5 V", "W", "not a unit of power or energy: V"),
        ("5 J", "W", "the unit J is not the column's unit W"),
        ("5 kW", "Wh", "the unit kW is not the column's unit Wh"),
    ],
)
def test_what_is_no_reading_is_said_in_words(cell: str, unit: str | None, words: str) -> None:
    """The words stand beside the line's number in what was left out."""
    with pytest.raises(ValueError) as refused:
        milli(cell, unit)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("power.draw [W]", "W"),
        ("GPU Power (mW)", "mW"),
        ("Energy [ kWh ] ", "kWh"),
        ("power [V]", None),
        ("[W] power", None),
        ("W", None),
    ],
)
def test_a_columns_unit_is_what_its_name_ends_with(name: str, unit: str | None) -> None:
    """Brackets or parentheses; any other word in them is no unit."""
    assert unit_in(name) == unit


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("a b  c", ["a", "b", "c"]),
        (" a , b,c ,", ["a", "b", "c"]),
        ('a,"b, c",d', ["a", "b, c", "d"]),
        ("a,[500, 480],b", ["a", "[500, 480]", "b"]),
        ("a,[500, 480", ["a", "[500", "480"]),
        (",a", ["", "a"]),
    ],
)
def test_a_line_is_split_into_cells(line: str, cells: list[str]) -> None:
    """At commas where there is one, at white space elsewhere; a list stays whole."""
    assert list(rows_of([line])) == [cells]


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("2026/01/01 12:00:00.250", "nvidia-smi", (NOON + 250_000_000, TimeBase.LOCAL, 1_000_000)),
        ("01-01-2026 12:00:00,5", "ptdaemon", (NOON + 500_000_000, TimeBase.LOCAL, 100_000_000)),
        ("20260101T12:00:00", "compact", (NOON, TimeBase.LOCAL, 1_000_000_000)),
        ("2026-01-01 12:00:00.123456789", "date-time", (NOON + 123_456_789, TimeBase.LOCAL, 1)),
        ("Thu Jan  1 12:00:00 2026", "ctime", (NOON, TimeBase.LOCAL, 1_000_000_000)),
        ("2026-01-01T12:00:00Z", "iso", (NOON, TimeBase.UTC, 1_000_000_000)),
        ("2026-01-01T12:00:00 GMT", "iso", (NOON, TimeBase.UTC, 1_000_000_000)),
        ("2026-01-01T14:30:00.1+02:30", "iso", (NOON + 100_000_000, TimeBase.UTC, 100_000_000)),
        ("2026-01-01T04:30:00-0730", "iso", (NOON, TimeBase.UTC, 1_000_000_000)),
        (" 1767268800 ", "epoch-s", (NOON, TimeBase.UTC, 1_000_000_000)),
        ("1767268800.25", "epoch-s", (NOON + 250_000_000, TimeBase.UTC, 10_000_000)),
        ("1767268800001", "epoch-ms", (NOON + 1_000_000, TimeBase.UTC, 1_000_000)),
        ("1767268800000000001", "epoch-ns", (NOON + 1, TimeBase.UTC, 1)),
        ("-0.5", "seconds", (-500_000_000, TimeBase.START, 100_000_000)),
        ("1.5e-3", "seconds", (1_500_000, TimeBase.START, 100_000_000)),
        ("0.00000000001", "seconds", (0, TimeBase.START, 1)),
        ("9223372036.854775808", "seconds", (2**63, TimeBase.START, 1)),
    ],
)
def test_a_time_of_each_form_is_read(text: str, form: str, expected: tuple[int, TimeBase, int]) -> None:
    """Nanoseconds, what they count from, and the weight of the last digit that was written."""
    assert stamp_of(text, form) == expected


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("noon", "epoch-s", "no number: noon"),
        ("1.", "seconds", "no number: 1."),
        ("1e999999", "seconds", "no number: 1e999999"),
        ("1" * 31, "epoch-ns", "no number: " + "1" * 31),
        ("9223372036.854775809", "seconds", "out of range: 9223372036.854775809"),
        ("-1e99", "epoch-ns", "out of range: -1e99"),
        ("2026-13-01 12:00:00", "date-time", "not a time of form date-time: 2026-13-01 12:00:00"),
    ],
)
def test_what_is_no_time_is_said_in_words(text: str, form: str, words: str) -> None:
    """A number beyond what decimal arithmetic holds is no number here, and no traceback."""
    with pytest.raises(ValueError) as refused:
        stamp_of(text, form)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("local_ns", "zone", "ahead_ns"),
    [
        (NOON, "UTC", 0),
        (NOON, "GMT", 0),
        (NOON, "Z", 0),
        (NOON, "+05:45", 5 * HOUR + HOUR * 3 // 4),
        (NOON, "-0330", -(3 * HOUR + HOUR // 2)),
        (NOON, "Europe/Berlin", HOUR),
        (SUMMER, "Europe/Berlin", 2 * HOUR),
        (SUMMER + 999_999_999, "America/New_York", -4 * HOUR),
    ],
)
def test_a_civil_time_is_an_instant_in_utc(local_ns: int, zone: str, ahead_ns: int) -> None:
    """Berlin is one hour ahead in January and two in July; the fraction of a second stays."""
    assert local_ns - to_utc_ns(local_ns, zone) == ahead_ns


@pytest.mark.parametrize("zone", ["Mars/Phobos", "../UTC", "+2", "Europe"])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    """The three ways of writing one are named."""
    with pytest.raises(Refused) as refused:
        to_utc_ns(NOON, zone)
    assert str(refused.value) == (
        f"unknown time zone: found {zone}, expected UTC, +02:00, or a name as Europe/Berlin (at --zone)"
    )


def test_a_time_that_the_clock_skipped_is_refused() -> None:
    """02:30 of 29 March 2026 does not exist in Berlin."""
    with pytest.raises(Refused) as refused:
        to_utc_ns(NOON + (87 * 24 - 10) * HOUR + HOUR // 2, "Europe/Berlin")
    assert str(refused.value) == (
        "the clock of this zone showed this time twice or never: found 2026-03-29 02:30:00 Europe/Berlin, "
        "expected the zone as an offset, such as +02:00 (at --zone)"
    )


DIALECT = Dialect(name="form", first="", family="table", scope="rail")
BACKWARDS = "the times of the log run backwards: its clock was set, or it holds several devices"
SHARED = "several readings share one time: the log holds several devices"
ONE_DEVICE = "expected a log of one device; --only COLUMN=VALUE keeps one"


def readings(times: list[int], base: TimeBase = TimeBase.UTC, resolution_ns: int = 1) -> list[Reading]:
    """Return readings of 1, 2, 3 ... mW at `times`."""
    return [Reading(WrittenTime(t, base, resolution_ns), place) for place, t in enumerate(times, 1)]


@pytest.mark.parametrize(
    ("found", "left_out", "words"),
    [
        ([], [], "the log holds too few readings: found 0, expected at least 2"),
        (
            readings([5]),
            ["line 2: cut", "line 3: cut"],
            "the log holds too few readings: found 1 (line 2: cut), expected at least 2",
        ),
        (
            [*readings([5]), *readings([6], TimeBase.LOCAL)],
            [],
            "some times name a zone and some do not: expected all, or none",
        ),
        (
            readings([5, 9, 6]),
            [],
            f"{BACKWARDS}: found 3 ns back, {ONE_DEVICE} (at reading 3)",
        ),
        (
            readings([5, 5]),
            [],
            f"{SHARED}: found 2 readings at 1 times, {ONE_DEVICE}",
        ),
        (
            readings([5, 5, 6, 6, 7]),
            [],
            f"{SHARED}: found 5 readings at 3 times, {ONE_DEVICE}",
        ),
    ],
)
def test_readings_that_are_no_log_are_refused(found: list[Reading], left_out: list[str], words: str) -> None:
    """Too few, two bases, a clock that was set, several devices."""
    with pytest.raises(Refused) as refused:
        gathered(DIALECT, found, left_out, column="power")
    assert str(refused.value) == words


def test_of_readings_at_one_time_the_first_stands() -> None:
    """One stamp of four may repeat; the finest digit that was written is the log's resolution."""
    found = readings([5, 6, 6, 8], resolution_ns=100)
    found[3] = Reading(WrittenTime(8, TimeBase.UTC, 10), 4)
    log = gathered(DIALECT, found, ["line 9: cut"], column="power", kind=ReadingKind.COUNTER, window_ns=7, skew_ns=3)
    facts: dict[str, Any] = {
        "t_ns": (5, 6, 8),
        "values": (1, 2, 4),
        "resolution_ns": 10,
        "base": TimeBase.UTC,
        "column": "power",
        "kind": ReadingKind.COUNTER,
        "window_ns": 7,
        "skew_ns": 3,
        "markers": (),
        "left_out": ("line 9: cut",),
        "dialect": "form",
        "scope": "rail",
    }
    assert {name: getattr(log, name) for name in facts} == facts
    assert gathered(DIALECT, found, (), column="power").kind is ReadingKind.POWER
