"""A claim as people write it before the runs, and the canonical form whose digest the runs state (clause 10.9).

Numbers are taken as they are written, as decimal fractions, and never pass through floating point.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ttsartifact.container.canonical import canonical_bytes
from ttsartifact.container.limits import MAX_SAFE_INTEGER
from ttsartifact.container.schemas import reading, toml_of, validator
from ttsartifact.container.source import own_bytes
from ttsartifact.errors import Refused
from ttsartifact.formulas.conditions import subjects
from ttsartifact.measuring.metrics import Metric, MetricKind, metric_named
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_BYTES = 1 << 20
_MICRO = 1_000_000
_KNOWN = {
    "": frozenset({"claim", "title", "factor", "held", "runs", "expect"}),
    "factor": frozenset({"by", "a", "b", "after"}),
    "held": frozenset({"free"}),
    "runs": frozenset({"minimum", "block"}),
    "expect": frozenset({"metric", "tool", "of", "effect", "direction", "margin", "test", "alpha", "draws"}),
}


class Effect(StrEnum):
    """What is expected of a metric."""

    DIFFERENCE = "difference"
    """The mean of group b is beyond that of group a by more than the margin."""
    EQUIVALENCE = "equivalence"
    """The two means are within the margin of one another."""
    LEVEL = "level"
    """The mean of all runs is beyond the margin."""
    SLOPE = "slope"
    """The metric's change over the factor's change is beyond the margin."""


class Direction(StrEnum):
    """On which side of the margin."""

    GREATER = "greater"
    LESS = "less"
    EITHER = "either"
    WITHIN = "within"


class Aspect(StrEnum):
    """What of the metric is compared."""

    LEVEL = "level"
    SPREAD = "spread"


class RunGroup(StrEnum):
    """Where a claim puts a run."""

    A = "a"
    B = "b"
    ALL = "all"
    NONE = "none"


class ClaimProcedure(StrEnum):
    """How it is decided."""

    PERMUTATION = "permutation"
    BOOTSTRAP = "bootstrap"
    T = "t"
    TOST = "tost"


_TESTS = {
    Effect.DIFFERENCE: (ClaimProcedure.PERMUTATION, ClaimProcedure.BOOTSTRAP, ClaimProcedure.T),
    Effect.EQUIVALENCE: (ClaimProcedure.TOST, ClaimProcedure.BOOTSTRAP),
    Effect.LEVEL: (ClaimProcedure.BOOTSTRAP, ClaimProcedure.T),
    Effect.SLOPE: (ClaimProcedure.PERMUTATION, ClaimProcedure.BOOTSTRAP),
}
_DIRECTIONS = {
    Effect.DIFFERENCE: (Direction.GREATER, Direction.LESS, Direction.EITHER),
    Effect.EQUIVALENCE: (Direction.WITHIN,),
    Effect.LEVEL: (Direction.GREATER, Direction.LESS),
    Effect.SLOPE: (Direction.GREATER, Direction.LESS, Direction.EITHER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTest:
    """One thing that is expected of the runs."""

    metric: Metric
    tool: str | None
    """NAME@VERSION of the tool that measured an evaluated metric."""
    of: Aspect
    effect: Effect
    direction: Direction
    margin_micro: int
    """In millionths of the metric's unit."""
    test: ClaimProcedure
    alpha_ppm: int
    draws: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim, and the value that is digested.

    `digest` follows from `value` alone: comments, spaces and the order of keys in the TOML do not change it.
    """

    value: dict[str, Any]
    expectations: tuple[ClaimTest, ...]

    @property
    def digest(self) -> str:
        """What a run states in /run/preregistered, and a run log holds."""
        return digest.of(self.canonical)

    @property
    def canonical(self) -> bytes:
        """The RFC 8785 bytes that are digested."""
        return canonical_bytes(self.value)

    @property
    def title(self) -> str:
        """The claim in words."""
        return str(self.value["title"])

    @property
    def by(self) -> str:
        """The factor: a JSON pointer, `order`, `reference` or `none`."""
        return str(self.value["factor"]["by"])

    @property
    def has_groups(self) -> bool:
        """Whether two groups of runs are compared."""
        return "a" in self.value["factor"] or self.by == "order"

    @property
    def free(self) -> tuple[str, ...]:
        """The subjects in which runs may differ."""
        return tuple(self.value["free"])

    @property
    def blocked(self) -> bool:
        """Whether runs are compared within equal texts only."""
        return "block" in self.value

    @property
    def minimum_runs(self) -> int:
        """The fewest runs of each group."""
        return int(self.value["minimum_runs"])


def load_claim(path: Path | str) -> Claim:
    """Read a claim from its TOML file.

    Args:
        path: The file, of at most 1 MiB.

    Returns:
        The claim, whose digest the runs state in `/run/preregistered`.

    Raises:
        Refused: The file is not a claim; with the place and the word that is wrong.

    Example:
        >>> load_claim("drift.toml").digest  # doctest: +SKIP
        'sha256:...'
    """
    return parsed_claim(own_bytes(path, "the claim", LIMIT_BYTES), os.fspath(path))


def parsed_claim(data: bytes, where: str) -> Claim:
    """Return the claim that the bytes of a file are; raises Refused as `load_claim` does, at `where`."""
    if len(data) > LIMIT_BYTES:
        raise Refused("the claim is too long", where=where, expected=f"at most {LIMIT_BYTES} bytes")
    value = toml_of(data, "the claim", where, Decimal)
    with reading("the claim", where):
        return claim_of(value)


def claim_of(value: dict[str, Any]) -> Claim:
    """Return the claim of a parsed file.

    Args:
        value: What `tomllib` reads of it, with decimal fractions as `decimal.Decimal`.

    Raises:
        Refused: It is not a claim, or no set of runs could ever decide it.
    """
    _refuse_unknown("", value, "the claim")
    if value.get("claim") != "1.0":
        raise Refused('not a claim: it does not begin with claim = "1.0"', found=value.get("claim"), expected="1.0")
    factor, held, runs = (_table(value, key) for key in ("factor", "held", "runs"))
    entries = value.get("expect")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise Refused("the claim has no expectation", where="expect", expected="at least one [[expect]]")
    expectations = tuple(_expectation(entry, number) for number, entry in enumerate(entries, 1))
    canonical: dict[str, Any] = {
        "claim": "1.0",
        "title": value.get("title"),
        "factor": {key: _plain(one) for key, one in factor.items()},
        "free": sorted(map(str, held.get("free", ()))),
        **({"block": runs["block"]} if "block" in runs else {}),
        "minimum_runs": runs.get("minimum"),
        "expect": [_value_of(each) for each in expectations],
    }
    _require_shape(canonical)
    claim = Claim(value=canonical, expectations=expectations)
    _require_sense(claim)
    return claim


def _table(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key, {})
    if not isinstance(found, dict):
        raise Refused("not a table", where=key, found=found, expected=f"[{key}]")
    _refuse_unknown(key, found, key)
    return found


def _refuse_unknown(table: str, value: dict[str, Any], where: str) -> None:
    unknown = sorted(value.keys() - _KNOWN[table])
    if unknown:
        import difflib

        near = difflib.get_close_matches(unknown[0], _KNOWN[table], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        expected = ", ".join(sorted(_KNOWN[table]))
        raise Refused("unknown word", where=where, found=unknown[0] + hint, expected=expected)


def _expectation(entry: dict[str, Any], number: int) -> ClaimTest:
    where = f"expect {number}"
    _refuse_unknown("expect", entry, where)
    if "metric" not in entry or "margin" not in entry:
        raise Refused("the expectation lacks its metric or its margin", where=where, found=", ".join(sorted(entry)))
    try:
        metric = metric_named(str(entry["metric"]))
    except Refused as error:
        raise error.at(where) from error
    effect = _word(Effect, entry.get("effect", "difference"), f"{where}: effect")
    direction = _word(Direction, entry.get("direction", _DIRECTIONS[effect][0]), f"{where}: direction")
    test = _word(ClaimProcedure, entry.get("test", _TESTS[effect][0]), f"{where}: test")
    for what, word, allowed in (("direction", direction, _DIRECTIONS[effect]), ("test", test, _TESTS[effect])):
        if word not in allowed:
            raise Refused(
                f"this {what} does not exist for the effect {effect}",
                where=f"{where}: {what}",
                found=word,
                expected=", ".join(allowed),
            )
    if (metric.of is MetricKind.EVALUATED) != ("tool" in entry):
        raise Refused(
            "`tool` is missing beside an evaluated metric, or stands beside another one",
            where=where,
            expected='tool = "NAME@VERSION"',
        )
    return ClaimTest(
        metric=metric,
        tool=entry.get("tool"),
        of=_word(Aspect, entry.get("of", "level"), f"{where}: of"),
        effect=effect,
        direction=direction,
        margin_micro=_micro(entry["margin"], f"{where}: margin"),
        test=test,
        alpha_ppm=_micro(entry.get("alpha", Decimal("0.05")), f"{where}: alpha"),
        draws=entry.get("draws", 9999),
    )


def _word(kind: Any, value: Any, where: str) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        raise Refused("unknown value", where=where, found=value, expected=", ".join(kind)) from error


def _micro(value: Any, where: str) -> int:
    """Return a decimal number in millionths; raises Refused where parts would be lost."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise Refused("not a number", where=where, found=value)
    scaled = Decimal(value) * _MICRO
    if abs(scaled) > MAX_SAFE_INTEGER or scaled != int(scaled):
        expected = "multiples of 0.000001 up to 9007199254.740991"
        raise Refused("more digits than the format has", where=where, found=value, expected=expected)
    return int(scaled)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) and value.is_finite() else value


def _value_of(each: ClaimTest) -> dict[str, Any]:
    return {
        "metric": each.metric.name,
        **({"tool": each.tool} if each.tool is not None else {}),
        "of": str(each.of),
        "effect": str(each.effect),
        "direction": str(each.direction),
        "margin_micro": each.margin_micro,
        "test": str(each.test),
        "alpha_ppm": each.alpha_ppm,
        "draws": each.draws,
    }


def _require_shape(value: dict[str, Any]) -> None:
    compiled = validator("claim")
    try:
        breaks = next(compiled.iter_errors(value), None)
    except (TypeError, ValueError) as error:  # a date of TOML is nothing that JSON holds
        raise Refused("a value that JSON cannot hold, such as a date") from error
    if breaks is not None:
        where = "/".join(map(str, breaks.instance_path)) or "the claim"
        raise Refused(f"not a claim: {breaks.message[:300]}", where=where)


def _require_sense(claim: Claim) -> None:
    """Refuse what no set of runs could ever decide."""
    for each in claim.expectations:
        compares = each.effect in {Effect.DIFFERENCE, Effect.EQUIVALENCE}
        if compares != claim.has_groups and (compares or each.effect is Effect.SLOPE):
            expected = (
                "by a condition with a and b, or by order with after" if compares else "by a number, without a and b"
            )
            raise Refused(
                f"the factor does not allow the effect {each.effect}", where="factor", found=claim.by, expected=expected
            )
        if each.effect is Effect.SLOPE and claim.by == "none":
            raise Refused("a slope needs a factor", where="factor", found="none", expected="reference, or a pointer")
        if each.effect is Effect.EQUIVALENCE and each.margin_micro <= 0:
            raise Refused("an equivalence needs a margin", where="expect", expected="a margin above 0")
        if each.effect is Effect.SLOPE and claim.by == "reference" and each.metric.of is not MetricKind.SOUND:
            raise Refused(
                "a slope by reference needs a metric of sound",
                where="expect",
                found=each.metric.name,
                expected="a metric of sound",
            )
    known = subjects().keys() | {"seed", "reference_clip"}
    for name in claim.free:
        if name.partition(":")[0] not in known:
            # A report says `command line changed`, in the words for people.
            meant = (each.id for each in subjects().values() if each.label == name)
            expected = next(meant, "a subject of registry/conditions.toml, such as text or seed")
            raise Refused("unknown subject", where="held: free", found=name, expected=expected)
