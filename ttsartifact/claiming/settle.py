"""Claims and sessions on files: each run is opened, verified and measured once."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from ttsartifact.claiming.claim import load_claim
from ttsartifact.claiming.evaluate import evaluate
from ttsartifact.claiming.obstacles import shown_of
from ttsartifact.claiming.session import DEFAULT_METRICS, session_of
from ttsartifact.measuring.measure import load_measurements, measure, measure_stretches
from ttsartifact.measuring.metrics import metric_named
from ttsartifact.reading.artifact import open_artifact, open_artifacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ttsartifact.claiming.evaluate import Evaluation
    from ttsartifact.claiming.obstacles import ClaimedRun
    from ttsartifact.claiming.session import Session
    from ttsartifact.measuring.metrics import Measured
    from ttsartifact.reading.artifact import Artifact


def check_claim(
    claim: Path | str,
    runs: Iterable[Path | str],
    *,
    measurements: Iterable[Path | str] = (),
    exploratory: bool = False,
    log: Path | str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Settle a claim on runs (clause 10.9).

    Args:
        claim: The claim, as TOML.
        runs: Artifacts of any carrier, data sets among them.
        measurements: Documents of other tools, such as word error rates and phones (`measurements.schema.json`).
        exploratory: Whether runs count that do not state the claim.
        log: The folder of a run log; each run that it holds behind the claim must be shown.
        on_progress: Is called with how many runs are measured, and of how many.

    Returns:
        The answer, why a claim is not decidable, and every figure behind it; `to_value()` is the JSON form.

    Raises:
        Refused: The claim or a document is of another shape, or the log does not hold the claim.
        NotAnArtifact: A file is not a run.
        Damaged: A file or the log is cut, or its audio cannot be decoded.
        Unavailable: A library of the extra `analysis` is missing.

    Example:
        `check_claim("claim.toml", ["a.tts.wav", "b.tts.wav"]).answer`
    """
    wanted = load_claim(claim)
    others = load_measurements(measurements)
    places = _places_of(runs)
    opened = _opener(places, on_progress)
    tools = {each.metric.name: each.tool for each in wanted.expectations if each.tool is not None}

    def measured(run: ClaimedRun, names: Sequence[str]) -> Measured:
        return measure(opened(run), names, others.of_tools(tools), factor=wanted.by)

    logged = () if log is None else _logged(log, wanted.digest)
    return evaluate(wanted, [run for run, _ in places], measured, exploratory=exploratory, logged=logged)


def session_over(
    runs: Iterable[Path | str],
    names: Sequence[str] = DEFAULT_METRICS,
    *,
    stretches: bool = False,
    measurements: Iterable[Path | str] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> Session:
    """Measure the runs of a session, and say where they change and what else changed there (clause 10.11).

    Args:
        runs: Artifacts of any carrier, data sets among them; they are taken in the order of t_submit.
        names: Metrics of `registry/claim_metrics.toml`, or `evaluated:NAME` of another tool.
        stretches: Whether stretches of about a second are measured too.
        measurements: Documents of other tools (`measurements.schema.json`).
        on_progress: Is called with how many runs are measured, and of how many.

    Returns:
        A row for each run and stretch, and the course of each metric; `to_value()` is the JSON form.

    Raises:
        Refused: A metric is not registered, or no file is as it was recorded.
        NotAnArtifact: A file is not a run.
        Damaged: A file is cut, or its audio cannot be decoded.
        Unavailable: A library of the extra `analysis` is missing.

    Example:
        `session_over(["1.tts.wav", "2.tts.wav"], ["pitch"]).courses`
    """
    for name in names:
        metric_named(name)
    others = load_measurements(measurements)
    places = _places_of(runs)
    opened, again = _opener(places, on_progress), _opener(places)

    def measured(run: ClaimedRun, wanted: Sequence[str]) -> Measured:
        return measure(opened(run), wanted, others)

    def parts(run: ClaimedRun, wanted: Sequence[str]) -> list[tuple[int, Measured]]:
        return measure_stretches(again(run), wanted)

    return session_of([run for run, _ in places], measured, names, stretches=parts if stretches else None)


def _places_of(runs: Iterable[Path | str]) -> list[tuple[ClaimedRun, str]]:
    """Return each run, verified, with the place where it lies, in the order given."""
    found: list[tuple[ClaimedRun, str]] = []
    for given in runs:
        path = os.fspath(given)
        for artifact in open_artifacts(path):
            place = path if artifact.row is None or "#" in path else f"{path}#{artifact.row}"
            found.append((shown_of(artifact), place))
    return found


def _opener(
    places: Sequence[tuple[ClaimedRun, str]], on_progress: Callable[[int, int], None] | None = None
) -> Callable[[ClaimedRun], Artifact]:
    """Return what opens the artifact of one of these very runs, a copy too, and counts."""
    done = itertools.count(1)

    def opened(run: ClaimedRun) -> Artifact:
        if on_progress is not None:
            on_progress(next(done), len(places))
        return open_artifact(next(place for held, place in places if held is run))

    return opened


def _logged(folder: Path | str, claim: str) -> tuple[str, ...]:
    """Return the runs and rejects that a log holds behind a claim; raises NotAnArtifact, Damaged or Refused."""
    from ttsartifact.attesting.runlog import Entry, EntryKind, RunLog
    from ttsartifact.errors import Refused

    entries = [Entry.from_bytes(each) for each in RunLog(folder).entries()]
    place = next((n for n, each in enumerate(entries) if each.kind is EntryKind.CLAIM and each.digest == claim), None)
    if place is None:
        raise Refused("the log does not hold this claim", where=os.fspath(folder), expected=claim)
    kinds = {EntryKind.RUN, EntryKind.REJECT}
    return tuple(entry.digest for entry in entries[place:] if entry.kind in kinds)
