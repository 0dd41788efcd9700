"""Statements that repeat or exclude a field of the run, and how its command ended (clauses 4.10, 6.6 and 7.8)."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.terms.finding import Mismatch
from ttsartifact.verifying.hinting import hint
from ttsartifact.verifying.rules.repeated import REPEATED, named_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_REFUSED = 400  # and above, a server refuses (RFC 9110 section 15)
_OPTIONS = frozenset(
    {"rate", "device", "seed", "language", "clip", "format"}
)  # which a command line spells like a parameter


@hint("ENV13")
def other_parameters(evidence: Evidence) -> Iterator[Mismatch]:
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
    yield from _served(evidence)
    stages = [entry["stage"] for _, entry in evidence.entries("/generation/seeds")]
    for stage in sorted({stage for stage in stages if stages.count(stage) > 1}):
        yield Mismatch(where="/generation/seeds", found=stage, message="a stage with two seeds")


@hint("ENV14")
def sound_exit(evidence: Evidence) -> Iterator[Mismatch]:
    """The recorded command ended with status 0, and a server answered below 400 (clauses 6.6 and 7.8)."""
    status, answered = evidence.known("/generation/command/exit_status"), evidence.known("/run/request/status")
    if status:
        yield Mismatch(where="/generation/command/exit_status", found=status, message="the command failed")
    if answered is not None and answered >= _REFUSED:
        yield Mismatch(where="/run/request/status", found=answered, message="the server refused the request")


@hint("SCH13")
def fitting_places(evidence: Evidence) -> Iterator[Mismatch]:
    """No two places of the descriptor hold values that exclude each other (clause 4.10)."""
    for row in _spec.table("registry/contradictions")["row"]:
        held = evidence.known(row["each"]) if "each" in row else None
        bases = [f"{row['each']}/{place}" for place in range(len(held))] if isinstance(held, list) else []
        for base in bases if "each" in row else [""]:
            if _is_met(evidence, base, row):
                where = _place(base, next(iter(row["when"])))
                yield Mismatch(where=where, found=_words(evidence.known(where)), message=row["says"])


def _is_met(evidence: Evidence, base: str, row: dict[str, Any]) -> bool:
    for kind, wanted in (("when", True), ("unless", False)):
        for key, patterns in row.get(kind, {}).items():
            if _holds(evidence.known(_place(base, key)), patterns) is not wanted:
                return False
    return True


def _place(base: str, key: str) -> str:
    return key if key[0] == "/" else f"{base}/{key}"


def _holds(value: Any, patterns: list[str]) -> bool:
    """Return whether a value, or an item of a list, matches one of the patterns."""
    if value is None:
        return "-" in patterns
    words = [_words(item) for item in value] if isinstance(value, list) else [_words(value)]
    if words in ([], ["-"]):
        return "-" in patterns
    # A pattern that is compiled costs more than all of these.
    if "*" in patterns or not set(words).isdisjoint(patterns):
        return True
    likely = [(word, pattern) for pattern in patterns for word in words if _may_match(word, pattern)]
    if not likely:
        return False
    from fnmatch import fnmatchcase

    return any(fnmatchcase(word, pattern) for word, pattern in likely)


def _may_match(word: str, pattern: str) -> bool:
    """Return whether a pattern has a wildcard, and the word has all that stands between its wildcards."""
    pieces = pattern.replace("?", "*").split("*")
    return len(pieces) > 1 and all(piece in word for piece in pieces)


def _words(value: Any) -> str:
    return "-" if value is None else "{}" if isinstance(value, dict) else str(value).lower()


def _told(evidence: Evidence, where: str, field: str, value: Any) -> Iterator[Mismatch]:
    statements = REPEATED[field].differing(evidence, value)
    if statements is not None:
        yield Mismatch(where=where, found=statements[1], message=f"the run states a different {REPEATED[field].name}")


def _extended(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield what a registered extension says of a field that says something else."""
    held = evidence.at("/ext") or {}
    for extension in _spec.table("registry/lists")["extension"]:
        given = held.get(extension["name"], {}) if isinstance(held, dict) else {}
        pairs = [*extension["repeats"].items(), *extension["empty"].items()]
        for path, pointer in pairs:
            value, stated = _within(given, path), evidence.known(pointer)
            is_other = isinstance(value, (int, str)) and stated is not None and value != stated
            is_counted = isinstance(value, list) and type(stated) is int and bool(value) != bool(stated)
            if is_other or is_counted or (isinstance(value, list) and value and stated is True):
                where = f"/ext/{extension['name']}/{path}"
                yield Mismatch(where=where, found=value, message=f"{pointer} states {stated}")


def _served(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield what a server stated of itself in a header and the run states otherwise (clause 7.8)."""
    for where, header in evidence.entries("/run/request/stated"):
        name = header["name"].lower()
        known = _spec.table("registry/serving")["header"]
        fields = next((row.get("fields", ()) for row in known if row["name"] == name), ())
        words = re.split("[:@]", header["value"].strip())[-len(fields) :] if fields else []
        for field, word in zip(fields, words, strict=False):  # a header of too few words is kept as it is
            if (stated := evidence.known(field)) is not None and str(stated).lower() != word.lower():
                yield Mismatch(where=f"{where}/value", found=word, message=f"{field} states {stated}")


def _within(held: Any, path: str) -> Any:
    for step in path.split("/"):
        held = held.get(step) if isinstance(held, dict) else None
    return held


def _loose(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield flags that let kernels differ from call to call, beside the promise of the same samples."""
    loose: list[str] = _spec.table("registry/lists")["loose_flags"]
    promised = evidence.known("/generation/determinism/class")
    if promised not in {"bitwise", "same_device"}:
        return
    for place, flag in enumerate(evidence.known("/generation/determinism/flags")):
        folded = re.sub(r"[^a-z.=]", "", flag.lower())
        if folded.endswith(tuple(loose)):
            where = f"/generation/determinism/flags/{place}"
            yield Mismatch(where=where, found=flag, message=f"kernels under this flag are not {promised}")


def _option(word: str, after: str) -> tuple[str, str]:
    """Return name and value of a long option, `--name value` or `--name=value`; two empty strings of other words."""
    if not word.startswith("--"):
        return "", ""
    name, equals, value = word[2:].partition("=")
    return name.lower().replace("-", "_"), value if equals else after
