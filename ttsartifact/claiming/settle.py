"""Claims and sessions on files: each run is opened, verified and measured once."""

from __future__ import annotations

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

__all__ = ["check_claim", "session_over"]


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
    """
    wanted = load_claim(claim)
    others = load_measurements(measurements)
    places = _places_of(runs)
    shown = [run for run, _ in places.values()]
    tools = {each.metric.name: each.tool for each in wanted.expectations if each.tool is not None}
    done = 0

    def measured(run: ClaimedRun, names: Sequence[str]) -> Measured:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, len(shown))
        return measure(open_artifact(places[_key(run, places)][1]), names, others.of_tools(tools), factor=wanted.by)

    logged = () if log is None else _logged(log, wanted.digest)
    return evaluate(wanted, shown, measured, exploratory=exploratory, logged=logged)


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
    """
    for name in names:
        metric_named(name)
    others = load_measurements(measurements)
    places = _places_of(runs)
    done = 0

    def measured(run: ClaimedRun, wanted: Sequence[str]) -> Measured:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, len(places))
        return measure(open_artifact(places[_key(run, places)][1]), wanted, others)

    def parts(run: ClaimedRun, wanted: Sequence[str]) -> list[tuple[int, Measured]]:
        return measure_stretches(open_artifact(places[_key(run, places)][1]), wanted)

    shown = [run for run, _ in places.values()]
    return session_of(shown, measured, names, stretches=parts if stretches else None)


def _places_of(runs: Iterable[Path | str]) -> dict[str, tuple[ClaimedRun, str]]:
    """Return each run, verified, with the place where it lies, in the order given; a copy has a key of its own."""
    found: dict[str, tuple[ClaimedRun, str]] = {}
    for given in runs:
        path = os.fspath(given)
        for artifact in open_artifacts(path):
            place = path if artifact.row is None or "#" in path else f"{path}#{artifact.row}"
            found[f"{artifact.artifact_id} {len(found)}"] = (shown_of(artifact), place)
    return found


def _key(run: ClaimedRun, places: dict[str, tuple[ClaimedRun, str]]) -> str:
    return next(key for key, (held, _) in places.items() if held is run)


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
