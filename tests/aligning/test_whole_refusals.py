"""The words with which a log, or its place on a run's timebase, is refused, held to kept ones (tests/kept)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import full_run
import runs
from kept import assert_kept
from test_binary_logs import jls, xdf

from ttsartifact.aligning import appending
from ttsartifact.aligning.align import Wanted, align
from ttsartifact.aligning.appending import append, meter_of
from ttsartifact.aligning.parsing import Columns, read_log
from ttsartifact.aligning.power import Method
from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

TABLE = "when,rail (W),index\n2026-11-21T10:00:00Z,5,0\n2026-11-21T10:00:01Z,6,0\n"
PLAIN = Columns(time="when", value="rail (W)", unit="W")
SMI = "timestamp, index, power.draw [W]\n"
ANALYSER = "Time,11-21-2026 10:00:00.000,Watts,5\nTime,11-21-2026 10:00:01.000,Watts,6\n"
COUNTED = "# time,i,v,p\n0.0,1,1,5\n1.0,1,1,6\n"
READ = {
    "empty": ("", None),
    "blank": ("\n \n\n", None),
    "unknown": ("a letter\n" * 9, None),
    "half stated": (TABLE, Columns(time="when", value="rail (W)")),
    "no value stated": (TABLE, Columns(time="when", unit="W")),
    "no unit": (TABLE, dataclasses.replace(PLAIN, unit="hp")),
    "no form": (TABLE, dataclasses.replace(PLAIN, form="stardate")),
    "no zone": (TABLE, dataclasses.replace(PLAIN, zone="Atlantis")),
    "no time": (TABLE, dataclasses.replace(PLAIN, time="then")),
    "no column": (TABLE, dataclasses.replace(PLAIN, value="wall")),
    "no such device": (TABLE, dataclasses.replace(PLAIN, only="uuid=1")),
    "a device that is not there": (TABLE, dataclasses.replace(PLAIN, only="index=7")),
    "a zone that is not needed": (TABLE, dataclasses.replace(PLAIN, zone="UTC")),
    "a count": (COUNTED, Columns(zone="UTC")),
    "devices": (f"{SMI}2026/11/21 10:00:00.0, 0, 5\n2026/11/21 10:00:00.0, 1, 6\n2026/11/21 10:00:01.0, 0, 5\n", None),
    "times of another form": (f"{SMI}yesterday, 0, 5\ntoday, 0, 6\n", None),
    "times of no form": (TABLE.replace("2026-", "AD "), PLAIN),
    "one reading": ("\n".join(TABLE.splitlines()[:2]) + "\n", PLAIN),
    "nothing but a header": (TABLE.splitlines()[0] + "\n", PLAIN),
    "a cut row": (TABLE.rstrip(), PLAIN),
    "back in time": (TABLE.replace(":01Z", ":00Z").replace("10:00:00Z,5", "10:00:05Z,5"), PLAIN),
    "cells": (TABLE.replace("5,0", "N/A,0").replace("6,0", "6 J,0"), PLAIN),
    "an empty cell": (TABLE.replace("5,0", ",0"), PLAIN),
    "a cell in horse powers": (TABLE.replace("5,0", "5 hp,0"), PLAIN),
    "no use of a value": (ANALYSER, Columns(value="Watts")),
    "no use of a unit": (ANALYSER, Columns(unit="W")),
    "no use of a device": (ANALYSER, Columns(only="index=1")),
    "bare with a value": ("1795255200,5\n1795255201,6\n", Columns(value="power")),
    "bare with a device": ("1795255200,5\n1795255201,6\n", Columns(only="index=1")),
    "dead": ("timestamp,socket_power\n1795255200,2.5\n1795255201,2.999\n", None),
    "barely alive": ("timestamp,socket_power\n1795255200,2.5\n1795255201,3.0\n", None),
    "zones": (TABLE.replace("01Z", "01"), PLAIN),
    "no JLS": ("jlsfmt\r\n \n \x1a  \xb2\x1c", None),
    "no XDF": ("XDF:" + "\x00" * 20, None),
}


def seen(read: Callable[[], object]) -> Iterator[str]:
    """Yield the words of a refusal, or of a log its values and what was left out."""
    try:
        made = read()
    except TtsArtifactError as refused:
        yield f"  {refused}"
    else:
        yield f"  {getattr(made, 'values', None)}, left out: {getattr(made, 'left_out', None)}"


def test_a_log_is_refused_as_kept(tmp_path: Path) -> None:
    """Each log that cannot be read, and each option that does not fit it."""
    path, lines = tmp_path / "log", []
    for name, (text, columns) in READ.items():
        path.write_bytes(text.encode("latin-1"))
        lines += [name, *seen(lambda columns=columns: read_log(path, columns))]  # type: ignore[misc]
    binary = {
        "jls with a time": (jls(tmp_path / "a.jls"), Columns(time="when")),
        "jls with a device": (jls(tmp_path / "b.jls"), Columns(only="index=1")),
        "jls of no such column": (jls(tmp_path / "c.jls"), Columns(value="wall")),
        "jls of no unit": (jls(tmp_path / "d.jls", units="hp"), None),
        "xdf of no such column": (xdf(tmp_path / "e.xdf"), Columns(value="wall")),
        "xdf of no unit": (xdf(tmp_path / "f.xdf", unit=""), None),
    }
    for name, (found, columns) in binary.items():
        lines += [name, *seen(lambda found=found, columns=columns: read_log(found, columns))]  # type: ignore[misc]
    assert_kept("align/refused.txt", "\n".join(lines), tmp_path)


def unmeasured(value: dict[str, Any]) -> None:
    """Leave out the times of a run."""
    del value["run"]["times"]


def unread(value: dict[str, Any]) -> None:
    """Leave UTC out of the snapshots of a run."""
    for each in value["timebase"]["snapshots"]:
        each.pop("utc", None)


def test_a_place_on_the_timebase_is_refused_as_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each method what it lacks, and what an artifact does not take."""
    run = runs.minute(tmp_path)
    timeless, lost = (
        open_artifact(full_run.artifact(tmp_path, name=f"{patch.__name__}.tts.wav", patch=patch))
        for patch in (unmeasured, unread)
    )
    spl, own = runs.LOGS / "ptdaemon-spl.txt", runs.LOGS / "powersensor3.txt"
    zoned, local, counted = read_log(spl, Columns(zone="UTC")), read_log(spl), read_log(own)
    manual = Wanted(method=Method.MANUAL, offset_ns=runs.S, bound_ns=runs.S // 2)
    lines = []
    for name, artifact, log, wanted in (
        ("a clock without a zone", run, local, Wanted(method=Method.CLOCK)),
        ("a clock that counts", run, counted, Wanted(method=Method.CLOCK)),
        ("a run without times", timeless, zoned, Wanted()),
        ("a run without UTC", lost, zoned, Wanted(method=Method.CLOCK)),
        ("no markers", run, zoned, Wanted(method=Method.MARKERS)),
        ("markers that are not there", run, counted, Wanted(method=Method.MARKERS, marks=("go", "stop"))),
        ("no offset", run, counted, Wanted(method=Method.MANUAL, bound_ns=1)),
        ("no bound", run, counted, Wanted(method=Method.MANUAL, offset_ns=1)),
    ):
        lines += [name, *seen(lambda artifact=artifact, log=log, wanted=wanted: align(artifact, log, wanted))]  # type: ignore[misc]
    found, out = align(run, counted, manual), tmp_path / "out.tts.wav"
    far = align(run, counted, dataclasses.replace(manual, offset_ns=10_000 * runs.S))
    for name, told, options in (
        ("another log", found, {"raw": b"other"}),
        ("nothing on the timebase", far, {}),
        ("no name", found, {"name": "A b"}),
    ):
        given = {"name": "wall", **options}
        lines += [name, *seen(lambda told=told, given=given: append(run, told, out, **given))]  # type: ignore[misc]
    monkeypatch.setattr(appending, "MOST_LOG_BYTES", own.stat().st_size - 1)
    lines += ["a long log", *seen(lambda: append(run, found, out, name="wall", raw=own.read_bytes()))]
    monkeypatch.setattr(appending, "MOST_LOG_BYTES", own.stat().st_size)
    lines += ["just short enough", *seen(lambda: append(run, found, out, name="wall", raw=own.read_bytes()))]
    lines.append(f"  {open_artifact(out).descriptor.value['traces'][-1]['name']}")
    for fact in ({"maker": "M"}, {"calibrated": "in spring"}, {"point": "moon"}, {"accuracy": "good"}):
        lines += [f"a meter {fact}", *seen(lambda fact=fact: meter_of(fact))]  # type: ignore[misc]
    assert_kept("align/refused-places.txt", "\n".join(lines), tmp_path)


def test_two_analysers_apart_widen_the_bound_by_their_distance(tmp_path: Path) -> None:
    """By what they are apart at most, under its own name."""
    apart = tmp_path / "apart.txt"
    apart.write_text(
        "".join(
            f"Time,11-21-2026 10:0{n // 60}:{n % 60:02}.000,Watts,700,Analyzer1,Time,11-21-2026 10:0{n // 60}:"
            f"{n % 60:02}.000,Watts,{100 + n % 7},Analyzer2,Time,11-21-2026 10:0{n // 60}:{n % 60:02}.250,Watts,600\n"
            for n in range(100)
        )
    )
    found = align(runs.minute(tmp_path), read_log(apart, Columns(zone="UTC")), Wanted(method=Method.CLOCK))
    assert dict(found.mapping.terms)["instruments apart"] == 250_000_000
    assert found.mapping.bound_ns == sum(dict(found.mapping.terms).values())
