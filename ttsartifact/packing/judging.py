"""A gate judges runs that were recorded: one, or many, which then become one whole set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.container import canonical, riff, schemas
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.hashing import digest_pieces
from ttsartifact.container.source import JoinedSource, Piece, write_whole
from ttsartifact.errors import Refused, WrongCall
from ttsartifact.gating.deciding import digest_of_policy, gate_of, measured
from ttsartifact.packing.pack import RunInMemory, write
from ttsartifact.packing.restoring import require_recorded
from ttsartifact.reading.artifact import open_artifacts, require_named
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.policy import Policy, Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The decision of a gate about one run."""

    where: str
    artifact_id: str
    """Of the run as it was written, its gate in it."""
    gate: dict[str, Any]

    @property
    def failed(self) -> bool:
        """Whether the run is a reject."""
        return bool(self.gate["failed_promotion"])


def gate(
    paths: Sequence[Path | str],
    policy: Policy,
    out: Path | str,
    *,
    scores: Mapping[str, Mapping[str, tuple[int, ...]]] | None = None,
    replace: bool = False,
) -> list[Judged]:
    """Judge recorded runs by a policy and write them, rejects among them.

    Runs that the same policy judged already are judged again, by the scores of then where none are given. The runs of
    a set state how many of their session were submitted and how many failed. Nothing is left out.

    Args:
        paths: The artifacts to judge.
        policy: What is checked, from `load_policy`.
        out: One artifact for one run, or a `.tts.parquet` that is a whole set.
        scores: Scores from outside, by run id and metric: what each repeat gave, in thousandths.
        replace: Whether a file `out` may be written over.

    Returns:
        One judgement per run, in order.

    Raises:
        Refused: Another policy judged a run, its audio is not the recorded audio or its descriptor the sealed one, a
            score is missing, or (WrongCall) many runs are to be written in a carrier of one.

    Example:
        `gate(["run.tts.wav"], load_policy("policy.toml"), "judged.tts.wav")`
    """
    runs = [require_named(artifact) for path in paths for artifact in open_artifacts(path)]
    if not runs:
        raise Refused("no run to judge", expected="at least one artifact")
    given = scores or {}
    values = [_with_gate(run, policy, given.get(str(run.descriptor.known("/run/run_id")), {})) for run in runs]
    kind = carrier_of(out)
    if kind == "parquet":
        _state_sets(values)
    elif len(runs) != 1:
        raise WrongCall("this carrier holds one run", found=f"{len(runs)} runs", expected="a .tts.parquet for a set")
    written = [_parts(run, value) for run, value in zip(runs, values, strict=True)]
    _write(runs, written, out, kind, replace=replace)
    return [
        Judged(where=run.where, artifact_id=digest.of(parts["descriptor"]), gate=value["gate"])
        for run, value, parts in zip(runs, values, written, strict=True)
    ]


def _with_gate(run: Artifact, policy: Policy, scores: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return the descriptor of a run with the gate's word in it."""
    before = run.descriptor.known("/gate/policy/digest")
    if before is not None and before != digest_of_policy(policy.to_value()):
        raise Refused(
            "the run was already judged by a different policy",
            where=run.where,
            found=run.descriptor.known("/gate/policy/id"),
            expected="a run that no gate judged, or this policy",
        )
    require_recorded(run)
    value: dict[str, Any] = json.loads(run.descriptor.raw)
    scores = scores or _known_scores(value)
    try:
        value["gate"] = gate_of(policy, measured(value, run.trace("chunks"), run.audio, run.wave), scores)
    except Refused as error:
        raise error.at(run.where) from error
    value["derived_from"] = {"artifact_id": run.artifact_id, "operation": "gate", "pcm_equal": True}
    return value


def _known_scores(value: dict[str, Any]) -> Scores:
    """Return the scores by which the same policy judged the run before."""
    inputs = value["gate"].get("inputs", ()) if isinstance(value["gate"], dict) else ()
    return {entry["metric"]: tuple(entry["repeats_milli"]) for entry in inputs if "repeats_milli" in entry}


def _state_sets(values: Sequence[dict[str, Any]]) -> None:
    """Write into each run how many runs of its session were judged, and how many of them failed."""
    sessions: dict[str, list[dict[str, Any]]] = {}
    for value in values:
        sessions.setdefault(json.dumps(value["run"]["session_id"], sort_keys=True), []).append(value)
    for runs in sessions.values():
        failed = sum(value["gate"]["failed_promotion"] for value in runs)
        for value in runs:
            value["gate"]["set"] = {"submitted": len(runs), "failed": failed}
            value["claims"] = list(dict.fromkeys((*value["claims"], "gated_set")))


def _parts(run: Artifact, value: dict[str, Any]) -> dict[str, bytes]:
    """Return the parts of the run as it is written; attestations speak of the run before and are left out."""
    schemas.require_valid("descriptor", value)
    kept = {
        name: run.parts.part(name)
        for name in run.parts.names()
        if name != "descriptor" and not name.startswith("attestation/")
    }
    return {"descriptor": canonical.descriptor_bytes(value)} | kept


def _write(
    runs: Sequence[Artifact],
    written: Sequence[dict[str, bytes]],
    out: Path | str,
    kind: str,
    *,
    replace: bool,
) -> None:
    if kind == "parquet":
        from ttsartifact.container import parquet

        def rows() -> Iterator[tuple[dict[str, bytes], Sequence[Piece]]]:
            yield from ((parts, run.audio) for run, parts in zip(runs, written, strict=True))

        with write_whole(out, replace=replace) as file:
            parquet.write(rows(), file)
        return
    (run,), (parts,) = runs, written
    audio = JoinedSource(run.audio)
    wave = riff.walk(audio) if run.wave is not None else None
    sealed = RunInMemory(parts=parts, audio=audio, wave=wave, audio_digest=digest_pieces(run.audio))
    write(sealed, out, carrier=kind, replace=replace)
