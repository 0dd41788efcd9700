"""What a condition is: registry/conditions.toml and registry/stages.toml.

Levels, data sets, comparisons and reruns ask here, so that each place of a descriptor has one subject and one class.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.level import Cause, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

    from ttsartifact.terms.descriptor import Descriptor


def role_words(role: str) -> str:
    """Return what to write before a reference clip of this role; `other` alone would read as "a different clip"."""
    return "role other:" if role == "other" else role


class Subject(NamedTuple):
    """What people talk about; differences are gathered under it. The fields are described in conditions.toml."""

    id: str
    label: str
    acts_from: str
    chosen: bool = False
    exempt_when_exact: bool = False
    follows: bool = False


class Condition(NamedTuple):
    """One place of a descriptor. The fields are described in conditions.toml."""

    at: str
    rank: int
    """Its place in the registry; within a class, differences are listed in this order."""
    subject: str | None
    of: str | None
    label: str
    cause: Cause | None
    entries: str | None
    level: Level | None
    rerun: bool
    repeat: bool
    session: bool
    takes: bool
    closed: bool


class Stage(NamedTuple):
    """One stage of a decode path. The fields are described in stages.toml."""

    name: str
    part: str
    choice: bool = False
    drawn: bool = False
    counts: str | None = None


@cache
def subjects() -> dict[str, Subject]:
    """Return all subjects by id, in the registry's order."""
    return {entry["id"]: Subject(**entry) for entry in _spec.table("registry/conditions")["subject"]}


@cache
def conditions() -> dict[str, Condition]:
    """Return all conditions by their pointer pattern, in the registry's order."""
    rows = _spec.table("registry/conditions")["condition"]
    return {row["at"]: _condition(rank, row) for rank, row in enumerate(rows)}


def _condition(rank: int, row: dict[str, Any]) -> Condition:
    return Condition(
        at=row["at"],
        rank=rank,
        subject=row.get("subject"),
        of=row.get("of"),
        label=row.get("label", ""),
        cause=Cause(row["cause"]) if "cause" in row else None,
        entries=row.get("entries"),
        level=Level(row["level"]) if "level" in row else None,
        rerun=row.get("rerun", False),
        repeat=row.get("repeat", False),
        session=row.get("session", False),
        takes=row.get("takes", False),
        closed=row.get("closed", False),
    )


@lru_cache(maxsize=4096)
def condition_at(pointer: str) -> Condition | None:
    """Return the condition that a place belongs to: of those that cover it, the one with the most steps."""
    steps = pointer.split("/")
    covering = [row for row in conditions().values() if _covers(_steps(row.at), steps)]
    # Of two with equally many steps the one that spells more of them out decides.
    return max(covering, key=lambda row: (row.at.count("/"), -row.at.count("*")), default=None)


@cache
def _steps(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("/"))


def _covers(pattern: tuple[str, ...], steps: list[str]) -> bool:
    return len(pattern) <= len(steps) and all(mine in ("*", step) for mine, step in zip(pattern, steps, strict=False))


def instances(descriptor: Descriptor, condition: Condition) -> Iterator[tuple[str, Any]]:
    """Yield pointer and value of every place that a pattern names; a `*` at its end names each member."""
    if not condition.at.endswith("/*"):
        yield condition.at, descriptor.at(condition.at)
        return
    above = condition.at.removesuffix("/*")
    members = descriptor.at(above)
    if isinstance(members, dict):
        for key, value in members.items():
            yield f"{above}/{key}", value


@cache
def needed_at(level: Level) -> tuple[str, ...]:
    """Return the pointers that must hold a value at `level` and not at the one before (clauses 9.2 to 9.4)."""
    return tuple(condition.at for condition in conditions().values() if condition.level == level)


def and_more(found: Sized, most: int) -> str:
    """Return ` and 3 more` where there are three more than are shown, else nothing."""
    return f" and {len(found) - most} more" if len(found) > most else ""


@cache
def cause_of_variable(name: str) -> Cause:
    """Return the causal class of an environment variable."""
    for row in _spec.table("registry/conditions")["variable"]:
        if name.startswith(tuple(row.get("begins", ()))) or name.endswith(tuple(row.get("ends", ()))):
            return Cause(row["cause"])
    return Cause.OTHER


@cache
def stages() -> dict[str, Stage]:
    """Return all stages of a decode path by name, in their order."""
    return {row["name"]: Stage(**row) for row in _spec.table("registry/stages")["stage"]}


@cache
def stages_that_count(what: str) -> frozenset[str]:
    """Return the stages whose imperfections count their opportunities in `what`: phones, frames or packets."""
    return frozenset(stage.name for stage in stages().values() if stage.counts == what)


@cache
def parts() -> tuple[str, ...]:
    """Return the parts of a decode path, in their order."""
    return tuple(_spec.table("registry/stages")["parts"])


def member_words(value: Any) -> str:
    """Return the value of one member; words that are none, or look like another member, stand in quotes."""
    words = condition_words(value)
    is_plain = not isinstance(value, str) or (words and not set(words) & set(',;"'))
    return words if is_plain else json.dumps(words, ensure_ascii=False)


def condition_words(value: Any) -> str:
    """Return a condition's value for eyes: an object by its members, several by semicolons, words as JSON has them.

    Members that are absent are left out; of an object without others, `not stated` is left.
    """
    if is_absent(value):
        return str(value["reason"]).replace("_", " ")
    if isinstance(value, dict):
        known = {key: each for key, each in sorted(value.items()) if each is not None and not is_absent(each)}
        return ", ".join(f"{key} {member_words(each)}" for key, each in known.items()) or "not stated"
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return "; ".join(map(condition_words, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
