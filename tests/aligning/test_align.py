"""A log is put where it belongs, within the bound that is printed, or it is refused."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import kit
import pytest
import runs

from ttsartifact.aligning.align import Wanted, align
from ttsartifact.aligning.parsing import Columns, read_log
from ttsartifact.aligning.power import Assumed, Method
from ttsartifact.errors import Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.alignment import alignment_document, alignment_lines

if TYPE_CHECKING:
    from pathlib import Path

    from ttsartifact.reading.artifact import Artifact

S, LOGS = runs.S, runs.LOGS


def test_a_log_in_utc_is_put_by_the_snapshots(tmp_path: Path) -> None:
    """A reading of 10:00:00.496 lies 0.373 s after an origin of 10:00:00.123; the bound is the sum of its terms."""
    found = align(runs.minute(tmp_path), read_log(LOGS / "ptdaemon-spl.txt", Columns(zone="UTC")))
    mapping = found.mapping
    assert mapping.to_run_ns(found.log.t_ns[0]) == 372_543_211
    assert mapping.bound_ns == sum(ns for _, ns in mapping.terms)
    assert dict(mapping.terms) == {
        "the run's own distance from UTC": 900_156,
        "the log's distance from UTC": 400_000_000,
        "resolution of the log": 1_000_000,
        "half a reading's window": 500_000_000,
        "lag of the meter": 200_000_000,
    }


def test_a_zone_is_never_guessed(tmp_path: Path) -> None:
    """PTDaemon wrote local time before version 1.1 and UTC since."""
    with pytest.raises(Refused) as refused:
        align(runs.minute(tmp_path), read_log(LOGS / "ptdaemon-spl.txt"), Wanted(method=Method.CLOCK))
    assert str(refused.value) == (
        "the log's times name no zone, and a zone is never guessed: found a log of form ptdaemon, expected "
        "--zone UTC, --zone +02:00 or a name as Europe/Berlin, or --method load-fit"
    )


def test_a_log_that_counts_from_its_start_has_no_clock(tmp_path: Path) -> None:
    """PowerSensor3 writes seconds since it was started."""
    with pytest.raises(Refused) as refused:
        align(runs.minute(tmp_path), read_log(LOGS / "powersensor3.txt"), Wanted(method=Method.CLOCK))
    assert str(refused.value) == ("the log counts from its own start: expected --method load-fit, or markers")


def test_a_naive_mean_of_a_whole_benchmark_is_not_the_runs(tmp_path: Path) -> None:
    """Start-up and evaluation in the file turn 720 W into 434 W; the window of the run does not."""
    found = align(runs.minute(tmp_path), read_log(LOGS / "inferencex-gpu_metrics.csv", Columns(zone="UTC")))
    figures = found.figures
    assert figures.mean_mw is not None
    assert figures.mean_error_mw is not None
    assert figures.naive_mean_mw == 434_000
    assert abs(figures.mean_mw - 722_500) <= max(figures.mean_error_mw, 500)


def test_markers_at_begin_and_end_place_a_log_without_an_epoch(tmp_path: Path) -> None:
    """B before the sample after 20 s, E before the one after 80 s; the log's clock is the run's here."""
    found = align(runs.minute(tmp_path), read_log(LOGS / "powersensor3.txt"), Wanted(method=Method.MARKERS))
    assert abs(found.mapping.to_run_ns(0)) <= found.mapping.bound_ns
    assert found.mapping.against == "B, E"


def test_the_mark_of_a_phase_is_a_pair_of_markers(tmp_path: Path) -> None:
    """PTDaemon repeats the name of the phase on every line."""
    wanted = Wanted(method=Method.MARKERS, marks=("testing-workload", "testing-workload"))
    found = align(runs.minute(tmp_path), read_log(LOGS / "ptdaemon-spl.txt"), wanted)
    truth = 372_543_211
    assert abs(found.mapping.to_run_ns(found.log.t_ns[0]) - truth) <= found.mapping.bound_ns


@pytest.mark.parametrize(
    ("marks", "expected"),
    [(("idle", "load"), "load"), (("a", "b"), "a, b"), (None, "two markers, or --marks FIRST,LAST")],
)
def test_a_mark_that_the_log_lacks_is_named(marks: tuple[str, str] | None, expected: str, tmp_path: Path) -> None:
    """Who gave --marks is not told to give it: the names that are not there are what is asked for."""
    with pytest.raises(Refused) as refused:
        wanted = Wanted(method=Method.MARKERS, marks=marks)
        align(runs.minute(tmp_path), read_log(LOGS / "ptdaemon-spl.txt"), wanted)
    assert (refused.value.found, refused.value.expected) == ("idle, testing-workload", expected)


def test_markers_that_are_as_far_apart_as_the_run_was_not_are_refused(tmp_path: Path) -> None:
    """An idle phase of 20 s is not a run of 60 s."""
    wanted = Wanted(method=Method.MARKERS, marks=("idle", "testing-workload"))
    with pytest.raises(Refused) as refused:
        align(runs.minute(tmp_path), read_log(LOGS / "ptdaemon-spl.txt"), wanted)
    assert refused.value.message == "the markers are not as far apart as begin and end of the run"


def test_a_log_is_put_by_hand_within_the_stated_bound(tmp_path: Path) -> None:
    """The user's word is kept as the user's word."""
    log = read_log(LOGS / "powersensor3.txt")
    found = align(runs.minute(tmp_path), log, Wanted(method=Method.MANUAL, offset_ns=S, bound_ns=S // 2))
    assert (found.mapping.to_run_ns(0), found.mapping.bound_ns, found.mapping.against) == (S, S // 2, "the user's word")


@pytest.mark.parametrize(
    ("bound_s", "why"),
    [
        (18.5, ""),
        (25, "the log may lie 25.000 s from here, and ends only 19.000 s after the run: it may not cover it"),
        (60, "the log may lie 60.000 s from here, and the run took 60.000 s: it may be of another time"),
        (3_600, "the log may lie 3600.000 s from here, and the run took 60.000 s: it may be of another time"),
    ],
)
def test_a_bound_that_swallows_the_run_leaves_no_figure(tmp_path: Path, bound_s: float, why: str) -> None:
    """A log that may be of another time says nothing of the run's power, peak and energy."""
    log = read_log(LOGS / "powersensor3.txt")
    found = align(runs.minute(tmp_path), log, Wanted(method=Method.MANUAL, offset_ns=0, bound_ns=round(bound_s * S)))
    figures = found.figures
    assert (figures.why, figures.covered) == (why, True)
    said = (figures.mean_mw, figures.mean_error_mw, figures.peak_mw, figures.peak_error_mw, figures.energy_mj)
    assert all(each is None for each in said) == bool(why)
    assert any(line == f"power     none: {why}" for line in alignment_lines(found)) == bool(why)


@pytest.mark.parametrize(("offset_s", "covered"), [(0, True), (-30, False), (30, False)])
def test_a_log_covers_a_run_that_it_encloses(tmp_path: Path, offset_s: int, covered: bool) -> None:
    """One that begins within the run, or ends within it, does not."""
    log = read_log(LOGS / "powersensor3.txt")
    found = align(runs.minute(tmp_path), log, Wanted(method=Method.MANUAL, offset_ns=offset_s * S, bound_ns=S))
    assert found.figures.covered is covered


def test_an_error_as_great_as_the_figure_leaves_none(tmp_path: Path) -> None:
    """Half a run of rest within the bound: the mean of 12 W may as well be one of 260 W."""
    rows = [f"{n},0,12,{4 if 20 <= n < 80 else 1_000}" for n in range(101)]
    (tmp_path / "m.csv").write_text("\n".join(["time,i,v,p", *rows]) + "\n")
    wanted = Wanted(method=Method.MANUAL, offset_ns=0, bound_ns=15 * S)
    figures = align(runs.minute(tmp_path), read_log(tmp_path / "m.csv"), wanted).figures
    assert figures.why == "within the bound the mean of 12.300 W moves by 249.000 W"
    assert figures.mean_mw is None


BY_HAND = "--method manual --offset-ms MS --bound-ms MS"
NO_OTHER = f"          no other method gives figures, unless you know the position: {BY_HAND}"


@pytest.mark.parametrize(
    ("log", "zone", "methods", "words"),
    [
        ("ptdaemon-spl.txt", "+01:00", ["load-fit"], "          --method load-fit gives figures"),
        (
            "powersensor3.txt",
            None,
            ["load-fit", "markers"],
            "          --method load-fit or --method markers gives figures",
        ),
        ("inferencex-gpu_metrics.csv", "+01:00", [], NO_OTHER),
    ],
)
def test_a_log_that_gives_no_figures_names_the_methods_that_do(
    tmp_path: Path, log: str, zone: str | None, methods: list[str], words: str
) -> None:
    """A wrong zone, a bound of an hour: what the same log gives by another method is tried, and nothing else named."""
    wanted = Wanted() if zone else Wanted(method=Method.MANUAL, offset_ns=0, bound_ns=3600 * S)
    found = align(runs.minute(tmp_path), read_log(LOGS / log, Columns(zone=zone)), wanted)
    lines = list(alignment_lines(found))
    assert lines[[line[:16] for line in lines].index("power     none: ") + 1] == words
    assert alignment_document(found)["figures"]["answering_methods"] == methods
    again = [align(runs.minute(tmp_path), found.log, Wanted(method=Method(each))) for each in methods]
    assert all(each.figures.mean_mw is not None and not each.answering for each in again)


@pytest.mark.parametrize("ppm", [0, 400])
def test_a_fitted_drift_has_its_limit(tmp_path: Path, ppm: int) -> None:
    """Those drifts that noise does not distinguish from the best lie within the error; below it none is resolved."""
    rows = shifted(tmp_path, 1.2345, noise_w=0.5).read_text().splitlines()
    cells = [row.split(",") for row in rows[1:]]
    moved = [",".join([f"{float(t) * (1 - ppm / 1e6):.5f}", *rest]) for t, *rest in cells]
    (tmp_path / "m.csv").write_text("\n".join([rows[0], *moved]) + "\n")
    wanted = Wanted(assumed=Assumed(lag_ns=0), drift=True)
    found = align(runs.minute(tmp_path, telemetry=True), read_log(tmp_path / "m.csv"), wanted)
    mapping = found.mapping
    assert mapping.drift_error_ppb is not None
    assert abs(mapping.drift_ppb - ppm * 1000) <= mapping.drift_error_ppb
    (line,) = [line for line in alignment_lines(found) if line.startswith("drift")]
    assert ("not resolved, within ±" in line) == (abs(mapping.drift_ppb) <= mapping.drift_error_ppb)
    assert not ppm or "not resolved" not in line, line


def shifted(folder: Path, shift_s: float, *, noise_w: float = 2.0, watts: list[int] | None = None) -> Path:
    """Write the run's own power as a meter saw it at 1 Hz: means of a second, late by `shift_s`, with noise."""
    watts = watts or runs.own_power().columns["power_mw"]
    drawn = random.Random(7)  # a meter
    lines = ["time,i,v,p"]
    for second in range(1, 100):
        seen = [watts[second * 10 + n] / 1000 for n in range(-5, 5)]
        lines.append(f"{second + shift_s:.4f},0,12,{sum(seen) / 10 + 90 + drawn.gauss(0, noise_w):.3f}")
    path = folder / "meter.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_runs_own_power_shifted_and_resampled_is_found(tmp_path: Path) -> None:
    """1.2345 s, resampled to 1 Hz with noise: found within the bound, and much nearer than that."""
    log = read_log(shifted(tmp_path, 1.2345))
    found = align(runs.minute(tmp_path, telemetry=True), log, Wanted(assumed=Assumed(lag_ns=0)))
    error = abs(found.mapping.to_run_ns(0) + 1_234_500_000)
    assert error <= found.mapping.bound_ns
    assert error < S // 5
    assert found.mapping.against == "power_mw"
    assert found.mapping.ambiguity is not None
    assert found.mapping.ambiguity < 0.9


@pytest.mark.parametrize("chip_s", [1.0, 0.5])
def test_a_steady_run_is_found_by_the_code_around_it(tmp_path: Path, chip_s: float) -> None:
    """A wall meter at the chips' pace sees 8 W more in each: found within the bound, whatever the run does between."""
    artifact = runs.between_bursts(tmp_path, chip_s)
    log = read_log(runs.wall_meter(tmp_path, artifact, late_s=3.21, every_s=chip_s))
    found = align(artifact, log, Wanted(assumed=Assumed(lag_ns=0)))
    error = abs(found.mapping.to_run_ns(0) + 3_210_000_000)
    assert found.mapping.against == "sync_burst"
    assert error <= found.mapping.bound_ns <= 1.5 * chip_s * S
    assert error < chip_s * S / 5
    assert found.load.gaps_ns == ((found.load.t_ns[15], found.load.t_ns[16]),)


def test_a_meter_that_does_not_see_the_code_is_aligned_by_the_runs_own_load(tmp_path: Path) -> None:
    """A GPU's rail knows nothing of a load of the CPU."""
    artifact = runs.between_bursts(tmp_path, 1.0, telemetry=True)
    found = align(artifact, read_log(shifted(tmp_path, 1.2345)), Wanted(assumed=Assumed(lag_ns=0)))
    assert found.mapping.against == "power_mw"
    assert abs(found.mapping.to_run_ns(0) + 1_234_500_000) <= found.mapping.bound_ns


def test_a_run_that_knows_only_its_times_is_found_by_them(tmp_path: Path) -> None:
    """One block of load from t_submit to t_last_token."""
    found = align(runs.minute(tmp_path), read_log(LOGS / "ptdaemon-spl.txt"))
    truth = 372_543_211
    assert found.mapping.method is Method.LOAD_FIT
    assert abs(found.mapping.to_run_ns(found.log.t_ns[0]) - truth) <= found.mapping.bound_ns


def test_a_load_that_repeats_itself_is_refused_as_ambiguous(tmp_path: Path) -> None:
    """A meter's log of ten equal cycles fits at every cycle but the ends."""
    drawn = random.Random(3)
    lines = ["time,i,v,p"] + [f"{t},0,12,{(310 if t % 20 >= 10 else 60) + drawn.gauss(0, 2):.3f}" for t in range(400)]
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(Refused) as refused:
        align(_cycles(tmp_path), read_log(tmp_path / "m.csv"))
    assert refused.value.message == "the log matches the load of the run in several places"


def _cycles(folder: Path) -> Artifact:
    """Return a run whose own power repeats every 20 s."""
    trace = runs.own_power()
    trace.columns["power_mw"][:] = [310_000 if (n // 100) % 2 else 60_000 for n in range(1001)]
    return open_artifact(kit.artifact(folder, run=kit.draft(traces=(kit.chunk_log(), trace))))


def test_a_log_of_another_load_is_refused(tmp_path: Path) -> None:
    """Noise follows nothing."""
    drawn = random.Random(5)
    lines = ["time,i,v,p"] + [f"{t},0,12,{200 + drawn.gauss(0, 5):.3f}" for t in range(110)]
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(Refused) as refused:
        align(runs.minute(tmp_path, telemetry=True), read_log(tmp_path / "m.csv"))
    assert refused.value.message in {
        "the log does not follow the load of the run",
        "the log matches the load of the run in several places",
    }


@pytest.mark.parametrize(
    ("left_out", "said"), [(3, ["row 0", "row 1", "row 2"]), (5, ["row 0", "row 1", "row 2", "2 more rows"])]
)
def test_three_rows_that_were_left_out_are_shown_and_the_others_counted(
    tmp_path: Path, left_out: int, said: list[str]
) -> None:
    """None of them is left out in silence."""
    found = align(runs.minute(tmp_path), read_log(LOGS / "ptdaemon-spl.txt", Columns(zone="UTC")))
    log = replace(found.log, left_out=tuple(f"row {number}" for number in range(left_out)))
    lines = list(alignment_lines(replace(found, log=log)))
    assert [line.split(": ")[1] for line in lines if line.startswith("          skipped: ")] == said
