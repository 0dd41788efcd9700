"""What the catalogue says that a rule reads is what it reads: the rules are watched over the kit.

`python tests/write_reads.py` writes it, after a rule was added or reads more than it did.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import watched

from ttsartifact.reading.artifact import Artifact, open_artifact
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.terms.finding import NotApplicable
from ttsartifact.verifying.catalogue import catalogue, questions
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.evidence import Evidence, Unsound

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
ENTRIES = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))["fixtures"]
STATED = {rule.id: frozenset(rule.reads) for rule in catalogue().values()}


def unstated(entries) -> set[tuple[str, str]]:
    """Return rule and thing for all that is read and not stated."""
    return {
        (rule, read)
        for entry in entries
        for rule, seen in watched.read_by(FIXTURES / entry["file"])
        for read in seen
        if "descriptor" not in STATED[rule] or read[0] != "/"
        if not watched.covers(STATED[rule], read)
    }


def test_what_is_read_is_stated() -> None:
    """10.1: over the runs of which everything is known, and over one that fails each rule."""
    rich = [entry for entry in ENTRIES if entry["id"].startswith(("valid/", "near/TEL", "near/SET", "near/IMP"))]
    own = {fail: entry for entry in ENTRIES for fail in entry["expect"]["fail"] if entry["expect"]["exit_code"] != 4}
    assert unstated([*rich, *own.values()]) == set()


@pytest.mark.exhaustive
def test_over_the_whole_kit_all_that_is_stated_is_read() -> None:
    """10.1: nothing more is read, and nothing is stated that no file makes a rule read."""
    assert unstated(entry for entry in ENTRIES if "/bomb/" not in entry["id"]) == set()


def test_every_rule_states_what_it_reads() -> None:
    """A rule that reads nothing asks nothing."""
    assert [rule for rule, reads in STATED.items() if not reads] == []


GATES = [(rule.id, what) for rule in catalogue().values() for what in rule.applies_if]

HOLDER = {"columns": "carrier", "credential": "audio", "log": "asker", "profile": "/claims", "trust": "asker"}
"""The input that holds what is no input itself."""


def test_what_a_rule_needs_is_what_it_reads() -> None:
    """`applies_if` names inputs of `reads`, or what holds them."""
    for rule, what in GATES:
        around = frozenset({what, HOLDER.get(what, what)})
        held = [read for read in STATED[rule] if watched.covers(around, read)]
        assert held or watched.covers(STATED[rule], what), (rule, what)


class Without:
    """The parts of an artifact but one."""

    def __init__(self, parts: Any, name: str) -> None:
        self._parts, self._name = parts, name

    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self._parts.names() if name != self._name)

    def part(self, name: str) -> Any:
        return self._parts.part(name)


def emptied(artifact: Artifact, what: str) -> list[Artifact]:
    """Return the artifact with one input said to be absent, and where it is a list, empty."""
    held = artifact.descriptor.at(what) if what[0] == "/" else None
    instead = [absent("unknown"), *([[]] if isinstance(held, list) else [])]
    found = []
    for value in instead:
        changed = json.loads(artifact.descriptor.raw)
        if what[0] == "/":
            *steps, last = what.split("/")[1:]
            place = changed
            for step in steps:
                place = place[step]
            place[last] = value
            parts = artifact.parts
        else:
            changed["traces"] = [t for t in changed["traces"] if f"trace/{t['name']}" != what]
            parts = Without(artifact.parts, what)
        found.append(artifact._replace(descriptor=Descriptor(artifact.descriptor.raw, changed), parts=parts))
    return found


def test_a_rule_without_its_subject_is_not_applicable() -> None:
    """10.1: run all the same, it says so itself; over a file that fails each rule, and over the richest run."""
    tried, otherwise = set(), set()
    files = {rule: [FIXTURES / "valid/L3/wav/full.tts.wav"] for rule, _ in GATES}
    for entry in ENTRIES:
        one = entry["id"].split("/")[1] if entry["id"].startswith(("fail/", "near/", "boundary/")) else ""
        if one in files and "parquet" not in entry["file"] and entry["expect"]["exit_code"] != 4:
            files[one] = [*files[one][:3], FIXTURES / entry["file"]]
    for rule, what in GATES:
        for path in files[rule] if what[0] == "/" or what.startswith("trace/") else ():
            artifact = open_artifact(path)
            is_there = artifact.descriptor.known(what) if what[0] == "/" else what in artifact.parts.names()
            for changed in emptied(artifact, what) if is_there else ():
                evidence = Evidence(changed)
                evidence.__dict__["violations"] = ()  # the question is put to the rule, whatever else is amiss
                try:
                    answer = questions()[rule](evidence)
                except Unsound:
                    continue
                tried.add((rule, what))
                if not isinstance(answer, NotApplicable):
                    otherwise.add((rule, what, path.name))
    assert otherwise == set()
    assert len(tried) > 80


def test_the_answers_are_those_of_every_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """10.1: a report for which every rule was run is the same; over the richest run and one failure of each family."""
    first = {entry["id"].split("/")[1][:3]: entry for entry in reversed(ENTRIES) if entry["id"].startswith("fail/")}
    paths = [FIXTURES / "valid/L3/wav/full.tts.wav", *(FIXTURES / entry["file"] for entry in first.values())]

    def answers() -> list:
        """Return the reports but for why a rule does not apply, which a rule says in words of its own."""
        found = [report for path in paths for report in verify(path)]
        return [(each.not_applicable, each._replace(not_applicable_because=())) for each in found]

    reports = answers()
    monkeypatch.setattr(Evidence, "lacks", lambda self, what: False)
    assert answers() == reports
