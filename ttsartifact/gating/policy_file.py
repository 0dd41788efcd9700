"""A policy as people write it.

    id = "house"
    version = "1.4"

    [[check]]
    metric = "loudness"            # of registry/metrics.toml: computed from the run, and computed again by verify
    operator = ">="
    threshold = -30.0

    [[check]]
    metric = "mos"
    operator = ">="
    threshold = 3.5
    source = "utmos@1.2.0"         # a score from outside: who gives it, and how far its repeats may lie apart
    spread = 0.05

    [[check]]
    metric = "first_token"
    operator = "<"
    threshold = 200_000_000
    source = "/run/times/t_first_token_ns"   # a number that the descriptor has

Numbers are decimal fractions of at most three places, and never pass through floating point.
"""

from __future__ import annotations

import difflib
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.container import schemas
from ttsartifact.container.source import own_bytes
from ttsartifact.errors import InvalidDescriptor, Refused
from ttsartifact.formulas.levels import OPERATORS
from ttsartifact.terms.policy import METRICS_SOURCE, Check, Policy

if TYPE_CHECKING:
    from pathlib import Path

_LIMIT_BYTES = 1 << 20
_KNOWN = frozenset({"metric", "operator", "threshold", "source", "spread"})
_LARGEST = (1 << 53) - 1


def load_policy(path: Path | str) -> Policy:
    """Read a policy of the gate.

    Args:
        path: A TOML file; `-` is standard input.

    Raises:
        Refused: The file cannot be read, or a check is wrong; the message names the check and the word.

    Example:
        `load_policy("policy.toml").checks`
    """
    data = own_bytes(path, "the policy", _LIMIT_BYTES)
    value = schemas.toml_of(data, "the policy", os.fspath(path), Decimal)
    with schemas.reading("the policy", os.fspath(path)):
        return policy_of(value)


def policy_of(value: dict[str, Any]) -> Policy:
    """Return the policy of a parsed file.

    Args:
        value: What TOML or JSON holds.

    Raises:
        Refused: A check is wrong; the message names the check and the word.
    """
    unknown = sorted(value.keys() - {"id", "version", "check"})
    if unknown or not all(isinstance(value.get(key), str) and value[key] for key in ("id", "version")):
        raise Refused("not a policy", found=unknown or "no id or no version", expected="id, version and [[check]]")
    entries = value.get("check")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise Refused("a policy without a check promotes everything", expected="at least one [[check]]")
    checks = tuple(_check(entry, number) for number, entry in enumerate(entries))
    asked = [(check.metric, check.operator) for check in checks]
    twice = next((one for place, one in enumerate(asked) if one in asked[:place]), None)
    if twice is not None:
        raise Refused("a metric is listed twice with the same operator", found=" ".join(twice))
    policy = Policy(id=value["id"], version=value["version"], checks=checks)
    _require_recordable(policy)
    return policy


def milli(value: Any, where: str) -> int:
    """Return a decimal number in thousandths; raises Refused where parts would be lost."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise Refused(f"{where}: not a number", found=value)
    scaled = Decimal(value) * 1000
    if scaled != int(scaled) or abs(scaled) > _LARGEST:
        raise Refused(f"{where}: not in thousandths", found=value, expected="at most three decimals, below 2^53 / 1000")
    return int(scaled)


def _require_recordable(policy: Policy) -> None:
    """Raise Refused for a policy that no artifact could state, before anything is made under it."""
    lists = _spec.table("registry/lists")
    pinned = {"version": policy.version} | {check.metric: check.source.partition("@")[2] for check in policy.scores}
    for where, version in pinned.items():
        if not version or version.lower() in lists["moving_words"]:
            raise Refused(f"{where}: not an exact version", found=version or "none", expected="one like 1.2.0")
    human = next((c.source for c in policy.scores if c.source.partition("@")[0].lower() in lists["unrepeatable"]), None)
    if human is not None:
        raise Refused("the source of a score cannot be asked again", found=human, expected="a tool, as NAME@VERSION")
    stated = {
        "failed_promotion": 0,
        "policy": {"id": policy.id, "version": policy.version, "digest": f"sha256:{'0' * 64}", "deterministic": True},
        "inputs": [check.to_value() | {"value_milli": 0} for check in policy.checks],
    }
    try:
        schemas.require_valid_at("/gate", stated)
    except InvalidDescriptor as error:
        where = error.where.removeprefix("/gate").replace("/policy/", "/").replace("/inputs", "/check")
        raise Refused(f"the policy cannot be recorded: {error.message}", where=where) from error


def _check(entry: dict[str, Any], number: int) -> Check:
    name = str(entry.get("metric", f"check {number}"))
    unknown = sorted(entry.keys() - _KNOWN)
    if unknown or not {"metric", "operator", "threshold"} <= entry.keys():
        near = difflib.get_close_matches(unknown[0], sorted(_KNOWN), n=1) if unknown else []
        found = unknown[0] + (f"; did you mean {near[0]}?" if near else "") if unknown else ", ".join(sorted(entry))
        raise Refused(f"{name}: not a check", found=found, expected="metric, operator, threshold")
    if entry["operator"] not in OPERATORS:
        raise Refused(f"{name}: not an operator", found=entry["operator"], expected=" ".join(OPERATORS))
    source = entry.get("source", METRICS_SOURCE)
    check = Check(
        metric=name,
        operator=entry["operator"],
        threshold_milli=milli(entry["threshold"], f"{name}: threshold"),
        source=source,
        spread_milli=milli(entry["spread"], f"{name}: spread") if "spread" in entry else None,
    )
    _require_source(check)
    return check


def _require_source(check: Check) -> None:
    known = [metric["name"] for metric in _spec.table("registry/metrics")["metric"]]
    if check.source == METRICS_SOURCE and check.metric not in known:
        raise Refused(
            f"{check.metric}: not a metric that is computed here",
            expected=f"{', '.join(known)}; or source = NAME@VERSION of the tool that gives it",
        )
    if check.is_score and (check.spread_milli is None or check.spread_milli < 0):
        raise Refused(
            f"{check.metric}: an external score needs the allowed spread of its repeats",
            found=f"source {check.source}",
            expected="spread, of at least 0",
        )
    if not check.is_score and check.spread_milli is not None:
        raise Refused(f"{check.metric}: a computed metric has no spread", found=f"source {check.source}")
