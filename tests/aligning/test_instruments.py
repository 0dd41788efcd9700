"""Logs that instruments write as text: marks, odd lines and cut lines, each against what a person reads there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from test_binary_logs import jls

from ttsartifact.aligning import instruments
from ttsartifact.aligning.log import TimeBase
from ttsartifact.aligning.parsing import Columns, read_log
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from ttsartifact.aligning.log import SensorLog

S = 1_000_000_000
AT_TEN = 1_795_255_200 * S
"""2026-11-21T10:00:00Z."""
POWERSENSOR = "marker time dt_micro device_timestamp current0 voltage0 power0 power_total\n"


def written(folder: Path, text: str) -> Path:
    """Write a log."""
    path = folder / "log.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("marks", "edges"),
    [
        (["", "", ""], []),
        (["a", "a", ""], [(0, "a"), (1, "a")]),
        (["", "a", ""], [(1, "a"), (1, "a")]),
        (["", "a", "a"], [(1, "a"), (2, "a")]),
        (["a", "b", "b"], [(0, "a"), (0, "a"), (1, "b"), (2, "b")]),
        (["a", "", "a"], [(0, "a"), (0, "a"), (2, "a"), (2, "a")]),
    ],
    ids=str,
)
def test_the_mark_of_an_analyser_has_a_begin_and_an_end(
    marks: list[str], edges: list[tuple[int, str]], tmp_path: Path
) -> None:
    """A mark stands on every line of its phase."""
    lines = [
        f"Time,11-21-2026 10:00:0{n}.000,Watts,{100 + n}.5,Volts,228{f',Mark,{mark}' if mark else ''}"
        for n, mark in enumerate(marks)
    ]
    read = read_log(written(tmp_path, "\n".join(lines) + "\n"))
    assert [(marker.t_ns, marker.name) for marker in read.markers] == [(AT_TEN + n * S, name) for n, name in edges]
    assert read.values == (100_500, 101_500, 102_500)


def test_a_line_of_an_analyser_that_cannot_be_read_is_left_out_by_its_number(tmp_path: Path) -> None:
    """What it lacks is said; the others are read, and the distance of two analysers is the largest."""
    groups = [
        (0, "400", "0.000", "0.250"), (1, "401", "1.000", "1.100"), (2, "402", "2.000", "2.300"),
    ]  # fmt: skip
    lines = [
        f"Time,11-21-2026 10:00:0{n}.000,Watts,700,Mark,run,Analyzer1,Time,11-21-2026 10:00:0{one},Watts,{watts},"
        f"Analyzer2,Time,11-21-2026 10:00:0{other},Watts,0.5"
        for n, watts, one, other in groups
    ]
    lines.insert(1, "Time,11-21-2026 10:00:00.500,Volts,228")
    lines.insert(2, "Time,yesterday,Watts,3")
    read = read_log(written(tmp_path, "\n".join(lines) + "\n"))
    assert read.values == (400_500, 401_500, 402_500)
    assert read.skew_ns == 300_000_000
    assert [row.partition(":")[0] for row in read.left_out] == ["line 2", "line 3"]
    assert read.left_out[0] == "line 2: 'Watts'"


@pytest.mark.parametrize(
    ("second", "where"), [("Watts,-0.25", "line 2: found the analyser: -0.25 W"), ("Watts,-1000", "line 2: -1000 W")]
)
def test_the_only_analyser_that_reads_negative_power_is_named(second: str, where: str, tmp_path: Path) -> None:
    """With the line and the watts."""
    path = written(tmp_path, f"Time,11-21-2026 10:00:00.000,Watts,5\nTime,11-21-2026 10:00:01.000,{second}\n")
    with pytest.raises(Refused) as refused:
        read_log(path)
    watts = where.rpartition(": ")[2]
    assert str(refused.value) == (
        "an analyser reads negative power: its clamp is reversed, and the sum in the file adds its magnitude: found "
        f"the analyser: {watts}, expected no negative reading (at {path}: line 2)"
    )


def test_a_dump_of_a_powersensor_has_samples_markers_and_other_lines(tmp_path: Path) -> None:
    """A marker without a time takes that of the sample before it; one with times has its own, and its name or tag."""
    body = [
        "# a comment",
        "S 0.0 50 0 10 12 120 120.5",
        "M a",
        "S 0.5 50 0 10 12 120 121.5",
        'M 0.75 0.9 7 "a phase"',
        "M 0.8 0.9 8",
        "",
        "S 1.0 50 0 10 12 120 122.5",
        "X what",
        "S soon 50 0 10 12 120 1",
        "M",
    ]
    read = read_log(written(tmp_path, POWERSENSOR + "\n".join(body) + "\n"))
    assert read.base == TimeBase.START
    assert list(zip(read.t_ns, read.values, strict=True)) == [(0, 120_500), (S // 2, 121_500), (S, 122_500)]
    assert [tuple(marker) for marker in read.markers] == [(0, "a"), (750_000_000, "a phase"), (800_000_000, "8")]
    assert read.left_out[:2] == ("line 10: neither S nor M", "line 11: no number: soon")
    assert read.left_out[2].startswith("line 12: ")
    assert len(read.left_out) == 3


def test_a_marker_before_any_sample_is_left_out(tmp_path: Path) -> None:
    """It has no time."""
    read = read_log(written(tmp_path, POWERSENSOR + "M a\nS 0 1\nS 1 2\n"))
    assert (read.markers, len(read.left_out), read.values) == ((), 1, (1000, 2000))


def block(watts: str, second: int) -> str:
    """Return one reading as ipmitool prints it."""
    return (
        f"\n    Instantaneous power reading:  {watts}\n    Minimum during sampling period:  8 Watts\n"
        f"    IPMI timestamp:  Sat Nov 21 10:00:0{second} 2026\n    Sampling period:  00000001 Seconds.\n"
    )


def test_a_block_of_a_bmc_is_a_reading_where_it_has_both(tmp_path: Path) -> None:
    """A second time without power is not a reading; one that is not a number is left out by the line of its time."""
    text = block("220 Watts", 0) + "    IPMI timestamp:  Sat Nov 21 10:00:09 2026\n" + block("lots", 1)
    read = read_log(written(tmp_path, text + block("222 Watts", 2)))
    assert (read.values, read.t_ns) == ((220_000, 222_000), (AT_TEN, AT_TEN + 2 * S))
    assert read.left_out == ("line 10: no reading: lots",)
    assert (read.column, read.window_ns, read.scope) == ("Instantaneous power reading", 60 * S, "psu")


@pytest.mark.parametrize(
    ("rows", "unit", "column", "values"),
    [
        (["2026-11-21T10:00:00Z, 5 W", "2026-11-21T10:00:01Z, 6 W"], None, "cell 2", (5_000, 6_000)),
        (["2026-11-21T10:00:00Z, 7, 5 mW", "2026-11-21T10:00:01Z, 7, 6 mW"], None, "cell 3", (5, 6)),
        (["2026-11-21T10:00:00Z, 5", "2026-11-21T10:00:01Z, 6"], "mW", "cell 2", (5, 6)),
        (["2026-11-21T10:00:00Z, -5.5 W", "2026-11-21T10:00:01Z, +6 W"], None, "cell 2", (-5_500, 6_000)),
    ],
)
def test_a_log_without_a_header_has_one_cell_of_power(
    rows: list[str], unit: str | None, column: str, values: tuple[int, ...], tmp_path: Path
) -> None:
    """The cell that says W, or the second of two."""
    read = read_log(
        written(tmp_path, "\n".join([*rows, "2026-11-21T10:00:02Z", "never, 5 W, 5 W", ""])), Columns(unit=unit)
    )
    assert (read.column, read.values) == (column, values)
    assert read.left_out == ("line 3: cut", "line 4: not a time of form iso: never")


@pytest.mark.parametrize(
    ("row", "unit"),
    [
        ("2026-11-21T10:00:00Z, 5 W, 6 W", None),
        ("2026-11-21T10:00:00Z, 5", None),
        ("2026-11-21T10:00:00Z, 5, 6", "W"),
    ],
)
def test_a_log_without_a_header_and_without_one_cell_of_power_is_refused(
    row: str, unit: str | None, tmp_path: Path
) -> None:
    """Two cells in W, no unit, or a unit and two cells that it may be of."""
    path = written(tmp_path, f"{row}\n{row}\n")
    with pytest.raises(Refused) as refused:
        read_log(path, Columns(unit=unit))
    assert str(refused.value) == (
        f"the column and the unit of the power are not stated: found {row}, expected one cell in W, or two cells and "
        f"--unit (at {path}: line 1)"
    )


@pytest.mark.parametrize(
    ("day_s", "base", "first_ns"),
    [
        (86_400 + 1, TimeBase.UTC, (1_514_764_800 + 86_401) * S + 1_000_000),
        (86_400 - 1, TimeBase.START, 1_000_000),
    ],
)
def test_a_joulescope_that_counts_from_its_own_zero_has_no_utc(
    day_s: int, base: TimeBase, first_ns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JLS counts from 2018; within the first day after it the file maps nothing to UTC."""
    pyjls = pytest.importorskip("pyjls", reason="pyjls of the extra meters is not installed")
    monkeypatch.setattr(pyjls, "utc_to_jls", lambda _: day_s << 30)
    read = read_log(jls(tmp_path / "a.jls"))
    assert read.base == base
    assert read.t_ns[0] == pytest.approx(first_ns, abs=1000)
    assert read.resolution_ns == 100_000


class Recorded:
    """A recorded signal at 5 kHz, of which a reading is the mean of five samples."""

    signal_id, sample_rate, name = 1, 5_000, "p"

    def __init__(self, length: int) -> None:
        self.length = length

    def fsr_statistics(self, number: int, start: int, many: int, count: int) -> np.ndarray:
        assert (number, start, many) == (1, 0, 5)
        return np.arange(1.0, count + 1)[:, None]

    def sample_id_to_timestamp(self, number: int, ends: list[int]) -> list[int]:
        assert number == 1
        return [end << 10 for end in ends]

    def read(self) -> SensorLog:
        library = type("Library", (), {"SummaryFSR": type("SummaryFSR", (), {"MEAN": 0})})
        return instruments._jls_readings(self, instruments._Column("p", "W", self), library)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (4, "the log is too short: found 4 samples, expected at least 10"),
        (50_000_005, "the log is too long: found 10000001 readings, expected at most 10000000"),
    ],
)
def test_a_signal_of_too_few_or_too_many_samples_is_refused(length: int, words: str) -> None:
    """The words say how many there are, and how many would do."""
    with pytest.raises(Refused) as told:
        Recorded(length).read()
    assert str(told.value) == words


def test_a_reading_of_a_signal_is_the_mean_of_a_millisecond_at_its_end() -> None:
    """Ten samples at 5 kHz are two readings."""
    found = Recorded(10).read()
    assert (found.values, found.t_ns, found.window_ns) == ((1000, 2000), (1_000_000, 2_000_000), 1_000_000)
    assert (found.scope, found.dialect, found.resolution_ns) == ("rail", "joulescope-jls", 200_000)
