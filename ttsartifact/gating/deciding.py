"""A policy applied to one run, written or not: every input with its value, and what they decide."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact.container import canonical
from ttsartifact.container.samples import samples_of
from ttsartifact.errors import Refused
from ttsartifact.formulas.levels import failed, median
from ttsartifact.gating.metrics import GatedRun
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.terms.policy import METRICS_SOURCE, POLICY_SPEC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttsartifact.container import riff
    from ttsartifact.container.source import Piece
    from ttsartifact.terms.policy import Check, Policy
    from ttsartifact.terms.trace import Trace


def judged(
    policy: Policy, value: dict[str, Any], chunks: Trace | None, audio: Sequence[Piece], wave: riff.Riff | None
) -> dict[str, Any]:
    """Return /gate of a run that is being packed; `value` is its descriptor with /audio. No score is known yet."""
    return gate_of(policy, measured(value, chunks, audio, wave))


def measured(value: dict[str, Any], chunks: Trace | None, audio: Sequence[Piece], wave: riff.Riff | None) -> GatedRun:
    """Return a run as the metrics look at it; its samples are read once, when first needed."""
    return GatedRun(descriptor=Descriptor(b"", value), chunks=chunks, samples=cache(lambda: samples_of(audio, wave)))


_FEWEST_REPEATS = 2


def digest_of_policy(policy: Mapping[str, Any]) -> str:
    """Return the digest of a policy's canonical form."""
    return digest.of(canonical.canonical_bytes(policy))


def stated_policy(gate: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy that the inputs of a /gate are of, in its canonical form."""
    asked = ("metric", "operator", "threshold_milli", "source", "spread_milli")
    checks = [{key: entry[key] for key in asked if key in entry} for entry in gate["inputs"]]
    policy = gate["policy"]
    return {"spec": policy["spec"], "id": policy["id"], "version": policy["version"], "checks": checks}


def gate_of(policy: Policy, run: GatedRun, scores: Mapping[str, tuple[int, ...]] | None = None) -> dict[str, Any]:
    """Return /gate: the policy by its digest, each input with its value, and the decision.

    Raises Refused where `scores` lack one that the policy asks.
    """
    given = scores or {}
    require_scores(policy, given)
    inputs = [_input(check, run, given) for check in policy.checks]
    return {
        "failed_promotion": failed(inputs),
        "policy": {
            "spec": POLICY_SPEC,
            "id": policy.id,
            "version": policy.version,
            "digest": digest_of_policy(policy.to_value()),
            "deterministic": True,
        },
        "inputs": inputs,
    }


def require_scores(policy: Policy, scores: Mapping[str, tuple[int, ...]]) -> None:
    """Raise Refused for an external score that is missing, was measured once, or is used by no check."""
    asked = {check.metric: check for check in policy.scores}
    for metric, check in asked.items():
        if len(scores.get(metric, ())) < _FEWEST_REPEATS:
            raise Refused(
                f"the policy asks {metric} of {check.source}, which is measured outside",
                found=f"{len(scores.get(metric, ()))} repeats",
                expected=f"at least {_FEWEST_REPEATS} repeats; record without the gate, measure, then `ttsa gate`",
            )
    stray = sorted(scores.keys() - asked.keys())
    if stray:
        raise Refused("a score that no check of the policy asks", found=stray[0], expected=", ".join(asked) or "none")


def _input(check: Check, run: GatedRun, scores: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    if check.is_score:
        repeats = list(scores[check.metric])
        return check.to_value() | {"value_milli": median(repeats), "repeats_milli": repeats}
    value = run.value(check.metric) if check.source == METRICS_SOURCE else _at(run, check.source)
    return check.to_value() | {"value_milli": value}


def _at(run: GatedRun, pointer: str) -> Any:
    """Return the number at a pointer in thousandths, or its absence."""
    value = run.descriptor.known(pointer)
    if type(value) is not int:
        return absent("unknown", "no number at the pointer")
    return value * (1 if pointer.endswith("_milli") else 1000)
