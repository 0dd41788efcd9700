"""Which conditions of two runs differ, how near each stands to the samples, and at which stage two decode paths part.

A condition is what a run was made under (registry/conditions.toml). Identities, times and results (digests,
frames, measurements) are not conditions and are not looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.conditions import cause_of_variable, condition_at, condition_words
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.level import CAUSES, Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.formulas.conditions import Condition
    from ttsartifact.terms.descriptor import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One condition that is not known to be equal on both sides; None means none, or none stated."""

    pointer: str
    """A JSON pointer into the first descriptor, or into the second where only that one has the place."""
    subject: str
    """What it belongs to, as programs call it: an id of registry/conditions.toml, or id:of for one of several."""
    label: str
    """What people call it."""
    name: str = ""
    """What names the list entry that it is in, where it is in one."""
    cause: Cause
    a: Any
    b: Any
    a_stated: bool = True
    """Whether the first side states its value, including that it has none."""
    b_stated: bool = True

    @property
    def known(self) -> bool:
        """Whether both sides state their value; a run that withheld a condition cannot be shown to differ in it."""
        return self.a_stated and self.b_stated

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "pointer": self.pointer,
            "subject": self.subject,
            "label": self.label,
            "cause": self.cause,
            "a": self.a,
            "b": self.b,
            "a_stated": self.a_stated,
            "b_stated": self.b_stated,
            "known": self.known,
        }


_NOT_STATED: Any = object()
_MARKING = "/generation/marking"
_BESIDE_THE_SAMPLES = frozenset({"c2pa", "fingerprint"})
"""Kinds of marking that change no sample (clause 6.10)."""


def is_exact(side: Descriptor) -> bool:
    """Return whether a run claims exact numerics whose known answers held: equal samples on every machine."""
    return (
        side.known("/generation/numerics/profile") == "exact" and side.known("/generation/numerics/kat_passed") is True
    )


def condition_diff(a: Descriptor, b: Descriptor) -> tuple[Difference, ...]:
    """Return every condition that differs between two runs, likely causes first.

    Args:
        a: Descriptor of one run.
        b: Descriptor of the other run.

    Returns:
        The differences, in the order of the causes and then of the rules in `registry/conditions.toml`.

    Example:
        `condition_diff(open("a.tts.wav").descriptor, open("b.tts.wav").descriptor)`
    """
    found = [
        difference
        for pointer, name, left, right in _pairs("", "", a.value, b.value)
        if (difference := _difference(pointer, name, left, right)) is not None
    ]
    return tuple(sorted(found, key=_order))


def _order(difference: Difference) -> tuple[int, bool, int, str]:
    # Within a class in the order of the registry: another engine before the runner that brings it.
    condition = condition_at(difference.pointer)
    rank = -1 if condition is None else condition.rank
    return CAUSES.index(difference.cause), not difference.known, rank, difference.pointer


def _pairs(pointer: str, name: str, a: Any, b: Any) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield pointer, name of the nearest named list entry, and both values, wherever two leaves differ."""
    a, b = map(_value_stated, (a, b))
    if pointer == _MARKING:
        a, b = ([] if side == "none" else side for side in (a, b))
    if a == b:
        return
    if isinstance(a, dict) and isinstance(b, dict):
        # A parameter that is not there is one that the engine does not have; any other place was left empty.
        condition = condition_at(pointer)
        missing = None if condition is not None and condition.at == pointer and condition.closed else _NOT_STATED
        for key in sorted((a.keys() | b.keys()) - _settled(pointer, a, b)):
            step = key.replace("~", "~0").replace("/", "~1")
            yield from _pairs(f"{pointer}/{step}", name, a.get(key, missing), b.get(key, missing))
    elif isinstance(a, list) and isinstance(b, list):
        yield from _list_pairs(pointer, name, a, b)
    else:
        yield pointer, name, a, b


def _settled(pointer: str, a: dict[str, Any], b: dict[str, Any]) -> set[str]:
    """Return keys without effect: the requested seed, if both engines state the effective one."""
    drawn = a.get("effective")
    same = pointer.startswith("/generation/seeds/") and isinstance(drawn, str) and drawn == b.get("effective")
    return {"requested"} if same else set()


def _value_stated(value: Any) -> Any:
    """Return a value, None for one that does not apply, and `_NOT_STATED` for one that is absent in any other way."""
    if not is_absent(value):
        return value
    return None if value["reason"] == "not_applicable" else _NOT_STATED


def _list_pairs(pointer: str, name: str, a: list[Any], b: list[Any]) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield the pairs of two lists; what only one of them holds, the other is known not to hold."""
    condition = condition_at(pointer)
    if condition is not None and condition.at == pointer and condition.entries is not None:
        # By name, so that an entry put in front does not make all behind it differ.
        left, right = _by_name(a, condition.entries), _by_name(b, condition.entries)
        for key in sorted(left.keys() | right.keys()):
            index, mine = left.get(key, (None, None))
            other, theirs = right.get(key, (None, None))
            yield from _pairs(f"{pointer}/{other if index is None else index}", key, mine, theirs)
    elif all(isinstance(item, dict) for item in (*a, *b)):
        for index in range(max(len(a), len(b))):
            mine, theirs = (side[index] if index < len(side) else None for side in (a, b))
            yield from _pairs(f"{pointer}/{index}", str(index + 1), mine, theirs)
    else:
        yield pointer, name, a, b


def _by_name(items: list[Any], identity: str) -> dict[str, tuple[int, Any]]:
    found: dict[str, tuple[int, Any]] = {}
    for index, item in enumerate(items):
        key = str(item.get(identity)) if isinstance(item, dict) else str(index)
        found.setdefault(key, (index, item))
    return found


def _difference(pointer: str, name: str, a: Any, b: Any) -> Difference | None:
    condition = condition_at(pointer)
    if condition is None or condition.subject is None or condition.cause is None:
        return None
    index = next((str(int(step) + 1) for step in pointer.split("/") if step.isdigit()), "")
    key = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    which = {"index": index, "name": name, "key": key}.get(condition.of or "")
    return Difference(
        pointer=pointer,
        subject=condition.subject if which is None else f"{condition.subject}:{which}",
        label=_label(condition, pointer, index=index, name=name, key=key),
        name=name,
        cause=_cause(condition.cause, pointer, name),
        a=_plain(a, name),
        b=_plain(b, name),
        a_stated=a is not _NOT_STATED,
        b_stated=b is not _NOT_STATED,
    )


def _cause(registered: Cause, pointer: str, name: str) -> Cause:
    """Return the causal class of a place, which hangs on the entry where a list holds things of several classes."""
    if pointer.startswith("/env/variables/"):
        return cause_of_variable(name)
    return Cause.OTHER if pointer.startswith(f"{_MARKING}/") and name in _BESIDE_THE_SAMPLES else registered


def _label(condition: Condition, pointer: str, *, index: str, name: str, key: str) -> str:
    """Return what people call a place; its last step is added where the pattern does not end with it already."""
    added = "" if key.isdigit() or pointer == condition.at else key
    added = added if condition.subject == "parameter" else added.replace("_", " ")
    return " ".join(condition.label.format(index=index, name=name, key=added).split())


def _plain(value: Any, name: str) -> Any:
    """Return a value short enough for a report: an entry that only one side has, in words, without its known name."""
    if value is _NOT_STATED:
        return None
    if not isinstance(value, dict):
        return value
    rest = [each for each in value.values() if each != name]
    return condition_words(rest[0] if name and len(rest) == 1 else value)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageComparison:
    """The stage digests of two runs, in the order of the first."""

    count_a: int
    count_b: int
    equal: tuple[str, ...]
    """The stages from the beginning on whose digests are equal."""
    first: str | None = None
    """The first stage that differs; None where none of those does that both have, or if one side states none."""
    margin_a_nano: int | None = None
    """In billionths: by how much the nearest choice of that stage was made, where the run says so."""
    margin_b_nano: int | None = None

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "count_a": self.count_a,
            "count_b": self.count_b,
            "equal": list(self.equal),
            "first": self.first,
            "margin_a_nano": self.margin_a_nano,
            "margin_b_nano": self.margin_b_nano,
        }


def compare_stages(a: Descriptor, b: Descriptor) -> StageComparison:
    """Compare `/generation/stages` of two runs from the beginning to where they part."""
    mine, theirs = (side.known("/generation/stages") or [] for side in (a, b))
    equal = 0
    for left, right in zip(mine, theirs, strict=False):
        if (left.get("stage"), left.get("digest")) != (right.get("stage"), right.get("digest")):
            break
        equal += 1
    parted = equal < min(len(mine), len(theirs))
    return StageComparison(
        count_a=len(mine),
        count_b=len(theirs),
        equal=tuple(stage["stage"] for stage in mine[:equal]),
        first=mine[equal]["stage"] if parted else None,
        margin_a_nano=_margin(mine[equal]) if parted else None,
        margin_b_nano=_margin(theirs[equal]) if parted else None,
    )


def _margin(stage: dict[str, Any]) -> int | None:
    margin = stage.get("margin_nano")
    return margin if type(margin) is int else None
