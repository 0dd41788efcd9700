"""`ttsa align`, called as people call it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import full_run
import pytest
import runs

from ttsartifact.cli import main
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.finding import Verdict
from ttsartifact.verifying.engine import verify

BY_HAND = (
    "ttsa: a mapping by hand needs its offset and its bound: expected --offset-ms, --bound-ms (at --method manual)"
)
NO_MARKER = (
    "ttsa: the log's markers do not show where the run is: found no marker, expected two markers, or "
    "--marks FIRST,LAST\n"
)
NO_METER = "ttsa: no --meter: the channel is of source other, and backs no claim of power or energy"
NOT_KEPT = "ttsa: the log itself is not kept: it is larger than 24 MiB, or came from standard input"
METER = [
    *("--meter", "model=WT310", "--meter", "serial=C2"),
    *("--meter", "calibrated=2026-01-15T00:00:00Z", "--meter", "point=wall"),
]


@pytest.fixture
def metered(tmp_path: Path) -> list[str]:
    """Return a run of three seconds, and the log of a meter in nanoseconds since 1970; nobody stopped it in time."""
    run = full_run.artifact(tmp_path)
    origin = from_utc(full_run.ORIGIN)
    rows = [f"{origin + n * 50_000_000},{300 + n % 3}.5" for n in range(120)]
    log = tmp_path / "power.csv"
    log.write_text("Timestamp (ns),Power Draw (W)\n" + "\n".join(rows) + "\n")
    return [str(run), "--sensor", str(log)]


def test_it_says_where_the_log_lies_and_how_sure_that_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Position, the terms of the bound, power and energy of the run, and the mean that is not the run's."""
    run = runs.minute(tmp_path)
    assert main(["align", run.where, "--sensor", str(runs.LOGS / "ptdaemon-spl.txt"), "--zone", "UTC"]) == 0
    assert capsys.readouterr().out == (
        "log       ptdaemon, column Watts, 100 readings, every 1.0000 s\n"
        "method    clock, against UTC\n"
        "position  the first reading is at 0.3725 s of the run's timebase, ±1.1019 s\n"
        "          0.0009 s  the run's own distance from UTC\n"
        "          0.4000 s  the log's distance from UTC\n"
        "          0.0010 s  resolution of the log\n"
        "          0.5000 s  half a reading's window\n"
        "          0.2000 s  lag of the meter\n"
        "drift     not resolved, within ±0.004 ppm\n"
        "run       60.0000 s, 60 readings within it\n"
        "power     mean 300.618 W ±3.306 W\n"
        "peak      302.000 W ±0.000 W\n"
        "energy    18037.058 J ±198.342 J\n"
        "          mean of the whole log, which is not the run's: 228.990 W\n"
    )


def test_json_says_the_same_in_integers(metered: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The document is for programs."""
    assert main(["align", *metered, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["log"]["dialect"], said["mapping"]["method"]) == ("epoch-ns", "clock")
    assert said["mapping"]["bound_ns"] == sum(term["ns"] for term in said["mapping"]["terms"])


@pytest.mark.parametrize("named", [True, False])
def test_appended_readings_verify(metered: list[str], tmp_path: Path, *, named: bool) -> None:
    """The new artifact is INTACT, names the old one, and holds readings, mapping and the digest of the log."""
    out = tmp_path / "metered.tts.wav"
    meter = ["model=WT310", "serial=C2", "calibrated=2026-01-15T00:00:00Z", "point=wall"] if named else []
    options = [word for one in meter for word in ("--meter", one)]
    (before,) = verify(metered[0])
    assert main(["align", *metered, "--append", "-o", str(out), "--name", "outlet", *options]) == 0
    artifact, (report,) = open_artifact(out), verify(out)
    assert report.verdict == before.verdict == Verdict.INTACT
    assert [one.rule for one in report.failures] == [one.rule for one in before.failures]
    value = artifact.descriptor.value
    assert value["derived_from"] == {
        "artifact_id": open_artifact(metered[0]).artifact_id,
        "operation": "append_trace",
        "pcm_equal": True,
    }
    channel = value["channels"][-1]
    assert (channel["name"], channel["source"]) == ("outlet", "external_meter" if named else "other")
    trace = artifact.trace("channel/outlet")
    assert trace is not None
    assert trace.columns["t_ns"][-1] <= value["timebase"]["snapshots"][1]["t_ns"]
    mapping = channel["mapping"]
    log_ns = from_utc(full_run.ORIGIN) + 50_000_000
    drift = mapping["drift_ppb"] * (log_ns - int(mapping["anchor"]["log_ns"])) // 1_000_000_000
    assert trace.columns["t_ns"][1] == log_ns + mapping["anchor"]["t_ns"] - int(mapping["anchor"]["log_ns"]) + drift
    raw = Path(metered[metered.index("--sensor") + 1]).read_bytes()
    log = artifact.trace("log/outlet")
    assert log is not None
    assert b"".join(map(base64.b64decode, log.columns["bytes"])) == raw
    without = tmp_path / "without.tts.wav"
    words = ["align", *metered, "--append", "--no-keep-log", "-o", str(without), "--name", "outlet", *options]
    assert main(words) == 0
    assert open_artifact(without).trace("log/outlet") is None


def test_a_log_of_another_hour_is_not_carried(
    metered: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A channel without a reading would say nothing."""
    words = ["--method", "manual", "--offset-ms", "3600000", "--bound-ms", "1"]
    assert main(["align", *metered, *words, "--append", "-o", str(tmp_path / "a.tts.wav")]) == 4
    assert capsys.readouterr().err == (
        "ttsa: no reading of the log lies on the run's timebase: found 3600.000 to 3605.950 s, expected 0.000 to "
        "4.200 s\n"
    )


def test_a_meter_is_named_whole_or_not_at_all(
    metered: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a name is no witness."""
    metered = [*metered, "--append", "-o", str(tmp_path / "a.tts.wav")]
    assert main(["align", *metered, "--meter", "model=WT310"]) == 2
    assert capsys.readouterr().err == (
        "ttsa: the description of the meter is incomplete: found no serial, no calibrated, no point, "
        "expected model, serial, calibrated, point (at --meter)\n"
    )
    named = ["model=WT310", "serial=C2", "calibrated=2026-01-15T00:00:00Z", "point=roof"]
    assert main(["align", *metered, *(word for one in named for word in ("--meter", one))]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ttsa: unknown place of measurement: found roof, expected ")
    assert said.endswith(" (at --meter point)\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--append", "--append needs --out"),
        ("-o out.tts.wav", "--out needs --append"),
        ("--drift", "--drift needs --method load-fit, not clock"),
        ("--sync-ms 3 --method=manual --offset-ms=0 --bound-ms=1", "--sync-ms needs --method clock, not manual"),
        (
            "--lag-ms 3 --method=manual --offset-ms=0 --bound-ms=1",
            "--lag-ms needs --method clock or load-fit or markers, not manual",
        ),
    ],
)
def test_what_would_be_ignored_is_refused(
    words: str, said: str, metered: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Which method it is may follow from the log; what it does not use is refused, and nothing is printed."""
    assert main(["align", *metered, *words.split()]) == 2
    assert capsys.readouterr() == ("", f"ttsa: usage: {said} (`ttsa align --help` for details)\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--zone Mars", "unknown time zone: found Mars, expected UTC, +02:00, or a name as Europe/Berlin (at --zone)"),
        ("--method markers --marks a", "usage: --marks a: expected two names with a comma between them"),
        ("--append -o x --meter colour=red", "unknown property of a meter: found colour, expected make, model, "),
        (
            "--append -o x --meter model=a --meter serial=1 --meter point=wall --meter calibrated=today",
            "not an RFC 3339 instant in UTC: found today, expected YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ (at --meter calibr",
        ),
    ],
)
def test_the_words_of_a_call_are_checked_before_its_files(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the run nor the log is there; what was typed is told first."""
    assert main(["align", "absent.tts.wav", "--sensor", "absent.csv", *words.split()]) == 2
    assert capsys.readouterr().err.startswith(f"ttsa: {said}")


def test_the_picture_is_a_png(metered: list[str], tmp_path: Path) -> None:
    """--plot writes it whole."""
    out = tmp_path / "plot.png"
    assert main(["align", *metered, "--plot", str(out)]) == 0
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"method": "clock", "the log's distance from UTC": 400_000_000, "lag of the meter": 200_000_000}),
        (
            ["--sync-ms", "1.5", "--lag-ms", "0.25"],
            {"method": "clock", "the log's distance from UTC": 1_500_000, "lag of the meter": 250_000},
        ),
        (["--sync-ms", "0", "--lag-ms", "0"], {"the log's distance from UTC": None, "lag of the meter": None}),
        (
            ["--method", "manual", "--offset-ms", "-12.5", "--bound-ms", "3"],
            {"method": "manual", "as stated": 3_000_000, "first": -12_500_000},
        ),
    ],
)
def test_what_is_assumed_or_stated_is_in_the_bound(
    metered: list[str], capsys: pytest.CaptureFixture[str], words: list[str], expected: dict[str, object]
) -> None:
    """Milliseconds of the options are nanoseconds of the document; a term of 0 is not listed."""
    assert main(["align", *metered, *words, "--format", "json"]) == 0
    mapping = json.loads(capsys.readouterr().out)["mapping"]
    terms = {term["of"]: term["ns"] for term in mapping["terms"]}
    first = mapping["offset_ns"] + from_utc(full_run.ORIGIN)
    said = terms | {"method": mapping["method"], "first": first}
    assert {name: said.get(name) for name in expected} == expected
    assert mapping["drift_error_ppb"] is None or mapping["method"] == "clock"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["--method", "markers", "--marks", "a"],
            2,
            "ttsa: usage: --marks a: expected two names with a comma between them (`",
        ),
        (
            ["--method", "markers", "--marks", "a,b,c"],
            2,
            "ttsa: usage: --marks a,b,c: expected two names with a comma between them (`",
        ),
        (
            ["--append", "-o", "x", "--meter", "model"],
            2,
            "ttsa: usage: --meter model: expected NAME=VALUE, NAME one of make, model, serial, c",
        ),
        (
            ["--append", "-o", "x", "--meter", "model="],
            2,
            "ttsa: usage: --meter model=: expected NAME=VALUE, NAME one of make, model, serial, c",
        ),
        (
            ["--append", "--out", "-", "--plot", "-"],
            2,
            "ttsa: usage: --plot and --out: standard output is one stream; give - once (`",
        ),
        (
            ["--method", "manual", "--offset-ms", "1"],
            2,
            BY_HAND,
        ),
        (
            ["--method", "manual", "--bound-ms", "1"],
            2,
            BY_HAND,
        ),
        (
            ["--method", "markers"],
            4,
            NO_MARKER,
        ),
    ],
)
def test_a_call_without_a_sound_meaning_is_refused(
    metered: list[str], capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    """What was typed, and what would have had a meaning."""
    assert main(["align", *metered, *words]) == code
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    ("words", "piped", "kept", "notes"),
    [
        ([], False, True, [NO_METER]),
        ([], True, False, [NOT_KEPT, NO_METER]),
        (["--no-keep-log"], False, False, [NO_METER]),
        (METER, False, True, []),
    ],
)
def test_what_is_kept_of_a_log_is_said(
    metered: list[str], tmp_path: Path, words: list[str], *, piped: bool, kept: bool, notes: list[str]
) -> None:
    """A log from standard input was read once and is gone."""
    out, log = tmp_path / "out.tts.wav", Path(metered[2])
    call = ["align", metered[0], "--sensor", "-" if piped else str(log), "--append", "-o", str(out), *words]
    done = subprocess.run(
        [sys.executable, "-m", "ttsartifact", *call], input=log.read_bytes(), capture_output=True, check=True
    )
    artifact = open_artifact(out)
    assert (artifact.trace("log/meter") is not None) is kept
    assert sorted(done.stderr.decode().splitlines()) == sorted([*notes, f"ttsa: {out}: {artifact.artifact_id}"])
