"""Each form of log is read, and each trap of it is refused in words or handled as the table says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from runs import LOGS

from ttsartifact.aligning.log import ReadingKind, TimeBase
from ttsartifact.aligning.parsing import Columns, read_log
from ttsartifact.errors import Refused, TooLarge

if TYPE_CHECKING:
    from pathlib import Path

AT_TEN = 1_795_255_200_000_000_000
"""2026-11-21T10:00:00Z."""


@pytest.mark.parametrize(
    ("name", "dialect", "base", "first_ns", "second_mw"),
    [
        ("ptdaemon-spl.txt", "ptdaemon", TimeBase.LOCAL, AT_TEN + 496_000_000, 121_000),
        ("ptdaemon-two-analysers.txt", "ptdaemon", TimeBase.LOCAL, AT_TEN + 100_000_000, 701_000),
        ("nvidia-smi-header.csv", "nvidia-smi", TimeBase.LOCAL, AT_TEN + 250_000_000, 201_500),
        ("nvidia-smi-nounits.csv", "nvidia-smi", TimeBase.LOCAL, AT_TEN + 250_000_000, 201_500),
        ("nvidia-smi-noheader.csv", "nvidia-smi-bare", TimeBase.LOCAL, AT_TEN + 250_000_000, 201_500),
        ("shell-epoch-ns.csv", "shell-epoch-ns", TimeBase.UTC, AT_TEN + 123_456_789, 201_500),
        ("shell-iso.csv", "shell-iso", TimeBase.UTC, AT_TEN + 123_000_000, 201_500),
        ("amd-smi.csv", "amd-smi", TimeBase.UTC, AT_TEN, 501_000),
        ("powersensor3.txt", "powersensor3", TimeBase.START, 0, 121_000),
        ("shelly.csv", "shelly", TimeBase.LOCAL, AT_TEN, 101_400),
        ("shelly-energy.txt", "shelly-energy", TimeBase.UTC, AT_TEN, 101_400),
        ("gpu-z.txt", "gpu-z", TimeBase.LOCAL, AT_TEN, 251_300),
        ("frameview.csv", "frameview", TimeBase.START, 0, 201_200),
        ("joulescope.csv", "joulescope", TimeBase.START, 0, 13_500),
        ("epoch-ns.csv", "epoch-ns", TimeBase.UTC, AT_TEN, 201_500),
        ("epoch-ms.csv", "epoch-ms", TimeBase.UTC, AT_TEN + 250_000_000, 201_500),
        ("ipmi.txt", "ipmi", TimeBase.LOCAL, AT_TEN, 221_000),
    ],
)
def test_every_dialect_is_read(name: str, dialect: str, base: TimeBase, first_ns: int, second_mw: int) -> None:
    """Form, time base, first time and second reading are those that the file shows."""
    log = read_log(LOGS / name)
    assert (log.dialect, log.base, log.kind) == (dialect, base, ReadingKind.POWER)
    assert (log.t_ns[0], log.values[1]) == (first_ns, second_mw)
    assert log.left_out == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "ptdaemon-reversed-clamp.txt",
            (
                "an analyser reads negative power: its clamp is reversed, and the sum in the file adds its magnitude: "
                "found Analyzer2: -11.11 W, expected no negative reading (at {log}: line 1)"
            ),
        ),
        (
            "rocm-smi-zero.csv",
            "this sensor reads no power: found at most 2 W in 5 readings, expected a reading above 3 W (at {log})",
        ),
        (
            "nvidia-smi-not-supported.csv",
            "the log holds too few readings: found 0 (line 2: no reading: [N/A]), expected at least 2 (at {log})",
        ),
        (
            "nvidia-smi-two-cards.csv",
            "the log holds several devices: found 0, 1, expected one; --only index=0 keeps it (at {log})",
        ),
        (
            "amd-smi-list-of-power.csv",
            "the log holds too few readings: found 0 (line 2: no reading: [500, 480]), expected at least 2 (at {log})",
        ),
        (
            "unknown.csv",
            (
                "the form of the log is not known: found when;what, expected a known form (docs/align.md), or "
                "--time, --value and --unit (at {log}: line 1)"
            ),
        ),
    ],
)
def test_a_trap_is_refused_in_words(name: str, words: str) -> None:
    """What would give a wrong figure gives none, and the message says why and where."""
    with pytest.raises(Refused) as refused:
        read_log(LOGS / name)
    assert str(refused.value) == words.format(log=LOGS / name)


@pytest.mark.parametrize(
    ("header", "time", "dialect", "base", "ns"),
    [
        ("timestamp,power", "20261121T10:00:0{}", "shelly", TimeBase.LOCAL, AT_TEN),
        ("timestamp,power", "2026-11-21T10:00:0{}", "table", TimeBase.LOCAL, AT_TEN),
        ("timestamp,power", "2026-11-21T11:00:0{}+01:00", "table", TimeBase.UTC, AT_TEN),
        ("Timestamp, Power", "2026-11-21 10:00:0{}Z", "table", TimeBase.UTC, AT_TEN),
        ("timestamp,power", "2026/11/21 10:00:0{}.25", "table", TimeBase.LOCAL, AT_TEN + 250_000_000),
        ("timestamp,power", "179525520{}.5", "table", TimeBase.UTC, AT_TEN + 500_000_000),
        ("timestamp,power", "179525520{}250", "table", TimeBase.UTC, AT_TEN + 250_000_000),
        ("timestamp,power", "179525520{}250000", "table", TimeBase.UTC, AT_TEN + 250_000_000),
        ("timestamp,power", "179525520{}250000000", "table", TimeBase.UTC, AT_TEN + 250_000_000),
        ("timestamp,power.draw", "2026-11-21T10:00:0{}", "table", TimeBase.LOCAL, AT_TEN),
        ("timestamp,socket_power", "179525520{}250", "table", TimeBase.UTC, AT_TEN + 250_000_000),
        ("timestamp_system_epoch_ms,nvml_power_watts", "179525520{}", "table", TimeBase.UTC, AT_TEN),
        ("time,i,v,p", "{}.5", "joulescope", TimeBase.START, 500_000_000),
        ("time,i,v,p", "179525520{}", "table", TimeBase.UTC, AT_TEN),
    ],
)
def test_a_known_header_over_times_of_another_form_is_a_table(
    header: str, time: str, dialect: str, base: TimeBase, ns: int, tmp_path: Path
) -> None:
    """The values say how they are read, behind a row that has no time; of a table the scope is not known."""
    cells = ",".join(["", *["1", "2"][: header.count(",") - 1], "101.5 W"])
    log = tmp_path / "power.csv"
    log.write_text("\n".join([header, f"n/a{cells}", *(f"{time.format(second)}{cells}" for second in range(3)), ""]))
    found = read_log(log)
    assert (found.dialect, found.base, found.t_ns[0], found.values) == (dialect, base, ns, (101_500,) * 3)
    assert (found.scope == "unknown") == (dialect == "table")
    assert [row.partition(":")[0] for row in found.left_out] == ["line 2"]


FORMS = "nvidia-smi, ptdaemon, compact, date-time, ctime, iso, epoch-s, epoch-ms, epoch-us, epoch-ns, seconds"
COLUMNS = f"--time timestamp --time-form FORM --value power --unit W, where FORM is one of {FORMS}"


@pytest.mark.parametrize(
    ("time", "columns", "words"),
    [
        (
            "10 o'clock",
            Columns(),
            "the header is that of shelly, but the form of the times is not known: found {}, expected compact, or {}",
        ),
        (
            "0.5",
            Columns(time="timestamp", value="power", unit="W"),
            "the form of the times is not known: found {}, expected iso, or {}",
        ),
    ],
)
def test_times_that_could_be_anything_are_refused_with_the_options_that_say_it(
    time: str, columns: Columns, words: str, tmp_path: Path
) -> None:
    """Small numbers may count from anywhere; the message names the form that was assumed."""
    log = tmp_path / "power.csv"
    log.write_text(f"timestamp,power\n{time},100\n{time}1,100\n")
    with pytest.raises(Refused) as refused:
        read_log(log, columns)
    assert str(refused.value) == f"{words.format(time, COLUMNS)} (at {log}: line 2)"
    stated = Columns(time="timestamp", value="power", unit="mW", form="seconds")
    log.write_text("timestamp,power\n0.5,100\n0.75,101\n")
    assert (read_log(log, stated).base, read_log(log, stated).values) == (TimeBase.START, (100, 101))


REWRITE = (
    "expected times in ISO 8601 (2026-04-03 10:00:00), or since 1970 in s, ms, us or ns: write them so in a copy of "
    "the log"
)
STATE_IT = ", or state --time COL --time-form ptdaemon --value COL --unit W if the month is first"


@pytest.mark.parametrize(
    ("lines", "columns", "found", "more"),
    [
        ("timestamp,power\n{},5\n{},6\n", Columns(), "03/04/2026 10:00:00", " (at {}: line 2)"),
        ("timestamp,power\n{},5\n{},6\n", Columns(zone="UTC"), "03-04-2026 10:00:00", STATE_IT + " (at {}: line 2)"),
        ("Date ,Board Power Draw [W] \n{},5\n{},6\n", Columns(), "13.04.2026 10:00:00", " (at {}: line 2)"),
        ("{},5 W\n{},6 W\n", Columns(), "3/4/26 10:00", " (at {}: line 1)"),
        (
            "t,p\n{},5\n{},6\n",
            Columns(time="t", value="p", unit="W"),
            "04/13/2026 10:00:00 AM",
            " (at {}: line 2)",
        ),
    ],
)
def test_whether_day_or_month_is_first_is_not_guessed(
    lines: str, columns: Columns, found: str, more: str, tmp_path: Path
) -> None:
    """The third of April is not read as the fourth of March: the value is named, and what can be done about it."""
    log = tmp_path / "power.csv"
    log.write_text(lines.format(found, found))
    words = f"a time may have its day or its month first, and the order is never guessed: found {found}, {REWRITE}"
    with pytest.raises(Refused) as refused:
        read_log(log, columns)
    assert str(refused.value) == words + more.format(log)


@pytest.mark.parametrize(
    ("lines", "columns", "found", "line"),
    [
        ("timestamp,power\n{},5\n{},6\n", Columns(), "2026-01-02 03:04 PM", 2),
        ("timestamp,power\n{},5\n{},6\n", Columns(), "2026-01-02 03:04:05.25 am", 2),
        ("t,p\n{},5\n{},6\n", Columns(time="t", value="p", unit="W"), "2026-01-02T3:04:05PM", 2),
        ("t;p\n{};5\n{};6\n", Columns(time="t", value="p", unit="W"), "Jan 2 2026 3:04 p.m.", 2),
        ("{}, 5 W\n{}, 6 W\n", Columns(), "2026-01-02 03:04:05 PM", 1),
    ],
)
def test_a_time_of_twelve_hours_is_called_that(
    lines: str, columns: Columns, found: str, line: int, tmp_path: Path
) -> None:
    """No form has AM or PM, and 3 PM is never read as 3 in the morning."""
    log = tmp_path / "power.csv"
    log.write_text(lines.format(found, found))
    with pytest.raises(Refused) as refused:
        read_log(log, columns)
    assert str(refused.value) == (
        f"times of a 12-hour clock (AM, PM) are not read: found {found}, expected hours from 0 to 23 "
        f"(2026-04-03 22:00:00): write them so in a copy of the log (at {log}: line {line})"
    )


@pytest.mark.parametrize("other", ["power 10:30 ample", "2026-01-02 25:04:05", "host:8080 amd"])
def test_a_word_that_begins_like_am_is_none(other: str, tmp_path: Path) -> None:
    log = tmp_path / "power.csv"
    log.write_text(f"timestamp,power\n{other},5\n{other},6\n")
    with pytest.raises(Refused, match="the form of the times is not known"):
        read_log(log, Columns())


def test_a_month_before_the_day_is_read_where_it_is_stated(tmp_path: Path) -> None:
    """The form of PTDaemon in any table; a time of another form is skipped in words that name the form."""
    log = tmp_path / "power.csv"
    log.write_text("timestamp,power\n11-21-2026 10:00:00,5\n11-21-2026 10:00:01,6\n21/11/2026 10:00:02,7\n")
    read = read_log(log, Columns(time="timestamp", value="power", unit="W", form="ptdaemon"))
    assert (read.t_ns[0], read.values) == (AT_TEN, (5000, 6000))
    assert read.left_out == ("line 4: not a time of form ptdaemon: 21/11/2026 10:00:02",)


@pytest.mark.parametrize(
    ("name", "columns", "words"),
    [
        ("epoch-ns.csv", Columns(zone="UTC"), "found UTC, expected local times (at --zone)"),
        ("joulescope.csv", Columns(zone="UTC"), "found the time since the instrument's start, expected local times"),
        ("ptdaemon-spl.txt", Columns(value="Watts"), "found ptdaemon, expected a table (at --value)"),
        ("powersensor3.txt", Columns(unit="mW"), "found powersensor3, expected a table (at --unit)"),
        ("ipmi.txt", Columns(only="a=b"), "found ipmi, expected a table (at --only)"),
        ("shell-iso.csv", Columns(value="a"), "found shell-iso, expected a table (at --value)"),
        ("shell-iso.csv", Columns(only="a=b"), "found shell-iso, expected a table (at --only)"),
    ],
)
def test_a_column_or_zone_that_the_form_does_not_use_is_refused(name: str, columns: Columns, words: str) -> None:
    """The zone of a log in UTC, the columns of a log that is no table."""
    with pytest.raises(Refused) as refused:
        read_log(LOGS / name, columns)
    unused = "the log's times need no zone" if columns.zone else "a log of this form does not use the option"
    assert str(refused.value).startswith(f"{unused}: {words}")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (Columns(zone="Mars"), "unknown time zone: found Mars, expected UTC, +02:00, or a name as Europe/Berlin (at "),
        (Columns(unit="furlong"), "not a unit of power or energy: found furlong, expected uW, "),
        (Columns(time="t", form="roman"), "unknown form of time: found roman, expected nvidia-smi, "),
    ],
)
def test_words_that_no_log_is_read_by_are_refused_before_it_is_read(columns: Columns, words: str) -> None:
    """There is no such file, and the option is told."""
    with pytest.raises(Refused) as refused:
        read_log(LOGS / "absent.csv", columns)
    assert str(refused.value).startswith(words)


def test_what_powershell_writes_is_read(tmp_path: Path) -> None:
    """`nvidia-smi ... > log.csv` in Windows PowerShell is UTF-16."""
    plain = (LOGS / "nvidia-smi-header.csv").read_text(encoding="utf-8")
    (tmp_path / "log.csv").write_bytes(plain.replace("\n", "\r\n").encode("utf-16"))
    log = read_log(tmp_path / "log.csv")
    assert (log.dialect, len(log.values), log.values[1], log.left_out) == ("nvidia-smi", 5, 201_500, ())


def test_a_row_that_no_meter_writes_is_left_out(tmp_path: Path) -> None:
    """A cell of 200,000 digits, and a list of 50,000 cells that is never closed, cost one row and no time."""
    rows = [f"2026/11/21 10:00:0{second}.000, {second}.00 W" for second in range(3)]
    rows[1:1] = ["2026/11/21 10:00:00.500, " + "9" * 200_000]
    rows.append("[" + "a, " * 50_000)
    (tmp_path / "log.csv").write_text("\n".join(["timestamp, power.draw [W]", *rows, ""]), encoding="utf-8")
    began = time.process_time()
    log = read_log(tmp_path / "log.csv")
    assert time.process_time() - began < 5
    assert (log.values, log.left_out[0]) == ((0, 1_000, 2_000), "line 3: cut")


def test_a_log_of_more_than_512_mib_is_refused_unread(tmp_path: Path) -> None:
    """One byte more, of a file that is a hole behind its mark: the refusal states both sizes."""
    path = tmp_path / "m.jls"
    with path.open("wb") as file:
        file.write(b"jlsfmt\r\n")
        file.truncate((512 << 20) + 1)
    with pytest.raises(TooLarge) as refused:
        read_log(path)
    assert str(refused.value) == f"the log is too long: found 536870913, expected 536870912 (at {path})"


def test_the_row_that_a_kill_cut_in_two_is_left_out() -> None:
    """`2` of `205.50 W` is no reading of 2 W."""
    log = read_log(LOGS / "nvidia-smi-killed.csv")
    assert log.values == (200_500, 201_500, 202_500, 203_500, 204_500)
    assert log.left_out == ("line 7: cut",)


def test_one_card_of_several_is_read_when_it_is_named() -> None:
    """--only keeps the rows of one device."""
    log = read_log(LOGS / "nvidia-smi-two-cards.csv", Columns(only="index=1"))
    assert log.values == (300_000, 301_000, 302_000, 303_000, 304_000)


def test_two_analysers_are_added_and_their_distance_is_kept() -> None:
    """The two groups of one line are 0.27 s apart."""
    assert read_log(LOGS / "ptdaemon-two-analysers.txt").skew_ns == 270_000_000


def test_a_mean_of_one_second_is_told_from_a_reading_at_an_instant() -> None:
    """power.draw averages a second on most chips, power.draw.instant none; a BMC averages a minute."""
    names = ("nvidia-smi-nounits.csv", "nvidia-smi-header.csv", "ipmi.txt")
    assert [read_log(LOGS / name).window_ns for name in names] == [1_000_000_000, 0, 60_000_000_000]


@pytest.mark.parametrize(
    ("zone", "hours"), [("UTC", 0), ("+02:00", 2), ("-05:30", -5.5), ("Europe/Berlin", 1), ("America/New_York", -5)]
)
def test_a_stated_zone_makes_local_time_utc(zone: str, hours: float) -> None:
    """10:00 in Berlin in November is 09:00 UTC."""
    log = read_log(LOGS / "shelly.csv", Columns(zone=zone))
    assert (log.base, log.t_ns[0]) == (TimeBase.UTC, AT_TEN - int(hours * 3600) * 1_000_000_000)


def test_an_hour_that_the_clock_showed_twice_is_refused(tmp_path: Path) -> None:
    """02:30 on the last Sunday of October is two instants in Berlin."""
    log = tmp_path / "shelly.csv"
    log.write_text("timestamp,power\n20261025T02:30:00,100.0\n20261025T02:30:01,100.0\n")
    with pytest.raises(Refused) as refused:
        read_log(log, Columns(zone="Europe/Berlin"))
    assert str(refused.value) == (
        "the clock of this zone showed this time twice or never: found 2026-10-25 02:30:00 Europe/Berlin, "
        "expected the zone as an offset, such as +02:00 (at --zone)"
    )


def test_any_other_table_is_read_when_its_columns_are_named() -> None:
    """--time, --value, --unit."""
    log = read_log(LOGS / "stated.csv", Columns(time="when", value="rail", unit="mW", zone="UTC"))
    assert (log.t_ns[0], log.values[1], log.resolution_ns) == (AT_TEN + 500_000_000, 3001, 100_000_000)


def test_a_counter_of_watt_hours_is_read_as_energy() -> None:
    """One Wh is 3,600,000 mJ."""
    log = read_log(LOGS / "shelly-energy.txt", Columns(value="Wh"))
    assert (log.kind, log.values[0]) == (ReadingKind.COUNTER, 72_000_000)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("ptdaemon-spl.txt", "Watts,120.000000", "Watts,0.000000"),
        ("ptdaemon-two-analysers.txt", "Watts,300.000000", "Watts,0.000000"),
    ],
)
def test_an_analyser_may_read_nothing(name: str, old: str, new: str, tmp_path: Path) -> None:
    """0 W is a reading of what is switched off; only a negative one is a reversed clamp."""
    text = (LOGS / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new))
    assert len(read_log(tmp_path / name).values) == len(read_log(LOGS / name).values)
    (tmp_path / name).write_text(text.replace(old, new.replace("0.000000", "-0.001000")))
    with pytest.raises(Refused, match="an analyser reads negative power"):
        read_log(tmp_path / name)


@pytest.mark.parametrize(("name", "column"), [("powersensor3.txt", "power_total"), ("ptdaemon-spl.txt", "Watts")])
def test_a_log_names_the_column_that_was_read(name: str, column: str) -> None:
    """As the instrument's program calls it."""
    assert read_log(LOGS / name).column == column


def test_a_device_is_named_by_a_column_that_the_log_has() -> None:
    """--only with another one is refused, and the columns are listed."""
    with pytest.raises(Refused) as error:
        read_log(LOGS / "nvidia-smi-two-cards.csv", Columns(only="card=1"))
    assert str(error.value) == (
        "the log has no such column: found card, expected timestamp, index, power.draw [W] (at --only)"
    )


def test_semicolons_between_numbers_with_commas_are_a_table(tmp_path: Path) -> None:
    """As a spreadsheet writes it in Berlin; a comma within a row is then a decimal one."""
    log = tmp_path / "log.csv"
    log.write_text("Zeit;Leistung (W)\n2026-11-21T10:00:00,5Z;101,25\n2026-11-21T10:00:01,5Z;99\n")
    found = read_log(log, Columns(time="Zeit", value="Leistung (W)", unit="W"))
    assert (found.t_ns[0], found.values) == (AT_TEN + 500_000_000, (101_250, 99_000))
