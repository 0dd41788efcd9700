"""What would make a run again: seeds, parameters, numerics, precision, the promise, the lock, and the command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.conditions import member_words
from ttsartifact.reporting.phrases import counted, stated
from ttsartifact.reporting.safe import safe
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["recipe_rows", "recorded_command"]

_MOST = 24


def recipe_rows(at: Callable[[str], Any], where: str) -> tuple[tuple[str, str], ...]:
    """Return the rows of a card, each a label and words; `at` reads a descriptor by pointer."""
    return (
        ("seeds", _seeds(at("/generation/seeds"))),
        ("parameters", _pairs(at("/generation/params"))),
        ("numerics", _numerics(at("/generation/numerics"))),
        ("precision", _pairs(at("/generation/precision"))),
        ("promise", _promise(at("/generation/determinism"))),
        ("lock", _lock(at("/pins/lock"))),
        ("rerun with", recorded_command(at, where)),
    )


def recorded_command(at: Callable[[str], Any], where: str) -> str:
    """Return the line that makes the run again, of what the run states; nothing here ever runs it."""
    command, runner = at("/generation/command"), at("/generation/runner")
    argv = command.get("argv") if isinstance(command, dict) else None
    if isinstance(argv, list) and argv:
        return safe(f"ttsa rerun {shlex.quote(where)} -- {shlex.join(map(str, argv))}", longest=1000)
    if isinstance(runner, dict) and isinstance(runner.get("factory"), str):
        return safe(f"ttsa rerun {shlex.quote(where)} --factory {shlex.quote(runner['factory'])}")
    if isinstance(runner, dict) and isinstance(runner.get("name"), str):
        return f"ttsa rerun {safe(shlex.quote(where))} (runner {safe(runner['name'])} {stated(runner.get('version'))})"
    return f"not stated: no runner, and the command is {stated(command)}"


def _seeds(seeds: Any) -> str:
    if not isinstance(seeds, list):
        return stated(seeds)
    return ", ".join(map(_seed, seeds[:_MOST])) or "none: no random numbers are used"


def _seed(seed: Any) -> str:
    if not isinstance(seed, dict):
        return stated(seed)
    asked, used = seed.get("requested"), seed.get("effective")
    value = stated(used) if is_absent(asked) else stated(asked)
    other = f" (used: {stated(used)})" if asked != used and not is_absent(asked) else ""
    return f"{stated(seed.get('stage'))} {value}{other}"


def _pairs(value: Any) -> str:
    if not isinstance(value, dict) or is_absent(value):
        return stated(value)
    words = {key: stated(member_words(each) if isinstance(each, str) else each) for key, each in value.items()}
    pairs = [f"{safe(key)} {each}" for key, each in list(words.items())[:_MOST]]
    more = [f"and {len(value) - _MOST} more"] if len(value) > _MOST else []
    return ", ".join([*pairs, *more]) or "none"


def _numerics(value: Any) -> str:
    if not isinstance(value, dict) or is_absent(value):
        return stated(value)
    test = value.get("kat_passed")
    passed = "passed" if test is True else "failed" if test is False else stated(test)
    return f"{stated(value.get('profile'))}, known-answer test {passed}, fingerprint {stated(value.get('fingerprint'))}"


def _promise(value: Any) -> str:
    if not isinstance(value, dict) or is_absent(value):
        return stated(value)
    return f"determinism {stated(value.get('class'))}; own repeat {stated(value.get('self_repeat'))}"


def _lock(value: Any) -> str:
    if not isinstance(value, dict) or is_absent(value):
        return stated(value)
    packages = value.get("packages")
    count = counted(packages, "package") if type(packages) is int else f"{stated(packages)} packages"
    return f"{stated(value.get('kind'))}, {count}, {stated(value.get('digest'))}"
