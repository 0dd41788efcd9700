"""Logs that are not text: a Joulescope's JLS and an XDF of the Lab Streaming Layer, as their tools write them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ttsartifact.aligning.log import TimeBase
from ttsartifact.aligning.parsing import Columns, read_log
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path


def jls(path: Path, *, rate: int = 10_000, utc: bool = True, units: str = "W") -> Path:
    """Write two seconds of 1 W and then 3 W, and a current beside them."""
    pyjls = pytest.importorskip("pyjls", reason="pyjls of the extra meters is not installed")
    with pyjls.Writer(str(path)) as log:
        log.source_def(source_id=1, name="js220", vendor="Jetperch", model="JS220", version="1", serial_number="2")
        for number, name, unit in ((1, "current", "A"), (2, "power", units)):
            log.signal_def(
                signal_id=number, source_id=1, signal_type=pyjls.SignalType.FSR, data_type=pyjls.DataType.F32,
                sample_rate=rate, name=name, units=unit,
            )  # fmt: skip
            samples = np.concatenate([np.full(rate, 1.0, np.float32), np.full(rate, 3.0, np.float32)])
            log.fsr(number, 0, samples)
            if utc:
                start = pyjls.utc_to_jls(1_800_000_000.0)
                log.utc(number, 0, start)
                log.utc(number, 2 * rate, start + (2 << 30))
    return path


def chunk(tag: int, content: bytes) -> bytes:
    """Return one chunk of XDF: length of the length, length, tag, content."""
    return struct.pack("<BIH", 4, 2 + len(content), tag) + content


def xdf(path: Path, *, unit: str = "W", late_s: float = 0.0) -> Path:
    """Write a stream of voltage and power ten times a second, every other reading late, and one of markers."""
    described = "".join(
        f"<channel><label>{label}</label><unit>{unit}</unit></channel>"
        for label, unit in (("voltage", "V"), ("power", unit))
    )
    meter = (
        "<?xml version='1.0'?><info><name>PSU</name><type>Power</type><channel_count>2</channel_count>"
        "<nominal_srate>10</nominal_srate><channel_format>float32</channel_format>"
        f"<desc><channels>{described}</channels></desc></info>"
    )
    marks = (
        "<?xml version='1.0'?><info><name>marks</name><type>Markers</type><channel_count>1</channel_count>"
        "<nominal_srate>0</nominal_srate><channel_format>string</channel_format></info>"
    )
    rows = b"".join(struct.pack("<Bd2f", 8, 100 + n / 10 + n % 2 * late_s, 12.0, 5.0 + n) for n in range(10))
    spoken = b"".join(
        struct.pack("<BdBB", 8, t, 1, len(word)) + word for t, word in ((100.2, b"begin"), (100.7, b"end"))
    )
    footer = "<?xml version='1.0'?><info><first_timestamp>100</first_timestamp></info>"
    path.write_bytes(
        b"XDF:"
        + chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")
        + chunk(2, struct.pack("<I", 1) + meter.encode())
        + chunk(2, struct.pack("<I", 2) + marks.encode())
        + chunk(3, struct.pack("<IBB", 1, 1, 10) + rows)
        + chunk(3, struct.pack("<IBB", 2, 1, 2) + spoken)
        + chunk(6, struct.pack("<I", 1) + footer.encode())
        + chunk(6, struct.pack("<I", 2) + footer.encode())
    )
    return path


def test_a_joulescope_writes_means_of_a_millisecond(tmp_path: Path) -> None:
    """The power by its unit, in UTC where the file maps samples to it, each reading at the end of its window."""
    log = read_log(jls(tmp_path / "a.jls"))
    assert (log.dialect, log.base, log.column, log.window_ns) == ("joulescope-jls", TimeBase.UTC, "power", 1_000_000)
    assert (len(log.values), log.values[0], log.values[-1]) == (2000, 1000, 3000)
    assert log.t_ns[0] == pytest.approx(1_800_000_000_001_000_000, abs=1000)
    assert log.t_ns[-1] - log.t_ns[0] == pytest.approx(1_999_000_000, abs=1000)
    without = read_log(jls(tmp_path / "b.jls", utc=False))
    assert (without.base, without.t_ns[0]) == (TimeBase.START, 1_000_000)
    slow = read_log(jls(tmp_path / "c.jls", rate=100))
    assert (slow.window_ns, len(slow.values)) == (10_000_000, 200)


def test_a_stream_of_the_lab_layer_has_its_markers(tmp_path: Path) -> None:
    """The channel in watts, on the clock of the layer, and the markers for `--method markers`."""
    pytest.importorskip("pyxdf", reason="pyxdf of the extra meters is not installed")
    log = read_log(xdf(tmp_path / "a.xdf"))
    assert (log.dialect, log.base, log.column) == ("xdf", TimeBase.START, "PSU/power")
    assert log.values == tuple(5000 + 1000 * n for n in range(10))
    assert [round(t / 1e6) for t in log.t_ns] == [100_000 + 100 * n for n in range(10)]
    assert [(mark.name, round(mark.t_ns / 1e6)) for mark in log.markers] == [("begin", 100_200), ("end", 100_700)]
    stated = read_log(xdf(tmp_path / "b.xdf", unit="x"), Columns(value="power", unit="mW"))
    assert stated.values[:2] == (5, 6)


def test_times_of_the_lab_layer_are_those_that_were_sent(tmp_path: Path) -> None:
    """No straight line through them: a reading that was 20 ms late is 20 ms late."""
    pytest.importorskip("pyxdf", reason="pyxdf of the extra meters is not installed")
    log = read_log(xdf(tmp_path / "a.xdf", late_s=0.02))
    assert [round(t / 1e6) for t in log.t_ns] == [100_000 + 100 * n + n % 2 * 20 for n in range(10)]


def test_what_cannot_be_chosen_or_read_is_said(tmp_path: Path) -> None:
    """No unit of power, a damaged file, a file that only begins as one."""
    pytest.importorskip("pyxdf", reason="pyxdf of the extra meters is not installed")
    with pytest.raises(Refused) as error:
        read_log(xdf(tmp_path / "a.xdf", unit="x"))
    assert "no one column of the log can be chosen: found PSU/voltage (V), PSU/power (x)" in str(error.value)
    with pytest.raises(Refused, match=r"found current \(A\), power \(V\)"):
        read_log(jls(tmp_path / "a.jls", units="V"))
    for name, data in (("cut.xdf", b"XDF:" + b"\x04\xff\xff\xff\x7f\x03\x00"), ("cut.jls", b"jlsfmt\r\n" + bytes(40))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(Refused):
            read_log(tmp_path / name)


def test_readings_that_are_no_numbers_are_left_out_by_their_place(tmp_path: Path) -> None:
    """Counted from 1, as in a log of lines; the others keep their times."""
    pytest.importorskip("pyxdf", reason="pyxdf of the extra meters is not installed")
    whole, path = read_log(xdf(tmp_path / "a.xdf")), xdf(tmp_path / "b.xdf")
    data = path.read_bytes()
    for watts, wrong in ((5.0, float("nan")), (7.0, float("inf"))):
        assert data.count(struct.pack("<2f", 12.0, watts)) == 1
        data = data.replace(struct.pack("<2f", 12.0, watts), struct.pack("<2f", 12.0, wrong))
    path.write_bytes(data)
    log = read_log(path)
    assert log.left_out == ("reading 1: no number", "reading 3: no number")
    assert log.values == (6000, *range(8000, 15_000, 1000))
    assert log.t_ns == (whole.t_ns[1], *whole.t_ns[3:])
