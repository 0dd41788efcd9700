"""Logs as they are read, and what is said of them on a run's timebase, held to kept outputs (tests/kept)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import runs
from kept import assert_kept, document_lines

from ttsartifact.aligning import power
from ttsartifact.aligning.align import Wanted, align
from ttsartifact.aligning.appending import append, meter_of
from ttsartifact.aligning.parsing import Columns, read_log
from ttsartifact.errors import Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.alignment import alignment_document, alignment_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ttsartifact.aligning.log import SensorLog

S, LOGS = runs.S, runs.LOGS
STATED = {
    "stated.csv": Columns(time="when", value="rail", unit="mW"),
    "nvidia-smi-two-cards.csv": Columns(only="index=1"),
}


def told(read: SensorLog) -> Iterator[str]:
    """Yield every fact of a log, of many readings the first and the last three."""
    for key, value in dataclasses.asdict(read).items():
        many = isinstance(value, tuple) and len(value) > 6
        yield f"  {key}: {f'{len(value)}: {value[:3]} ... {value[-3:]}' if many else value!r}"
    yield f"  period_ns: {read.period_ns}, averaged_ns: {read.averaged_ns}"


def test_each_log_is_read_as_kept() -> None:
    """Every fact of it, or the words with which it is refused."""
    lines = []
    for path in sorted(LOGS.iterdir()):
        lines.append(path.name)
        try:
            lines += told(read_log(path, STATED.get(path.name)))
        except Refused as refused:
            lines.append(f"  {refused}".replace(f"{LOGS}/", ""))
    assert_kept("align/logs.txt", "\n".join(lines))


WANTED = {
    "clock": ("ptdaemon-spl.txt", Columns(zone="UTC"), Wanted()),
    "load": ("ptdaemon-spl.txt", None, Wanted()),
    "markers": ("powersensor3.txt", None, Wanted(method=power.Method.MARKERS)),
    "manual": ("powersensor3.txt", None, Wanted(method=power.Method.MANUAL, offset_ns=S, bound_ns=S // 2)),
    "nowhere": ("powersensor3.txt", None, Wanted(method=power.Method.MANUAL, offset_ns=S, bound_ns=90 * S)),
}


@pytest.mark.parametrize("name", WANTED)
def test_an_alignment_is_told_as_kept(name: str, tmp_path: Path) -> None:
    """In words, for machines, and as the channel that it becomes."""
    file, columns, wanted = WANTED[name]
    run = runs.minute(tmp_path)
    found = align(run, read_log(LOGS / file, columns), wanted)
    meter = meter_of({"make": "M", "model": "W", "serial": "1", "calibrated": "2026-01-01T00:00:00Z", "point": "wall"})
    out = tmp_path / "out.tts.wav"
    append(run, found, out, name="wall", meter=meter if name != "load" else None)
    appended = open_artifact(out)
    (channel,) = appended.descriptor.value["channels"]
    trace = appended.trace("channel/wall")
    assert trace is not None
    rows = [list(row) for row in zip(*trace.columns.values(), strict=True)]
    lines = [*alignment_lines(found), "", *document_lines(alignment_document(found)), "", *document_lines(channel)]
    assert_kept(f"align/{name}.txt", "\n".join([*lines, f"{list(trace.columns)}: {rows[:2]} ... {rows[-2:]}"]))
