"""What the tests of claims build: runs in memory, with every condition as the kit has it, and values as a test says."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import kit

from ttsartifact.claiming.claim import Claim, claim_of
from ttsartifact.claiming.obstacles import ClaimedRun
from ttsartifact.container.canonical import canonical_bytes
from ttsartifact.measuring.metrics import Measured, metric_named
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

AUDIO = {"sample_rate_hz": 16_000, "channels": 1, "roles": [{"role": "output"}], "frames": 16_000}
CLAIM = """
claim = "1.0"
title = "faster"

[factor]
by = "/generation/params/speed"
a = 1.0
b = 1.25

[held]
free = ["text", "seed"]

[runs]
minimum = 30

[[expect]]
metric = "duration"
effect = "difference"
direction = "less"
margin = 0.5
test = "permutation"
alpha = 0.05
"""
"""A claim as people write it; each test changes a word of it."""


def drift_claim(**changes: Any) -> Claim:
    """Return the claim that pitch rises behind run 12, changed at the top level."""
    from decimal import Decimal

    value: dict[str, Any] = {
        "claim": "1.0",
        "title": "the pitch rises",
        "factor": {"by": "order", "after": 12},
        "held": {"free": ["seed"]},
        "runs": {"minimum": 10},
        "expect": [
            {"metric": "pitch", "effect": "difference", "direction": "greater", "margin": Decimal(0), "draws": 999}
        ],
    }
    return claim_of(value | changes)


def speed_claim(**changes: Any) -> Claim:
    """Return a claim over two values of a parameter."""
    return drift_claim(factor={"by": "/generation/params/speed", "a": 1, "b": 2}, **changes)


def run(
    number: int, claim: Claim | None = None, patch: Callable[[dict[str, Any]], None] | None = None, **more: Any
) -> ClaimedRun:
    """Return run `number` of a session: a second after the one before it, with a sound and a seed of its own."""
    value = copy.deepcopy(_BASE)
    value["audio"]["pcm"] = digest.of(b"%d" % number)
    value["run"]["run_id"] = f"01a1fd8c-697b-7c3a-9d1f-{number:012x}"
    value["run"]["times"]["t_submit_ns"] = number * 10**9
    if claim is not None:
        value["run"]["preregistered"] = [claim.digest]
    if patch is not None:
        patch(value)
    return ClaimedRun(descriptor=Descriptor(canonical_bytes(value), value), verdict="INTACT", **more)


_BASE = kit.descriptor() | {"audio": dict(AUDIO)}


def session(claim: Claim, count: int, patch: Callable[[int, dict[str, Any]], None] | None = None) -> list[ClaimedRun]:
    """Return `count` runs that state the claim; `patch` changes what run `n`, from 1, states."""
    return [
        run(n, claim, (lambda value, n=n: patch(n, value)) if patch is not None else None) for n in range(1, count + 1)
    ]


def measured(
    runs: Sequence[ClaimedRun], values: Mapping[str, Sequence[float]]
) -> Callable[[ClaimedRun, Sequence[str]], Measured]:
    """Return a stand-in for measuring: the values of a metric, run by run."""
    places = {each.artifact_id: place for place, each in enumerate(runs)}

    def measure(one: ClaimedRun, names: Sequence[str]) -> Measured:
        place = places[one.artifact_id]
        return Measured(values={name: metric_named(name).on_grid(values[name][place]) for name in names})

    return measure
