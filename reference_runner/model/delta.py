"""A delta: what adapting adds to a checkpoint, with every fact of how it came about, in one small file.

A safetensors file: tensors `style`, `residual`, `down/<name>`, `up/<name>` and `add/<name>`, text in its metadata. A
matrix of the noise estimator becomes W + up @ down, a vector v + add. All numbers lie on grids of a power of two, so
the sums are exact in float64 and every machine rounds them to the same float32. Nothing in it is code.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from reference_runner import digests
from reference_runner.errors import DeltaError
from reference_runner.model.weight_files import facts_of
from reference_runner.numerics.noise import FRACTION_BITS
from ttsartifact import adaptation_chain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_runner.numerics.noise import Stream

__all__ = [
    "DELTA_FORMAT", "METHOD", "Change", "Delta", "DeltaFile", "changed", "is_matrix", "read_delta",
    "save_delta", "transcript_digest",
]  # fmt: skip

DELTA_FORMAT = "ttsartifact-stable-tts-delta/1"
METHOD = "prior-preservation-low-rank"
MAXIMUM_BYTES = 6 * 1000 * 1000
FACTOR_GRID_BITS = 14
STYLE_GRID_BITS = 12
FACTOR_LIMIT, STYLE_LIMIT = 8.0, 64.0
RANK_MAXIMUM = 32
_BROKEN = {
    "base": "base was",
    "clips": "a clip was",
    "priors": "a prior sample was",
    "config": "config was",
    "seed": "seed was",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Change:
    """What is added to the noise estimator's parameters, by their names."""

    down: Mapping[str, torch.Tensor]
    """(R, I) of each matrix."""
    up: Mapping[str, torch.Tensor]
    """(O, R)."""
    add: Mapping[str, torch.Tensor]
    """Of each vector and depthwise filter, its own shape."""

    @classmethod
    def beginning(cls, parameters: Mapping[str, torch.Tensor], rank: int, stream: Stream) -> Change:
        """Return a change that changes nothing yet: `up` is zero and `down` is counted noise."""
        down, up, add, first = {}, {}, {}, 0
        for name, value in parameters.items():
            if not is_matrix(name, value):
                add[name] = torch.zeros_like(value)
                continue
            outputs, inputs = value.shape
            noise = torch.from_numpy(stream.values(first, inputs, rank)).double() * 2.0**-FRACTION_BITS
            down[name] = noise.T.contiguous() * inputs**-0.5
            up[name] = torch.zeros(outputs, rank, dtype=torch.float64)
            first += inputs
        return cls(down=down, up=up, add=add)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors by the names of the file."""
        kinds = {"down": self.down, "up": self.up, "add": self.add}
        return {f"{kind}/{name}": value for kind, named in kinds.items() for name, value in named.items()}

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> Change:
        """Read what `tensors` gave."""
        kinds: dict[str, dict[str, torch.Tensor]] = {"down": {}, "up": {}, "add": {}}
        for key, value in tensors.items():
            kind, _, name = key.partition("/")
            kinds[kind][name] = value
        return cls(**kinds)


def is_matrix(name: str, value: torch.Tensor) -> bool:
    """Return whether a parameter gets a change of low rank; a depthwise filter is a vector a channel."""
    return value.ndim == 2 and not name.endswith("depthwise.weight")


def changed(base: Mapping[str, torch.Tensor], change: Change) -> dict[str, torch.Tensor]:
    """Return the parameters with what is added to them, in float64."""
    found = {}
    for name, value in base.items():
        if name in change.up:
            found[name] = value.double() + change.up[name].double() @ change.down[name].double()
        else:
            found[name] = value.double() + change.add[name].double()
    return found


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Delta:
    """What adapting a checkpoint learnt, and from what."""

    base: str
    """The digest of the checkpoint it is added to."""
    model_family: str
    clips: tuple[Mapping[str, Any], ...]
    """What went in, in order: `reference` (as /input/refs), `transcript`, `quality`."""
    priors: tuple[Mapping[str, Any], ...]
    """`reference` of each prior sample that was learnt beside them."""
    config: str
    """The configuration in its one spelling."""
    seed: str
    steps: int
    stopped_early: bool
    curve: tuple[tuple[int, int, int], ...]
    code_version: str
    style: torch.Tensor
    """(S,) float64: the voice."""
    change: Change

    @property
    def config_digest(self) -> str:
        """sha256 of the configuration."""
        return digests.of_bytes(self.config.encode())

    @property
    def chain(self) -> dict[str, str]:
        """The links from base, clips, priors, configuration and seed to this delta (`ttsartifact.adaptation_chain`)."""
        return adaptation_chain(
            base=self.base,
            clips=[(clip["reference"]["digest"], clip["reference"]["transcript_digest"]) for clip in self.clips],
            priors=[prior["reference"]["digest"] for prior in self.priors],
            config_digest=self.config_digest,
            seed=self.seed,
        )

    @property
    def tensors_digest(self) -> str:
        """The digest over style and change (`digests.of_tensors`)."""
        return digests.of_tensors(self.tensors())

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors by the names of the file."""
        return {"style": self.style, **self.change.tensors()}

    @property
    def references(self) -> tuple[dict[str, Any], ...]:
        """The entries of /input/refs: target clips in order, then prior samples."""
        return tuple(dict(one["reference"]) for one in (*self.clips, *self.priors))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeltaFile(Delta):
    """A delta as it was read; every link of its chain was recomputed from its own facts."""

    name: str
    """The file's name."""
    digest: str
    """sha256 of the whole file."""
    size: int

    def refuse_stranger(self, path: str) -> None:
        """Raise DeltaError for a clip that is none of those the voice was adapted to."""
        with Path(path).open("rb") as stream:
            digest = digests.spelled(hashlib.file_digest(stream, "sha256"))
        known = [clip["reference"]["digest"] for clip in self.clips]
        if digest not in known:
            message = f"not a clip that {self.name} was adapted to: got {digest}, expected one of {len(known)}"
            raise DeltaError(message, where=f"reference {Path(path).name}")

    def record(self) -> dict[str, Any]:
        """Return /pins/adaptation."""
        first, last = self.curve[0], next(look for look in self.curve if look[0] == self.steps)
        return {
            "method": METHOD,
            "base": self.base,
            "delta": self.digest,
            "steps": self.steps,
            "target_refs": [clip["reference"]["digest"] for clip in self.clips],
            "prior_refs": [prior["reference"]["digest"] for prior in self.priors],
            "config_digest": self.config_digest,
            "seed": self.seed,
            "with_prior_preservation": bool(self.priors),
            "chain": self.chain,
            "quality": [dict(clip["quality"]) for clip in self.clips],
            "stopped_early": self.stopped_early,
            "loss_micro": {
                "target_first": first[1], "target_last": last[1], "prior_first": first[2], "prior_last": last[2],
            },
        }  # fmt: skip


def save_delta(path: Path, delta: Delta) -> None:
    """Write a delta, whole or not at all; equal facts and tensors give equal bytes."""
    stored = {name: value.float().contiguous() for name, value in sorted(delta.tensors().items())}
    facts = {
        "format": DELTA_FORMAT,
        "model_family": delta.model_family,
        "base": delta.base,
        "clips": delta.clips,
        "priors": delta.priors,
        "config": delta.config,
        "config_digest": delta.config_digest,
        "seed": delta.seed,
        "steps": delta.steps,
        "stopped_early": delta.stopped_early,
        "curve": delta.curve,
        "tensors": delta.tensors_digest,
        "code_version": delta.code_version,
        "chain": delta.chain,
    }
    content = save(stored, metadata={"ttsartifact": json.dumps(facts, sort_keys=True, ensure_ascii=True)})
    if len(content) > MAXIMUM_BYTES:
        raise DeltaError(f"too large: got {len(content)} bytes, expected at most {MAXIMUM_BYTES}", where=path.name)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_delta(path: Path) -> DeltaFile:
    """Read a delta and recompute every link of its chain and the digest of its tensors.

    Raises DeltaError, which names what was changed.
    """
    where = path.name
    try:
        size = path.stat().st_size
        if size > MAXIMUM_BYTES:
            raise DeltaError(f"too large: got {size} bytes, expected at most {MAXIMUM_BYTES}", where=where)
        with path.open("rb") as stream:
            content = stream.read(MAXIMUM_BYTES)
    except OSError as error:
        raise DeltaError(f"cannot be read: {error.strerror}", where=where) from error
    facts = facts_of(content)
    if facts.get("format") != DELTA_FORMAT:
        raise DeltaError(f"got format {facts.get('format')!r}, expected {DELTA_FORMAT!r}", where=where)
    try:
        tensors = load(content)
        delta = _understood(path, content, facts, tensors)
        _refuse_broken_links(delta, facts)
        found = delta.tensors_digest
    except DeltaError:
        raise
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError, StopIteration, RuntimeError) as error:
        raise DeltaError(f"not a delta of this model: {error!r}", where=where) from error
    if found != facts["tensors"]:
        raise DeltaError(f"tensors were changed: got {found}, expected {facts['tensors']}", where=where)
    return delta


def transcript_digest(transcript: str) -> str:
    """Return the digest by which a transcript stands in the chain."""
    return digests.of_bytes(transcript.encode())


def _understood(path: Path, content: bytes, facts: dict[str, Any], tensors: dict[str, torch.Tensor]) -> DeltaFile:
    if {value.dtype for value in tensors.values()} != {torch.float32}:
        raise ValueError("a tensor that is not float32")
    style = tensors["style"].double()
    change = Change.of({name: value for name, value in tensors.items() if name != "style"})
    _refuse_off_grid("style", style, STYLE_GRID_BITS, STYLE_LIMIT)
    for name, value in change.tensors().items():
        _refuse_off_grid(name, value.double(), FACTOR_GRID_BITS, FACTOR_LIMIT)
    return DeltaFile(
        name=path.name,
        digest=digests.of_bytes(content),
        size=len(content),
        base=facts["base"],
        model_family=facts["model_family"],
        clips=tuple(facts["clips"]),
        priors=tuple(facts["priors"]),
        config=facts["config"],
        seed=facts["seed"],
        steps=int(facts["steps"]),
        stopped_early=bool(facts["stopped_early"]),
        curve=tuple((int(step), int(target), int(prior)) for step, target, prior in facts["curve"]),
        code_version=facts["code_version"],
        style=style,
        change=change,
    )


def _refuse_off_grid(name: str, values: torch.Tensor, bits: int, limit: float) -> None:
    steps = values * 2.0**bits
    if not bool((steps == torch.round(steps)).all()) or float(values.abs().max()) > limit:
        raise ValueError(f"{name} is not of multiples of 2**-{bits} within {limit:g}")


def _refuse_broken_links(delta: DeltaFile, facts: Mapping[str, Any]) -> None:
    """Raise DeltaError for the first fact that is not the one the chain was made over."""
    for number, clip in enumerate(delta.clips, start=1):
        told, words = clip["reference"]["transcript_digest"], transcript_digest(clip["transcript"])
        if words != told:
            raise DeltaError(f"transcript of clip {number} was changed: got {words}, expected {told}", where=delta.name)
    if delta.config_digest != facts["config_digest"]:
        message = f"config was changed: got {delta.config_digest}, expected {facts['config_digest']}"
        raise DeltaError(message, where=delta.name)
    for link, digest in delta.chain.items():
        if facts["chain"].get(link) != digest:
            message = f"{_BROKEN[link]} changed: got {digest}, expected {facts['chain'].get(link)}"
            raise DeltaError(message, where=delta.name)
