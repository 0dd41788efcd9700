"""What is measured: artifacts of any engine in any carrier, read through the front door, and plain sound files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soundfile

import ttsartifact
from reference_runner import digests
from reference_runner.errors import EvaluationError
from reference_runner.evaluation.frames import Frames
from reference_runner.synthesis.references import to_fed_pcm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Recording", "prompt_name", "read_artifact", "read_clip", "read_source"]

_NOT_COMPARED = ("device", "numerics", "threads", "repeat")
"""Parameters that say how the run was computed, not what was requested."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """One clip and what is known of it."""

    name: str
    """The file's name without its folder."""
    system: str
    """What it is compared under: the name of the folder it is in."""
    frames: Frames
    pcm_digest: str
    """Of the samples as measured: 16 kHz, mono, 16 bits."""
    text: str | None
    artifact_id: str | None = None
    session: str | None = None
    """As stated, else the run's seeds, else None."""
    prompt: str | None = None
    """Whose manner was continued, where the engine says."""
    conditions: str | None = None
    """A digest over text, seeds, parameters, references and pins: equal runs have equal ones."""


def read_artifact(path: Path, *, text: str | None = None) -> Recording:
    """Read a run; a text given here stands in for one that was withheld."""
    artifact = ttsartifact.open(path)
    descriptor = artifact.descriptor
    with tempfile.TemporaryDirectory() as folder:
        bare = os.path.join(folder, "bare")
        ttsartifact.strip(os.fspath(path), bare)
        frames = _frames(Path(bare).read_bytes(), path.name)
    seeds = descriptor.known("/generation/seeds") or []
    parameters = dict(descriptor.known("/generation/params") or {})
    return Recording(
        name=path.name,
        system=path.resolve().parent.name,
        frames=frames,
        pcm_digest=digests.of_bytes(frames.pcm.astype("<i2").tobytes()),
        text=descriptor.known("/input/text/value") or text,
        artifact_id=artifact.artifact_id,
        session=descriptor.known("/run/session_id") or _seed_name(seeds),
        prompt=prompt_name(parameters, descriptor.known("/input/refs") or []),
        conditions=_conditions(descriptor, seeds, parameters),
    )


def read_clip(path: Path, *, text: str | None = None) -> Recording:
    """Read a plain sound file."""
    frames = _frames(path.read_bytes(), path.name)
    return Recording(
        name=path.name,
        system=path.resolve().parent.name,
        frames=frames,
        pcm_digest=digests.of_bytes(frames.pcm.astype("<i2").tobytes()),
        text=text,
    )


def read_source(path: Path, *, text: str | None = None) -> Recording:
    """Read an artifact, or else a plain sound file."""
    try:
        return read_artifact(path, text=text)
    except ttsartifact.NotAnArtifact:
        return read_clip(path, text=text)


def _frames(content: bytes, name: str) -> Frames:
    try:
        samples, rate_hz = soundfile.read(io.BytesIO(content), dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise EvaluationError(f"{name}: not readable as sound: {error.error_string}") from error
    pcm = to_fed_pcm(samples, rate_hz)
    if not pcm.any():
        raise EvaluationError(f"{name}: silent")
    return Frames(pcm=pcm)


def _seed_name(seeds: Sequence[dict[str, Any]]) -> str | None:
    named = [f"{seed.get('stage')} {seed['effective']}" for seed in seeds if isinstance(seed.get("effective"), str)]
    return ", ".join(named) or None


def prompt_name(parameters: Mapping[str, Any], references: Sequence[Mapping[str, Any]]) -> str | None:
    """Name whose manner a run continues, by its parameters and references; None where its engine takes no prompt."""
    if "prompt" not in parameters:
        return None
    number = parameters.get("prior", 0)
    lender = {"prior": "nearest" if number == -1 else str(number), "none": ""}.get(parameters["prompt"])
    if lender is None:
        wanted = "prosody" if parameters["prompt"] == "clip" else None
        lender = next((str(each.get("digest")) for each in references if wanted in {None, each.get("role")}), "")
    return f"{parameters['prompt']} {lender}".strip()


def _conditions(
    descriptor: ttsartifact.Descriptor, seeds: Sequence[dict[str, Any]], parameters: dict[str, Any]
) -> str | None:
    """Name what determines the sound; None where a seed is unknown."""
    if any(not isinstance(seed.get("effective"), str) for seed in seeds):
        return None
    references = [each.get("digest") for each in descriptor.known("/input/refs") or []]
    asked = {key: value for key, value in parameters.items() if key not in _NOT_COMPARED}
    value = [
        descriptor.at("/input/text/digest"),
        [(seed.get("stage"), seed["effective"]) for seed in seeds],
        asked,
        references,
        descriptor.at("/pins"),
        descriptor.at("/generation/numerics/profile"),
    ]
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
