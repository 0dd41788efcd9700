"""Parameters, options and flags that repeat a field of the run, and how its command ended (clauses 4.10 and 6.6)."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.terms.finding import Hint
from ttsartifact.verifying.hinting import hint
from ttsartifact.verifying.rules.repeated import REPEATED, named_by
from ttsartifact.verifying.rules.shared import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_REFUSED = 400  # and above, a server refuses (RFC 9110 section 15)
_OPTIONS = frozenset({"rate", "device", "seed", "language", "clip"})  # which a command line spells like a parameter


@hint("ENV13")
def other_parameters(evidence: Evidence) -> Iterator[Hint]:
    """Parameters, options and flags that repeat a field mostly say what the field says (clause 4.10)."""
    named = named_by("parameters")
    for key, value in evidence.at("/generation/params").items():
        if key in named:
            given = key if named[key] == "of_type" and value is True else value
            yield from _told(evidence, f"/generation/params/{key}", named[key], given)
    options = named | named_by("repeated")  # as parameters they are errors (ENV09)
    words = evidence.known("/generation/command/argv") or []
    for place, (word, after) in enumerate(pairwise([*words, ""])):
        key, value = _option(word, after)
        if options.get(key) in _OPTIONS:
            yield from _told(evidence, f"/generation/command/argv/{place}", options[key], value)
    yield from _loose(evidence)
    yield from _extended(evidence)
    stages = [entry["stage"] for _, entry in entries(evidence, "/generation/seeds")]
    for stage in sorted({stage for stage in stages if stages.count(stage) > 1}):
        yield Hint(id="ENV13", where="/generation/seeds", found=stage, message="a stage with two seeds")


@hint("ENV14")
def sound_exit(evidence: Evidence) -> Iterator[Hint]:
    """The recorded command ended with status 0, and a server answered below 400 (clauses 6.6 and 7.8)."""
    status, answered = evidence.known("/generation/command/exit_status"), evidence.known("/run/request/status")
    if status:
        yield Hint(id="ENV14", where="/generation/command/exit_status", found=status, message="the command failed")
    if answered is not None and answered >= _REFUSED:
        yield Hint(id="ENV14", where="/run/request/status", found=answered, message="the server refused the request")


def _told(evidence: Evidence, where: str, field: str, value: Any) -> Iterator[Hint]:
    statements = REPEATED[field].differing(evidence, value)
    if statements is not None:
        yield Hint(
            id="ENV13", where=where, found=statements[1], message=f"the run states a different {REPEATED[field].name}"
        )


def _extended(evidence: Evidence) -> Iterator[Hint]:
    """Yield what a registered extension says of a field that says something else."""
    held = evidence.at("/ext") or {}
    for extension in _spec.table("registry/lists")["extension"]:
        given = held.get(extension["name"], {}) if isinstance(held, dict) else {}
        pairs = [*extension["repeats"].items(), *extension["empty"].items()]
        for path, pointer in pairs:
            value, stated = _within(given, path), evidence.known(pointer)
            is_other = type(value) is int and stated is not None and value != stated
            if is_other or (isinstance(value, list) and value and stated is True):
                where = f"/ext/{extension['name']}/{path}"
                yield Hint(id="ENV13", where=where, found=value, message=f"{pointer} states {stated}")


def _within(held: Any, path: str) -> Any:
    for step in path.split("/"):
        held = held.get(step) if isinstance(held, dict) else None
    return held


def _loose(evidence: Evidence) -> Iterator[Hint]:
    """Yield flags that let kernels differ from call to call, beside the promise of the same samples."""
    loose: list[str] = _spec.table("registry/lists")["loose_flags"]
    promised = evidence.known("/generation/determinism/class")
    if promised not in {"bitwise", "same_device"}:
        return
    for place, flag in enumerate(evidence.known("/generation/determinism/flags")):
        folded = re.sub(r"[^a-z.=]", "", flag.lower())
        if folded.endswith(tuple(loose)):
            where = f"/generation/determinism/flags/{place}"
            yield Hint(id="ENV13", where=where, found=flag, message=f"with this flag no run is {promised}")


def _option(word: str, after: str) -> tuple[str, str]:
    """Return name and value of a long option, `--name value` or `--name=value`; two empty strings of other words."""
    if not word.startswith("--"):
        return "", ""
    name, equals, value = word[2:].partition("=")
    return name.lower().replace("-", "_"), value if equals else after
